//! Refunds over the memory engine: that no more goes back than was paid, however many ask for it at once, and whatever
//! comes in between.

pub mod bank;
mod requests;
pub mod support;
mod work;
