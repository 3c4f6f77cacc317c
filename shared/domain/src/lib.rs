//! What ordermill believes about orders, money and stock: pure decisions, no I/O, no clock, no async.
//!
//! Every other crate may depend on this one; this one depends on none of them.

#![deny(clippy::float_arithmetic)]
// Tests may count without being careful.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

pub mod access;
pub mod backoff;
pub mod batch;
pub mod catalog;
pub mod day;
pub mod fault;
pub mod ids;
pub mod journal;
pub mod limits;
pub mod money;
pub mod notification;
pub mod order;
pub mod packing;
pub mod preferences;
pub mod pricing;
pub mod progress;
pub mod refund;
pub mod status;
pub mod stock;
pub mod suppression;
pub mod tally;

pub use access::{Scope, Scopes};
pub use backoff::Backoff;
pub use batch::{Batch, Charged, Open, Refused, Review, RowsContact};
pub use day::Day;
pub use fault::Fault;
pub use money::{Currency, Money};
pub use order::{Contact, Line, Order};
pub use pricing::Prices;
pub use status::{Reason, Status};
