//! Finds the records of a file that arrives in pieces, and knows where each of them stands.
//!
//! What a quote means is decided in one place, by the parser. Around it, this file keeps the bytes of the record at
//! hand (a reject gives them back), counts, and sees to it that a quote that is never closed does not swallow the
//! file. It refuses to know what a cell means.

use crate::code::Code;
use crate::parser::Parser;
use crate::record::{Found, Place, Record};

/// Bytes of one record. A queue message carries 256 KB, so no longer order could travel on: what is longer is
/// nearly always a quote that was never closed.
pub const MAX_RECORD_BYTES: usize = 256 * 1024;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

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
    /// Up to this offset a line end ends the record, quote or no quote: see [`Splitter::give_up`].
    by_line_until: u64,
    in_long_line: bool,
    opened: bool,
    ended: bool,
}

enum Scan {
    Record,
    NeverClosed,
}

impl Splitter {
    pub fn new() -> Splitter {
        Splitter::with_limit(MAX_RECORD_BYTES)
    }

    fn with_limit(limit: usize) -> Splitter {
        Splitter {
            parser: Parser::new(),
            limit,
            pending: Vec::new(),
            start: 0,
            seen: 0,
            done: 0,
            place: Place {
                offset: 0,
                line: 1,
                row: 0,
            },
            before: 0,
            by_line_until: 0,
            in_long_line: false,
            opened: false,
            ended: false,
        }
    }

    /// Takes the next piece of the file. Call [`Splitter::next`] until there is nothing left before the next one.
    pub fn push(&mut self, piece: &[u8]) {
        self.release();
        self.pending.drain(..self.start);
        self.seen -= self.start;
        self.start = 0;
        self.done = 0;
        self.pending.extend_from_slice(piece);
    }

    /// The file has ended. What is pending may be a last record without a line end.
    pub fn finish(&mut self) {
        self.ended = true;
    }

