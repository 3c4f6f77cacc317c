//! Refunds over the memory engine: that no more goes back than was paid, however many ask for it at once, and whatever
//! comes in between.

mod bank;
mod requests;
mod support;
mod work;
