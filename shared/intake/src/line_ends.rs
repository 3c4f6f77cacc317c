//! How lines of a file end: a record is kept without its line end, and people want it back byte for byte.

use std::collections::{BTreeMap, BTreeSet};

use crate::decoder::Decoder;
use crate::file_error::FileError;

/// Reads a file, in pieces of any size, up to the last of the wanted lines.
pub struct LineEnds {
    decoder: Decoder,
    wanted: BTreeSet<u64>,
    ends: BTreeMap<u64, &'static str>,
    line: u64,
    /// The last byte was a carriage return: its line ends with it, unless a line feed follows.
    after_return: bool,
}

impl LineEnds {
    /// Lines are counted from 1; CR, LF and CRLF each end one.
    pub fn of(lines: impl IntoIterator<Item = u64>) -> LineEnds {
        LineEnds {
            decoder: Decoder::new(),
            wanted: lines.into_iter().collect(),
            ends: BTreeMap::new(),
            line: 1,
            after_return: false,
        }
    }

    /// Takes the next piece, and says whether more is needed.
    pub fn push(&mut self, bytes: &[u8]) -> Result<bool, FileError> {
        self.decoder.push(bytes);
        self.read()
    }

    /// The file has ended.
    pub fn end(&mut self) -> Result<(), FileError> {
        self.decoder.end();
        self.read()?;
        if self.after_return {
            self.close("\r");
        }
        Ok(())
    }

    /// How a line ends. Nothing for the last one of a file, and for one that was not asked for.
    pub fn get(&self, line: u64) -> Option<&'static str> {
        self.ends.get(&line).copied()
    }

    fn read(&mut self) -> Result<bool, FileError> {
        let mut text = Vec::new();
        while self.decoder.next(&mut text)? {
            for byte in text.drain(..) {
                self.take(byte);
            }
        }
        Ok(self.wanted.last().is_some_and(|last| self.line <= *last))
    }

    fn take(&mut self, byte: u8) {
        match (byte, std::mem::take(&mut self.after_return)) {
            (b'\n', true) => return self.close("\r\n"),
            (_, true) => self.close("\r"),
            (_, false) => {}
        }
        match byte {
            b'\n' => self.close("\n"),
            b'\r' => self.after_return = true,
            _ => {}
        }
    }

    fn close(&mut self, end: &'static str) {
        self.after_return = false;
        if self.wanted.contains(&self.line) {
            self.ends.insert(self.line, end);
        }
        self.line += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_has_its_own_end_however_the_file_is_cut() {
        let file = b"a\r\nb\nc\rd\r\r\n\ne\r\nf";
        for size in 1..=file.len() {
            let mut ends = LineEnds::of(1..=9);
            for piece in file.chunks(size) {
                assert_eq!(ends.push(piece), Ok(true));
            }
            assert_eq!(ends.end(), Ok(()));
            let found: Vec<_> = (1..=9).map(|line| ends.get(line)).collect();
            let [crlf, lf, cr] = [Some("\r\n"), Some("\n"), Some("\r")];
            let expected = [crlf, lf, cr, cr, crlf, lf, crlf, None, None];
            assert_eq!(found, expected, "pieces of {size} bytes");
        }
    }

    #[test]
    fn nothing_is_read_behind_the_last_wanted_line() {
        let mut ends = LineEnds::of([2]);
        assert_eq!(ends.push(b"one\ntwo\r"), Ok(true));
        assert_eq!(ends.push(b"\nthree"), Ok(false));
        assert_eq!((ends.get(1), ends.get(2)), (None, Some("\r\n")));
    }
}
