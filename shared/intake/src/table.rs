//! A header and the rows under it, whatever the rows mean: the loop that order files and catalogs share.
//!
//! Bytes are pushed, and pulled out again as rows, one step at a time. Between two steps the reader knows where it is,
//! and another one can go on from there.

use domain::ids::ContentHash;
use domain::limits::ROW_BYTES;

use crate::cells::Cells;
use crate::code::{Code, Refusal, Wrong};
use crate::columns::{Column, Header};
use crate::decoder::Decoder;
use crate::file_error::{FileCode, FileError};
use crate::head;
use crate::parser::Parser;
use crate::record::{Found, Mark, Place};
use crate::rejects::Reject;
use crate::splitter::{BYTE_ORDER_MARK, Splitter};

/// Characters of a column's name, or of a message: the name of a column may be longer than all of its cells.
const SHOWN: usize = 300;

/// What the rows of a file mean.
pub(crate) trait Meaning {
    /// What the header settles for all rows.
    type Layout;
    type Item: From<Reject>;

    /// The columns to look for.
    fn columns(&self) -> &'static [Column];

    fn lay_out(&self, header: &Header) -> Result<Self::Layout, FileError>;

    /// The column that may be the rest of its line.
    fn rest(&self, _header: &Header) -> Option<usize> {
        None
    }

    /// Whether rows can be read only when the content of the whole file has a name.
    fn needs_content(&self, _layout: &Self::Layout) -> bool {
        false
    }

    fn read(
        &mut self,
        header: &Header,
        layout: &Self::Layout,
        found: &Found<'_>,
        items: &mut Vec<Self::Item>,
    );

    /// The file has ended.
    fn end(&mut self, _header: &Header, _items: &mut Vec<Self::Item>) {}

    /// The first row of which nothing was handed out yet, if it is not the next one.
    fn held_back(&self) -> Option<Place> {
        None
    }

    /// Whether a row is read in the light of all rows before it: then a reader that goes on has to read them too.
    fn looks_back(&self, _layout: &Self::Layout) -> bool {
        false
    }
}

/// What a step came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A row was read. Often it is handed out at once, sometimes only together with later ones.
    Row,
    /// Nothing more can be read before the next piece is pushed.
    More,
    Over(End),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    Rows,
    /// No row was read. The orders of this file are named by its content: read it again, with this name.
    Content(String),
}

pub(crate) struct Table<M: Meaning> {
    meaning: M,
    decoder: Decoder,
    /// The last piece was pushed, and the last row was read.
    ended: bool,
    over: bool,
    state: State<M::Layout>,
    /// As it stands in the file, and the line in which it begins.
    header: Option<(Vec<u8>, u64)>,
    resume: Option<Mark>,
    /// Up to this offset, rows are read and not handed out.
    replay_until: Option<u64>,
    /// Bytes of text that were read by an earlier reader, and are still to come.
    skip: u64,
}

enum State<L> {
    Head(Vec<u8>),
    Rows(Box<Rows<L>>),
    /// The file is not read, only its content named.
    Naming(ContentHash),
    Refused(FileError),
}

struct Rows<L> {
    header: Header,
    layout: L,
    splitter: Splitter,
}

impl<M: Meaning> Table<M> {
    pub fn new(meaning: M) -> Table<M> {
        Table {
            meaning,
            decoder: Decoder::new(),
            ended: false,
            over: false,
            state: State::Head(Vec::new()),
            header: None,
            resume: None,
            replay_until: None,
            skip: 0,
        }
    }

    pub fn meaning(&self) -> &M {
        &self.meaning
    }

    pub fn meaning_mut(&mut self) -> &mut M {
        &mut self.meaning
    }

    /// Goes on where another reader of this file was. To be called before the first piece, which is the file's first.
    pub fn resume(&mut self, mark: Mark) {
        self.resume = Some(mark);
    }

    /// Takes the next piece of the file, of any size.
    pub fn push(&mut self, bytes: &[u8]) {
        self.decoder.push(bytes);
    }

    /// The file has ended.
    pub fn end(&mut self) {
        self.ended = true;
        self.decoder.end();
    }

    /// Where in the file the next piece may start, if much of it is to be skipped: the caller may ask for less, or
    /// push the whole. After this call, the next piece has to start there.
    pub fn jump(&mut self) -> Option<u64> {
        let offset = self.resume?.place.offset;
        if self.skip == 0 || !self.decoder.is_plain() {
            return None;
        }
        self.skip = 0;
        self.decoder.jump(offset);
        Some(offset)
    }

    /// After an error, every further step is that error: nothing more may be read of such a file.
    pub fn step(&mut self, items: &mut Vec<M::Item>) -> Result<Step, FileError> {
        let step = self.step_or_replay(items);
        if let Err(error) = &step {
            self.state = State::Refused(error.clone());
        }
        step
    }

    /// Where it is: nothing before the header is known.
    pub fn mark(&mut self) -> Option<Mark> {
        let State::Rows(rows) = &mut self.state else {
            return None;
        };
        Some(match self.meaning.held_back() {
            None => rows.splitter.mark(),
            Some(place) => Mark {
                place,
                ..Mark::default()
            },
        })
    }

    /// What another reader handed out already is not handed out again.
    fn step_or_replay(&mut self, items: &mut Vec<M::Item>) -> Result<Step, FileError> {
        let Some(until) = self.replay_until else {
            return self.try_step(items);
        };
        if self.mark().is_some_and(|mark| mark.place.offset >= until) {
            self.replay_until = None;
            return self.try_step(items);
        }
        self.try_step(&mut Vec::new())
    }

