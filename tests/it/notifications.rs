//! What customers are told: once, whatever is delivered again or dies half way.

mod on_stack;
mod optout_on_stack;
mod sending;
pub mod support;
pub mod telling;
