//! Finds the records of a file that arrives in pieces, and knows where each of them stands.
//!
//! What a quote means is decided in one place, by the parser. Around it, this file keeps the bytes of the record at
//! hand (a reject gives them back), counts, and sees to it that a quote that is never closed does not swallow the
//! file. It refuses to know what a cell means.

use domain::limits::ROW_BYTES;

use crate::code::Code;
use crate::parser::Parser;
use crate::record::{Found, Mark, Place, Record};

pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

pub(crate) struct Splitter {
    parser: Parser,
    limit: usize,
    /// What was pushed and is not done with: the record at hand starts at `start`, the parser is at `seen`.
    pending: Vec<u8>,
    start: usize,
    seen: usize,
    /// End of the record that the last call handed out.
    done: usize,
    place: Place,
    /// The byte in front of `start`: a CRLF is one line end, even if two pieces share it.
    before: u8,
    in_long_line: bool,
    opened: bool,
    ended: bool,
}

enum Scan {
    Record,
    NeverClosed,
}

impl Splitter {
    pub fn new(parser: Parser) -> Splitter {
        Splitter {
            parser,
            limit: ROW_BYTES,
            pending: Vec::new(),
            start: 0,
            seen: 0,
            done: 0,
            place: Place {
                line: 1,
                ..Place::default()
            },
            before: 0,
            in_long_line: false,
            opened: false,
            ended: false,
        }
    }

    /// Goes on where another one was. The next piece is the one at the mark's offset.
    pub fn resumed(parser: Parser, mark: Mark) -> Splitter {
        Splitter {
            place: mark.place,
            before: if mark.after_return { b'\r' } else { 0 },
            in_long_line: mark.in_long_line,
            opened: mark.place.offset > 0,
            ..Splitter::new(parser)
        }
    }

    /// Where it is: behind what was handed out last.
    pub fn mark(&mut self) -> Mark {
        self.release();
        Mark {
            place: self.place,
            after_return: self.before == b'\r',
            in_long_line: self.in_long_line,
        }
    }

    /// Takes the next piece of the file. Call [`Splitter::next`] until there is nothing left before the next one.
    pub fn push(&mut self, piece: &[u8]) {
        self.room().extend_from_slice(piece);
    }

    /// Where to append the next piece.
    pub fn room(&mut self) -> &mut Vec<u8> {
        self.release();
        self.pending.drain(..self.start);
        self.seen -= self.start;
        self.start = 0;
        self.done = 0;
        &mut self.pending
    }

    /// The file has ended. What is pending may be a last record without a line end. False where that was known.
    pub fn finish(&mut self) -> bool {
        !std::mem::replace(&mut self.ended, true)
    }

