//! Why a file as a whole cannot be taken.

use std::fmt;

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileCode {
    /// Nothing but blank lines, if that.
    EmptyFile,
    /// The first line cannot be the header of a CSV file.
    NotCsv,
    /// The header lacks a column that is needed.
    MissingColumn,
    /// Two columns of the header mean the same.
    DuplicateColumn,
    /// The header has more columns than a row may have cells.
    TooManyColumns,
    /// A header, and no row under it.
    NoRows,
    /// The file, or what it expands to, is longer than a file may be.
    FileTooLarge,
    /// A compressed file expands to far more text than orders do.
    ExpandsTooMuch,
    /// A compressed file that is damaged or cut off.
    BrokenGzip,
}

impl FileCode {
    pub const ALL: [FileCode; 9] = [
        FileCode::EmptyFile,
        FileCode::NotCsv,
        FileCode::MissingColumn,
        FileCode::DuplicateColumn,
        FileCode::TooManyColumns,
        FileCode::NoRows,
        FileCode::FileTooLarge,
        FileCode::ExpandsTooMuch,
        FileCode::BrokenGzip,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            FileCode::EmptyFile => "empty_file",
            FileCode::NotCsv => "not_csv",
            FileCode::MissingColumn => "missing_column",
            FileCode::DuplicateColumn => "duplicate_column",
            FileCode::TooManyColumns => "too_many_columns",
            FileCode::NoRows => "no_rows",
            FileCode::FileTooLarge => "file_too_large",
            FileCode::ExpandsTooMuch => "expands_too_much",
            FileCode::BrokenGzip => "broken_gzip",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileError {
    pub code: FileCode,
    pub message: String,
}

impl FileError {
    pub(crate) fn new(code: FileCode, message: impl Into<String>) -> FileError {
        FileError {
            code,
            message: message.into(),
        }
    }

    /// For a file that is no text: what it most likely is.
    pub(crate) fn not_text(bytes: &[u8]) -> FileError {
        let what = match bytes {
            [b'P', b'K', 3, 4, ..] => "a spreadsheet or a zip file: save it as CSV",
            [0xd0, 0xcf, 0x11, 0xe0, ..] => "an old spreadsheet: save it as CSV",
            [b'%', b'P', b'D', b'F', ..] => "a PDF",
            _ => "the first line is not text",
        };
        FileError::new(FileCode::NotCsv, what)
    }

    /// For a file whose size says enough.
    pub fn too_large(bytes: u64) -> FileError {
        let limit = domain::limits::FILE_BYTES;
        let message = format!("{bytes} bytes are more than {limit}: cut it into several files");
        FileError::new(FileCode::FileTooLarge, message)
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.message)
    }
}

impl std::error::Error for FileError {}
