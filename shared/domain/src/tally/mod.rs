//! What the journal adds up to: figures of days and hours, boards of customers and products, progress of imports.
//!
//! An entry has effects; they are cut into parts, each of which is entered once, and parts of many entries are packed into
//! transactions. All of it follows from the entries alone. Knows nothing of how figures are kept.

pub mod effects;
pub mod figures;
pub mod hour;
pub mod parts;
pub mod score;

pub use effects::{Effects, Sales, Settled, Spend, Subject};
pub use figures::Figures;
pub use hour::Hour;
pub use parts::{Book, Customer, Deltas, Part, Piece, cut, pack};
pub use score::{Bucket, Score, ranks};