    pub fn next(&mut self) -> Option<Found<'_>> {
        self.release();
        loop {
            if !self.reach_record() {
                return None;
            }
            match self.scan()? {
                Scan::NeverClosed => return Some(self.give_up()),
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
        let line_end = if self.place.offset < self.by_line_until {
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
    fn give_up(&mut self) -> Found<'_> {
        let visible_end = self.visible_end();
        if self.place.offset >= self.by_line_until {
            self.by_line_until = self.place.offset + (visible_end - self.start) as u64;
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
    let ends = bytes.iter().filter(|byte| is_line_end(byte)).count();
    let inner = bytes.windows(2).filter(|pair| pair == b"\r\n").count();
    let across = usize::from(before == b'\r' && bytes.first() == Some(&b'\n'));
    (ends - inner - across) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A record or a broken line: its place, its cells or what is wrong, its original bytes.
    type Seen = (Place, Result<Vec<Vec<u8>>, Code>, Vec<u8>);

    fn split<'a>(limit: usize, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Seen> {
        let mut splitter = Splitter::with_limit(limit);
        let mut seen = Vec::new();
        let mut drain = |splitter: &mut Splitter| {
            while let Some(found) = splitter.next() {
                seen.push(match found {
                    Found::Record(record) => {
                        let starts = [0].into_iter().chain(record.ends.iter().copied());
                        let cells = starts.zip(record.ends);
                        let cells = cells.map(|(start, &end)| record.cells[start..end].to_vec());
                        (record.place, Ok(cells.collect()), record.original.to_vec())
                    }
                    Found::Broken {
                        place,
                        code,
                        original,
                    } => (place, Err(code), original.to_vec()),
                });
            }
        };
        for piece in pieces {
            splitter.push(piece);
            drain(&mut splitter);
        }
        splitter.finish();
        drain(&mut splitter);
        seen
    }

    /// Each record as `line:cell|cell`, each broken line as `line!code`.
    fn check(limit: usize, file: &str, expected: &[&str]) {
        let shown: Vec<String> = split(limit, [file.as_bytes()])
            .into_iter()
            .map(|(Place { line, .. }, cells, _)| match cells {
                Ok(cells) => {
                    let cells: Vec<_> = cells
                        .iter()
                        .map(|cell| String::from_utf8_lossy(cell))
                        .collect();
                    format!("{line}:{}", cells.join("|"))
                }
                Err(code) => format!("{line}!{}", code.as_str()),
            })
            .collect();
        assert_eq!(shown, expected, "{file:?}");
    }

    #[test]
    fn records_are_found_where_they_are() {
        for (file, expected) in [
            ("", &[][..]),
            ("\n\r\n  \n\t\n", &[]),
            ("a,b\nc,d\n", &["1:a|b", "2:c|d"]),
            ("a,b\nc,d", &["1:a|b", "2:c|d"]),
            ("a,b\r\nc,d\r\n", &["1:a|b", "2:c|d"]),
            ("a,b\rc,d\r", &["1:a|b", "2:c|d"]),
            ("\n\na\n\n  \n\r\nb\n\n", &["3:a", "7:b"]),
            ("a,\n,\n", &["1:a|", "2:|"]),
            ("\"\"\n\" \"\n", &["1:", "2: "]),
            ("\"a\nb\",c\nd\n", &["1:a\nb|c", "3:d"]),
            ("\"a\r\nb\"\r\nd\n", &["1:a\r\nb", "3:d"]),
            ("\"a \"\"b\"\"\",c\n", &["1:a \"b\"|c"]),
            ("a \"b\",c\"\nd\n", &["1:a \"b\"|c\"", "2:d"]),
            ("\"a\"b\",c\nd\n", &["1:ab\"|c", "2:d"]),
            ("\u{feff}a,b\nc\n", &["1:a|b", "2:c"]),
            ("\u{feff}\"a\",b\n", &["1:a|b"]),
            ("a\n\u{feff}b\n", &["1:a", "2:\u{feff}b"]),
            ("\u{feff}\u{feff}a\n", &["1:\u{feff}a"]),
        ] {
            check(MAX_RECORD_BYTES, file, expected);
        }
    }

    #[test]
    fn an_open_quote_costs_one_line() {
        let open = "!unclosed_quote";
        let long = "!record_too_long";
        for (file, expected) in [
            // At the end of the file.
            (
                "a\n\"b\nc\nd",
                vec![
                    "1:a".to_owned(),
                    format!("2{open}"),
                    "3:c".into(),
                    "4:d".into(),
                ],
            ),
            ("a\n\"b", vec!["1:a".into(), format!("2{open}")]),
            ("a\n\"b\n", vec!["1:a".into(), format!("2{open}")]),
            ("\"a\n\"b\r\n\"c\"\n", vec!["1:a\nb".into(), "3:c".into()]),
            // Beyond the limit of 16 bytes; then quotes hold again.
            (
                "\"b\ncccccc\ndddddd\n\"x\ny\"\nz\n",
                vec![
                    format!("1{open}"),
                    "2:cccccc".into(),
                    "3:dddddd".into(),
                    "4:x\ny".into(),
                    "6:z".into(),
                ],
            ),
            // A line that never ends.
            (
                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\nb\n",
                vec![format!("1{long}"), "2:b".into()],
            ),
            (
                "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"\nb\n",
                vec![format!("1{long}"), "2:b".into()],
            ),
            ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", vec![format!("1{long}")]),
        ] {
            let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
            check(16, file, &expected);
        }
    }

    #[test]
    fn a_file_of_open_quotes_is_read_in_one_go() {
        // From each of these lines a quote stays open to the end of the file.
        let file = "x\",\"y\n".repeat(100_000);
        let found = split(MAX_RECORD_BYTES, file.as_bytes().chunks(60_000));
        assert_eq!(found.len(), 100_000);
        assert!(
            found
                .iter()
                .all(|(_, cells, _)| *cells == Err(Code::UnclosedQuote))
        );
    }

    fn text() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop::sample::select(b"\"\",,\n\n\r ab\xEF\xBB\xBF\0".to_vec());
        prop::collection::vec(byte, 0..80)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn the_pieces_make_no_difference(file in text(), limit in 4usize..40, size in 1usize..20) {
            let whole = split(limit, [&file[..]]);
            prop_assert_eq!(&whole, &split(limit, file.chunks(size)));
            prop_assert_eq!(&whole, &split(limit, file.chunks(1)));
        }

        #[test]
        fn every_record_stands_where_its_place_says(file in text(), limit in 4usize..40) {
            let mut end = 0;
            for ((place, _, original), row) in split(limit, [&file[..]]).into_iter().zip(0..) {
                let offset = usize::try_from(place.offset)?;
                prop_assert!(end <= offset && !original.is_empty());
                prop_assert!(file[offset..].starts_with(&original));
                prop_assert_eq!(place.line, 1 + line_ends(0, &file[..offset]));
                prop_assert_eq!(place.row, row);
                end = offset + original.len();
            }
        }

        #[test]
        fn the_csv_crate_finds_the_same(file in text()) {
            let found = split(MAX_RECORD_BYTES, [&file[..]]);
            if found.iter().any(|(_, cells, _)| cells.is_err()) {
                return Ok(()); // An open quote: here the two differ, and should.
            }
            let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(&file[..]);
            let expected: Vec<Vec<Vec<u8>>> = reader
                .byte_records()
                .map(|record| record.map(|record| record.iter().map(<[u8]>::to_vec).collect()))
                .collect::<Result<_, _>>()?;
            let blank = |cells: &Vec<Vec<u8>>| cells.len() == 1 && cells[0].iter().all(u8::is_ascii_whitespace);
            let expected: Vec<_> = expected.into_iter().filter(|cells| !blank(cells)).collect();
            let found: Vec<_> = found.into_iter().filter_map(|(_, cells, _)| cells.ok()).filter(|cells| !blank(cells)).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
