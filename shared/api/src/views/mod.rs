//! Things as both functions show them.

mod refund;

pub use refund::{Refund, RefundLine};
