//! A header and the rows under it, whatever the rows mean: the loop that order files and catalogs share.

use crate::cells::Cells;
use crate::code::{Code, Refusal, Wrong};
use crate::columns::{Column, Header};
use crate::file_error::{FileCode, FileError};
use crate::record::{Found, Place};
use crate::rejects::Reject;
use crate::splitter::{MAX_RECORD_BYTES, Splitter};

/// Bytes that are copied and searched at a time, so that a file handed over whole is not kept whole.
const PIECE_BYTES: usize = 64 * 1024;

/// What the rows of a file mean.
pub(crate) trait Meaning {
    /// What the header settles for all rows.
    type Layout;
    type Item: From<Reject>;

    /// The columns to look for.
    fn columns(&self) -> &'static [Column];

    fn lay_out(&self, header: &Header) -> Result<Self::Layout, FileError>;

    fn read(
        &self,
        header: &Header,
        layout: &Self::Layout,
        row: u64,
        cells: &Cells<'_>,
    ) -> Result<Self::Item, Refusal>;
}

pub(crate) struct Table<M: Meaning> {
    meaning: M,
    splitter: Splitter,
    state: State<M::Layout>,
}

enum State<L> {
    Start,
    Rows(Header, L),
    Refused(FileError),
}

impl<M: Meaning> Table<M> {
    pub fn new(meaning: M) -> Table<M> {
        Table {
            meaning,
            splitter: Splitter::new(),
            state: State::Start,
        }
    }

    pub fn feed(&mut self, bytes: &[u8], items: &mut Vec<M::Item>) -> Result<(), FileError> {
        for piece in bytes.chunks(PIECE_BYTES) {
            self.splitter.push(piece);
            self.read_found(items)?;
        }
        Ok(())
    }

    pub fn finish(&mut self, items: &mut Vec<M::Item>) -> Result<(), FileError> {
        self.splitter.finish();
        self.read_found(items)?;
        match (&self.state, self.splitter.records()) {
            (State::Start, _) => Err(FileError::new(FileCode::EmptyFile, "the file is empty")),
            (State::Rows(..), 0 | 1) => Err(FileError::new(
                FileCode::NoRows,
                "a header, and no row under it",
            )),
            _ => Ok(()),
        }
    }

    fn read_found(&mut self, items: &mut Vec<M::Item>) -> Result<(), FileError> {
        if let State::Refused(error) = &self.state {
            return Err(error.clone());
        }
        while let Some(found) = self.splitter.next() {
            match &self.state {
                State::Rows(header, layout) => {
                    items.push(read_row(&self.meaning, header, layout, found));
                }
                State::Start | State::Refused(_) => match open(&self.meaning, found) {
                    Ok((header, layout)) => self.state = State::Rows(header, layout),
                    Err(error) => {
                        self.state = State::Refused(error.clone());
                        return Err(error);
                    }
                },
            }
        }
        Ok(())
    }
}

fn open<M: Meaning>(meaning: &M, found: Found<'_>) -> Result<(Header, M::Layout), FileError> {
    let Found::Record(record) = found else {
        let message = "the first line is not the header of a CSV file: it never ends";
        return Err(FileError::new(FileCode::NotCsv, message));
    };
    let header = Header::read(&record, meaning.columns())?;
    let layout = meaning.lay_out(&header)?;
    Ok((header, layout))
}

fn read_row<M: Meaning>(
    meaning: &M,
    header: &Header,
    layout: &M::Layout,
    found: Found<'_>,
) -> M::Item {
    match found {
        Found::Record(record) => Cells::new(header, &record)
            .and_then(|cells| meaning.read(header, layout, record.place.row, &cells))
            .unwrap_or_else(|refusal| reject(record.place, refusal, record.original).into()),
        Found::Broken {
            place,
            code,
            original,
        } => {
            let message = match code {
                Code::RecordTooLong => {
                    format!("the line is longer than {MAX_RECORD_BYTES} bytes; here is its start")
                }
                _ => "a quote is opened and never closed".to_owned(),
            };
            reject(place, Wrong::new(code, message).at(""), original).into()
        }
    }
}

fn reject(place: Place, refusal: Refusal, original: &[u8]) -> Reject {
    Reject {
        line: place.line,
        row: place.row,
        code: refusal.code,
        column: refusal.column,
        message: refusal.message,
        original: original.to_vec(),
    }
}
