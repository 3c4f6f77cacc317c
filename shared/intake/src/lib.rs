//! The bytes of a file to typed orders, or to rejects that say what is wrong and where.
//!
//! Pure: no I/O, no clock, no async. A reader is fed pieces of any size and gives back the rows that are complete,
//! in memory that does not grow with the file. However the file is cut into pieces, the rows are the same.
//!
//! The way of a byte: `splitter` finds records, `columns` says what their cells mean, `order_row` (for orders) or
//! `catalog` (for products) makes them typed. What cannot be typed becomes a [`Reject`] with a [`Code`] and its
//! original bytes; what cannot be read at all, a [`FileError`].

pub mod catalog;
mod cells;
mod code;
mod columns;
mod file_error;
mod items;
mod order_row;
mod parser;
mod reader;
mod record;
pub mod rejects;
mod shape;
mod splitter;
mod table;
mod values;

pub use catalog::{CatalogItem, CatalogReader, CatalogRow};
pub use code::Code;
pub use file_error::{FileCode, FileError};
pub use reader::{Reader, Row, Settings};
pub use rejects::Reject;
pub use splitter::MAX_RECORD_BYTES;
