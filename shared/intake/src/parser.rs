//! The cells of one record at a time. The only file that knows `csv-core`.
//!
//! That parser keeps its state between calls, so the bytes may come in pieces and each is looked at once.
//!
//! Some exports write JSON into the last column without quoting it, commas, quotes and all. Where the header allows for
//! such a column, a last cell that opens a list or an object is the rest of the line, as it stands.

use csv_core::ReadRecordResult;

/// The cells grow to those of the largest record and stay.
pub(crate) struct Parser {
    core: csv_core::Reader,
    delimiter: u8,
    cells: Vec<u8>,
    ends: Vec<usize>,
    cells_used: usize,
    ends_used: usize,
    /// The column that may be the rest of its line.
    rest: Option<usize>,
    /// That column was reached, and its first byte told whether it is.
    at_rest: bool,
    in_rest: bool,
}

impl Parser {
    pub fn new(delimiter: u8, rest: Option<usize>) -> Parser {
        let mut parser = Parser {
            core: csv_core::ReaderBuilder::new().delimiter(delimiter).build(),
            delimiter,
            cells: Vec::new(),
            ends: Vec::new(),
            cells_used: 0,
            ends_used: 0,
            rest,
            at_rest: false,
            in_rest: false,
        };
        parser.restart();
        parser
    }

    /// Forgets the record at hand, open quote and all.
    pub fn restart(&mut self) {
        self.restart_core();
        self.at_rest = false;
        self.in_rest = false;
        self.clear();
    }

    /// At the very start of its input `csv-core` drops a byte order mark. In the middle of a file that is data, and
    /// the splitter drops the mark of the file: an empty line takes the parser past its start.
    fn restart_core(&mut self) {
        self.core.reset();
        let _ = self.core.read_record(b"\n", &mut [0], &mut [0]);
    }

    /// Forgets the cells of a record that is whole.
    pub fn clear(&mut self) {
        self.cells_used = 0;
        self.ends_used = 0;
    }

    /// Parses up to the end of the record or of the input; says how much it took and whether the record is whole.
    pub fn parse(&mut self, input: &[u8]) -> (usize, bool) {
        let mut taken = 0;
        // To `csv-core` an empty input is the end of the file, so it never gets one.
        while taken < input.len() {
            if self.rest == Some(self.ends_used) && !self.at_rest {
                self.at_rest = true;
                self.in_rest = matches!(input[taken], b'[' | b'{');
            }
            if self.in_rest {
                return self.take_rest(input, taken);
            }
            // With room for these cells only, it stops in front of the one that may be the rest.
            let before_rest = self.rest.filter(|_| !self.at_rest).unwrap_or(usize::MAX);
            let ends_until = self.ends.len().min(before_rest);
            let (result, bytes_in, bytes_out, cells) = self.core.read_record(
                &input[taken..],
                &mut self.cells[self.cells_used..],
                &mut self.ends[self.ends_used..ends_until],
            );
            taken += bytes_in;
            self.cells_used += bytes_out;
            self.ends_used += cells;
            match result {
                ReadRecordResult::Record => {
                    self.at_rest = false;
                    return (taken, true);
                }
                ReadRecordResult::OutputFull => self.grow_cells(0),
                ReadRecordResult::OutputEndsFull if self.ends_used == self.ends.len() => {
                    self.grow_ends();
                }
                ReadRecordResult::OutputEndsFull
                | ReadRecordResult::InputEmpty
                | ReadRecordResult::End => {}
            }
        }
        (taken, false)
    }

    fn take_rest(&mut self, input: &[u8], from: usize) -> (usize, bool) {
        let rest = &input[from..];
        let end = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
        let rest = &rest[..end.unwrap_or(rest.len())];
        let used = self.cells_used + rest.len();
        if used > self.cells.len() {
            self.grow_cells(rest.len());
        }
        self.cells[self.cells_used..used].copy_from_slice(rest);
        self.cells_used = used;
        if end.is_none() {
            return (input.len(), false);
        }
        if self.ends_used == self.ends.len() {
            self.grow_ends();
        }
        self.ends[self.ends_used] = self.cells_used;
        self.ends_used += 1;
        self.at_rest = false;
        self.in_rest = false;
        // `csv-core` has not seen the end of this line.
        self.restart_core();
        (from + rest.len() + 1, true)
    }

    fn grow_cells(&mut self, by: usize) {
        self.cells.resize(self.cells.len() * 2 + 512 + by, 0);
    }

    fn grow_ends(&mut self) {
        self.ends.resize(self.ends.len() * 2 + 16, 0);
    }

    /// Whether every quote of this record, which is whole, opens a cell or closes one. `csv-core` takes what stands
    /// behind a closed quote for more of the cell; then a quote that somebody forgot to close ends at the next one,
    /// wherever that is, and swallows the lines between.
    pub fn is_sound(&self, record: &[u8]) -> bool {
        if !record.contains(&b'"') {
            return true;
        }
        let ends = |byte: u8| byte == self.delimiter || matches!(byte, b'\n' | b'\r');
        let mut rest = record;
        for column in 0.. {
            if self.rest == Some(column) && matches!(rest.first(), Some(b'[' | b'{')) {
                return true;
            }
            let end = if rest.first() == Some(&b'"') {
                match closed(rest) {
                    Some(end) if rest.get(end).is_none_or(|byte| ends(*byte)) => end,
                    _ => return false,
                }
            } else {
                rest.iter()
                    .position(|byte| ends(*byte))
                    .unwrap_or(rest.len())
            };
            match rest.get(end) {
                Some(byte) if *byte == self.delimiter => rest = &rest[end + 1..],
                _ => return true,
            }
        }
        true
    }

    /// All cells, unquoted, one behind the other.
    pub fn cells(&self) -> &[u8] {
        &self.cells[..self.cells_used]
    }

    /// Where each of them ends.
    pub fn ends(&self) -> &[usize] {
        &self.ends[..self.ends_used]
    }
}

/// Where a cell ends that begins with a quote: behind the next one that is not doubled.
fn closed(cell: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        at += cell[at..].iter().position(|byte| *byte == b'"')?;
        match cell.get(at + 1) {
            Some(b'"') => at += 2,
            _ => return Some(at + 1),
        }
    }
}
