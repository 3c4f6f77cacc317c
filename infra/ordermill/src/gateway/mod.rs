//! A payment gateway to run against: the contract of `payments::contract` over HTTP, with books of its own.
//!
//! It declines, delays, and fails on the way in given proportions, always in the same way for the same seed, so that
//! what it captured can be compared with what ordermill believes. It keeps its books in memory, and listens on this
//! machine only. It knows no order: a charge is a key and an amount.

mod behaviour;
mod book;
mod line;
mod routes;
mod server;
mod summary;
mod webhooks;

pub use behaviour::{Behaviour, Failure, Fate, Latency, Operation, Share, time};
pub use book::{Book, Verdict};
pub use server::Server;
pub use summary::{Charges, Faults, Summary, Sums, Webhooks};
