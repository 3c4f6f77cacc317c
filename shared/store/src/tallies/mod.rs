//! Figures that are added up from the journal: how they are kept, entered, read, and built anew.
//!
//! Every figure is of a generation of its book: what is built beside the live figures has another one.

mod boards;
mod books;
mod enter;
mod keys;
mod kpis;
mod numbers;
mod plan;
mod ranks;
mod rebuild;
mod running;
mod stored;

pub use boards::{Board, BoardRow};
pub use books::{Books, Building, Scope};
pub use kpis::{Day, DayFigures};
pub use ranks::Rank;
pub use rebuild::Rebuilt;
pub use running::Underway;
pub use stored::{Live, StoredCustomer, StoredProduct};
