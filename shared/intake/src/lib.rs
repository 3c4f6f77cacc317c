//! The bytes of a file to typed orders, or to rejects that say what is wrong and where.
//!
//! Pure: no I/O, no clock, no async. A reader is fed pieces of any size and gives back the rows that are complete,
//! in memory that does not grow with the file. However the file is cut into pieces, the rows are the same.
//!
//! The way of a byte: `decoder` makes text of it, `head` finds out how the text is written, `splitter` finds records,
//! `columns` and `layout` say what their cells mean, `order_row` (for orders) or `catalog` (for products) makes them
//! typed. What cannot be typed becomes a [`Reject`] with a [`Code`] and its original bytes; what cannot be read at all,
//! a [`FileError`].

mod amounts;
pub mod catalog;
mod cells;
mod code;
mod columns;
mod decoder;
mod file_error;
mod head;
mod items;
mod joined;
mod layout;
mod line_ends;
mod order_row;
mod parser;
mod reader;
mod record;
pub mod rejects;
mod splitter;
mod table;
mod values;

pub use catalog::{CatalogItem, CatalogReader, CatalogRow};
pub use code::Code;
pub use columns::names as column_names;
pub use file_error::{FileCode, FileError};
pub use line_ends::LineEnds;
pub use reader::{Mark, Reader, Row, Settings};
pub use rejects::Reject;
pub use table::{End, Step};
