//! The start of a file: which character separates its cells, and what its header says.
//!
//! The header is read once with each separator that people use. The reading that knows most of its columns is the
//! right one; where two know as many, the comma is.

use crate::columns::{Column, Header};
use crate::file_error::{FileCode, FileError};
use crate::parser::Parser;
use crate::record::Found;
use crate::splitter::Splitter;

const DELIMITERS: [u8; 4] = *b",;\t|";

/// What the bytes of the head say, once they are enough.
pub(crate) struct Head {
    pub delimiter: u8,
    pub header: Header,
    /// The header as it stands in the file, and the line in which it begins.
    pub original: Vec<u8>,
    pub line: u64,
}

/// `None` while more is needed to tell.
pub(crate) fn read(
    bytes: &[u8],
    ended: bool,
    wanted: &[Column],
) -> Result<Option<Head>, FileError> {
    let mut best: Option<(usize, Result<Head, FileError>)> = None;
    for delimiter in DELIMITERS {
        let mut splitter = Splitter::new(Parser::new(delimiter, None));
        splitter.push(bytes);
        if ended {
            splitter.finish();
        }
        let (known, reading) = match splitter.next() {
            None if ended => return Err(FileError::new(FileCode::EmptyFile, "the file is empty")),
            None => return Ok(None),
            Some(Found::Broken { .. }) => {
                let message = "the first line is not the header of a CSV file: it never ends";
                (0, Err(FileError::new(FileCode::NotCsv, message)))
            }
            Some(Found::Record(record)) => match Header::read(&record, wanted) {
                Ok(header) => {
                    let head = Head {
                        delimiter,
                        header,
                        original: record.original.to_vec(),
                        line: record.place.line,
                    };
                    (head.header.known(), Ok(head))
                }
                Err((known, error)) => (known, Err(error)),
            },
        };
        if best.as_ref().is_none_or(|(most, _)| known > *most) {
            best = Some((known, reading));
        }
    }
    best.map(|(_, reading)| reading).transpose()
}
