//! What customers are told: once, whatever is delivered again or dies half way.

mod sending;
mod support;
mod telling;
