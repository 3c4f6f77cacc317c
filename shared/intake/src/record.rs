//! What the splitter hands out: a record, or a line that is none, and where it stands in the file.

use crate::code::Code;

/// Where a record starts. The row is 0 for the header, then counts the records under it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub offset: u64,
    pub line: u64,
    pub row: u64,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found<'a> {
    Record(Record<'a>),
    /// A line that is no record. Reading goes on behind it.
    Broken {
        place: Place,
        code: Code,
        original: &'a [u8],
    },
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Record<'a> {
    pub place: Place,
    /// The bytes of the record as they stand in the file, without the line end.
    pub original: &'a [u8],
    /// All cells, unquoted, one behind the other, and where each of them ends.
    pub cells: &'a [u8],
    pub ends: &'a [usize],
}