    pub fn next(&mut self) -> Option<Found<'_>> {
        self.release();
        loop {
            if !self.reach_record() {
                return None;
            }
            match self.scan()? {
                Scan::NeverClosed => {
                    let until = self.visible_end();
                    return Some(self.give_up(until));
                }
                // The quote that closed may be the one that was to open another cell, lines further down.
                Scan::Record if !self.parser.is_sound(&self.pending[self.start..self.seen]) => {
                    return Some(self.give_up(self.seen));
                }
                Scan::Record if self.is_blank() => {
                    self.parser.clear();
                    self.advance(self.seen);
                }
                Scan::Record => return Some(self.hand_out()),
            }
        }
    }

    /// How many records were handed out, the header and broken lines among them.
    pub fn records(&self) -> u64 {
        self.place.row + u64::from(self.done > self.start)
    }

    /// Skips what belongs to no record: the byte order mark, the rest of a line that was given up, line ends.
    fn reach_record(&mut self) -> bool {
        if !self.opened {
            if !self.ended && self.pending.len() < 3 && BYTE_ORDER_MARK.starts_with(&self.pending) {
                return false;
            }
            self.opened = true;
            if self.pending.starts_with(BYTE_ORDER_MARK) {
                self.advance(BYTE_ORDER_MARK.len());
            }
        }
        if self.in_long_line {
            let rest = &self.pending[self.start..];
            let end = rest.iter().position(is_line_end);
            self.in_long_line = end.is_none();
            self.advance(self.start + end.unwrap_or(rest.len()));
        }
        if self.seen == self.start {
            let rest = &self.pending[self.start..];
            let blank = rest.iter().take_while(|byte| is_line_end(byte)).count();
            self.advance(self.start + blank);
        }
        self.start < self.pending.len()
    }

    /// Lets the parser see more of the record at hand, but never more than the limit. How the file was cut into
    /// pieces makes no difference to what it sees.
    fn scan(&mut self) -> Option<Scan> {
        let visible_end = self.visible_end();
        let line_end = if self.place.offset < self.place.by_line_until {
            self.line_end(self.seen, visible_end)
        } else {
            None
        };
        let input = &self.pending[self.seen..line_end.map_or(visible_end, |end| end + 1)];
        let (taken, complete) = self.parser.parse(input);
        self.seen += taken;
        if complete {
            return Some(Scan::Record);
        }
        if line_end.is_some() || visible_end - self.start == self.limit {
            return Some(Scan::NeverClosed);
        }
        if !self.ended {
            return None;
        }
        // A line end more closes the last record, unless it is inside a quote.
        let (_, complete) = self.parser.parse(b"\n");
        Some(if complete {
            Scan::Record
        } else {
            Scan::NeverClosed
        })
    }

    /// Gives up the first line of what should have been a record.
    ///
    /// The lines behind it were searched for the end of a quote already. They are now read line by line, so that
    /// a file full of open quotes is still read in one go, and not searched to the limit from each line anew.
    fn give_up(&mut self, searched: usize) -> Found<'_> {
        let visible_end = self.visible_end();
        if self.place.offset >= self.place.by_line_until {
            self.place.by_line_until = self.place.offset + (searched - self.start) as u64;
        }
        self.parser.restart();
        let end = self.line_end(self.start, visible_end);
        self.in_long_line = end.is_none() && visible_end - self.start == self.limit;
        self.done = end.unwrap_or(visible_end);
        Found::Broken {
            place: self.place,
            code: if self.in_long_line {
                Code::RecordTooLong
            } else {
                Code::UnclosedQuote
            },
            original: &self.pending[self.start..self.done],
        }
    }

    fn hand_out(&mut self) -> Found<'_> {
        self.done = self.seen;
        let original = &self.pending[self.start..self.done];
        let original = match original.split_last() {
            Some((last, rest)) if is_line_end(last) => rest,
            _ => original,
        };
        Found::Record(Record {
            place: self.place,
            original,
            cells: self.parser.cells(),
            ends: self.parser.ends(),
        })
    }

    fn is_blank(&self) -> bool {
        self.parser.ends().len() <= 1
            && self.pending[self.start..self.seen]
                .iter()
                .all(u8::is_ascii_whitespace)
    }

    /// Lets go of what was handed out.
    fn release(&mut self) {
        if self.done > self.start {
            self.parser.clear();
            self.advance(self.done);
            self.place.row += 1;
        }
    }

    fn advance(&mut self, to: usize) {
        let passed = &self.pending[self.start..to];
        self.place.line += line_ends(self.before, passed);
        self.place.offset += passed.len() as u64;
        self.before = passed.last().copied().unwrap_or(self.before);
        self.start = to;
        self.seen = to;
    }

    fn visible_end(&self) -> usize {
        self.pending.len().min(self.start + self.limit)
    }

    fn line_end(&self, from: usize, to: usize) -> Option<usize> {
        let end = self.pending[from..to].iter().position(is_line_end)?;
        Some(from + end)
    }
}

fn is_line_end(byte: &u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

/// CR, LF and CRLF each end a line once.
fn line_ends(before: u8, bytes: &[u8]) -> u64 {
    let is = |end: u8| move |byte: &u8| *byte == end;
    let (feeds, returns) = (count(bytes, is(b'\n')), count(bytes, is(b'\r')));
    // Many files have no CR at all.
    let inner = if returns == 0 {
        0
    } else {
        bytes.windows(2).filter(|pair| pair == b"\r\n").count()
    };
    let across = usize::from(before == b'\r' && bytes.first() == Some(&b'\n'));
    (feeds + returns - inner - across) as u64
}

/// How many bytes are such bytes. Every byte of a file is counted, and sums that fit into a byte are the fastest: so
/// many at once that none of them overflows.
fn count(bytes: &[u8], is: impl Fn(&u8) -> bool) -> usize {
    let parts = bytes.chunks(255);
    let sums = parts.map(|part| part.iter().map(|byte| u8::from(is(byte))).sum::<u8>());
    sums.map(usize::from).sum()
}

#[cfg(test)]
mod tests;
