//! What the splitter hands out: a record, or a line that is none, and where it stands in the file.

use serde::{Deserialize, Serialize};

use crate::code::Code;

/// Where a record starts. The row is 0 for the header, then counts the records under it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    /// In the text of the file: expanded, and in UTF-8.
    pub offset: u64,
    pub line: u64,
    pub row: u64,
    /// Up to this offset a line end ends the record, quote or no quote.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub by_line_until: u64,
}

/// Where the splitter is between two records: all it takes to go on from there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    #[serde(flatten)]
    pub place: Place,
    /// A line feed that comes next belongs to the line end before it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub after_return: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub in_long_line: bool,
}

// By reference, as serde asks for.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_false(flag: &bool) -> bool {
    !flag
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

impl Found<'_> {
    pub fn place(&self) -> Place {
        match self {
            Found::Record(record) => record.place,
            Found::Broken { place, .. } => *place,
        }
    }

    pub fn original(&self) -> &[u8] {
        match self {
            Found::Record(record) => record.original,
            Found::Broken { original, .. } => original,
        }
    }
}
