//! Why a file as a whole cannot be taken. Nothing of such a file is imported.

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
    /// A header, and no row under it.
    NoRows,
}

impl FileCode {
    pub fn as_str(self) -> &'static str {
        match self {
            FileCode::EmptyFile => "empty_file",
            FileCode::NotCsv => "not_csv",
            FileCode::MissingColumn => "missing_column",
            FileCode::DuplicateColumn => "duplicate_column",
            FileCode::NoRows => "no_rows",
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
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.message)
    }
}

impl std::error::Error for FileError {}