    /// The header as it stands in the file and the line in which it begins, once it is known.
    pub fn header(&self) -> Option<(&[u8], u64)> {
        let (header, line) = self.header.as_ref()?;
        Some((header, *line))
    }

    /// Bytes of text so far.
    pub fn text_bytes(&self) -> u64 {
        self.decoder.written()
    }

    fn try_step(&mut self, items: &mut Vec<M::Item>) -> Result<Step, FileError> {
        loop {
            match &mut self.state {
                State::Refused(error) => return Err(error.clone()),
                State::Naming(hash) => {
                    let mut text = Vec::new();
                    let went_on = self.decoder.next(&mut text)?;
                    hash.update(&text);
                    if !went_on && self.ended {
                        let name = std::mem::take(hash).name();
                        return Ok(Step::Over(End::Content(name)));
                    } else if !went_on {
                        return Ok(Step::More);
                    }
                }
                State::Head(head) => {
                    let before = head.len();
                    let went_on = self.decoder.next(head)?;
                    let news = &head[before..];
                    let ended = self.ended && !went_on;
                    let enough = news.iter().any(|byte| matches!(byte, b'\n' | b'\r'));
                    if ended || enough || head.len() >= ROW_BYTES {
                        let head = std::mem::take(head);
                        self.open(head, ended)?;
                        if self.replay_until.is_some() {
                            return self.step_or_replay(items);
                        }
                    } else if !went_on {
                        return Ok(Step::More);
                    }
                }
                State::Rows(rows) => {
                    let Rows {
                        header,
                        layout,
                        splitter,
                    } = rows.as_mut();
                    if self.over {
                        return Ok(Step::Over(End::Rows));
                    }
                    if let Some(found) = splitter.next() {
                        self.meaning.read(header, layout, &found, items);
                        return Ok(Step::Row);
                    }
                    let room = splitter.room();
                    let before = room.len();
                    if self.decoder.next(room)? {
                        let skipped = self.skip.min((room.len() - before) as u64);
                        self.skip -= skipped;
                        // It fits: it is no longer than what is in memory.
                        room.drain(before..before + skipped as usize);
                    } else if !self.ended {
                        return Ok(Step::More);
                    } else if splitter.finish() {
                        // There may be a last record without a line end.
                    } else if splitter.records() <= 1 {
                        let message = "a header, and no row under it";
                        return Err(FileError::new(FileCode::NoRows, message));
                    } else {
                        self.meaning.end(header, items);
                        self.over = true;
                        return Ok(Step::Row);
                    }
                }
            }
        }
    }

    /// Reads the header, if it is there as a whole.
    fn open(&mut self, text: Vec<u8>, ended: bool) -> Result<(), FileError> {
        let Some(head) = head::read(&text, ended, self.meaning.columns())? else {
            // Only blank lines are no start of a header, however many there are.
            if text.len() >= ROW_BYTES {
                let message = format!("the first {ROW_BYTES} bytes are blank lines");
                return Err(FileError::new(FileCode::NotCsv, message));
            }
            self.state = State::Head(text);
            return Ok(());
        };
        let layout = self.meaning.lay_out(&head.header)?;
        self.header = Some((head.original, head.line));
        if self.meaning.needs_content(&layout) {
            let mut hash = ContentHash::default();
            hash.update(text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text));
            self.state = State::Naming(hash);
            return Ok(());
        }
        let parser = Parser::new(head.delimiter, self.meaning.rest(&head.header));
        let mark = self.resume.filter(|mark| {
            let looks_back = self.meaning.looks_back(&layout);
            self.replay_until = looks_back.then_some(mark.place.offset);
            !looks_back
        });
        let splitter = match mark {
            None => {
                let mut splitter = Splitter::new(parser);
                splitter.push(&text);
                // The header itself.
                splitter.next();
                splitter
            }
            Some(mark) => {
                let mut splitter = Splitter::resumed(parser, mark);
                let offset = usize::try_from(mark.place.offset).unwrap_or(usize::MAX);
                splitter.push(text.get(offset..).unwrap_or_default());
                self.skip = mark.place.offset.saturating_sub(text.len() as u64);
                splitter
            }
        };
        self.state = State::Rows(Box::new(Rows {
            header: head.header,
            layout,
            splitter,
        }));
        Ok(())
    }
}

/// The cells of a record, or why it has none that could be read.
pub(crate) fn cells<'a>(header: &'a Header, found: &Found<'a>) -> Result<Cells<'a>, Refusal> {
    match found {
        Found::Record(record) => Cells::new(header, record),
        Found::Broken { code, .. } => {
            let message = match code {
                Code::RecordTooLong => {
                    format!("the line is longer than {ROW_BYTES} bytes; here is its start")
                }
                _ => "a quote is never closed, or closes in the middle of a cell".to_owned(),
            };
            Err(Wrong::new(*code, message).at(""))
        }
    }
}

pub(crate) fn reject(place: Place, refusal: Refusal, original: &[u8]) -> Reject {
    Reject {
        line: place.line,
        row: place.row,
        code: refusal.code,
        column: refusal.column.chars().take(SHOWN).collect(),
        message: refusal.message.chars().take(SHOWN).collect(),
        original: original.to_vec(),
    }
}
