//! What customers are told: once, whatever is delivered again or dies half way.

mod feedback;
mod imports;
mod measured;
mod on_stack;
mod sending;
mod support;
mod telling;

pub use support::has_address;
