//! What customers are told: once, whatever is delivered again or dies half way.

mod counts;
mod facts;
mod faults_on_stack;
mod feedback;
mod feedback_on_stack;
mod imports;
mod lists;
mod measured;
mod on_stack;
mod optout_on_stack;
mod rate;
mod recount;
mod sending;
pub mod support;
pub mod telling;
mod weather;

pub use support::has_address;
