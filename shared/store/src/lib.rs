//! The typed store: tables, what may be asked of them, and one file for each kind of thing that is kept.
//!
//! Two engines answer: `dynamo` (the service) and `memory` (for simulation, with faults on request). Nothing outside
//! this crate sees an attribute value.

mod any;
pub mod dynamo;
pub mod engine;
pub mod memory;
pub mod ops;
pub mod retry;
pub mod schema;

pub mod catalogs;
pub mod conflicts;
pub mod contacts;
pub mod customers;
pub mod failures;
pub mod feedback;
pub mod imports;
mod instant;
mod item;
pub mod journal;
pub mod lifecycle;
pub mod lists;
pub mod notifications;
pub mod orders;
pub mod page;
pub mod pending;
pub mod product_requests;
pub mod products;
mod refund_requests;
mod refunding;
pub mod refunds;
mod settlement;
pub mod suppressions;
pub mod tallies;
pub mod timeline;
pub mod tokens;

pub use any::AnyEngine;
pub use engine::Engine;
pub use retry::Store;
pub use settlement::Moment;
