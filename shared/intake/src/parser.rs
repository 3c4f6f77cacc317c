//! The cells of one record at a time. The only file that knows `csv-core`.
//!
//! That parser keeps its state between calls, so the bytes may come in pieces and each is looked at once.

use csv_core::ReadRecordResult;

/// The cells grow to those of the largest record and stay.
pub(crate) struct Parser {
    core: csv_core::Reader,
    cells: Vec<u8>,
    ends: Vec<usize>,
    cells_used: usize,
    ends_used: usize,
}

impl Parser {
    pub fn new() -> Parser {
        let mut parser = Parser {
            core: csv_core::Reader::new(),
            cells: Vec::new(),
            ends: Vec::new(),
            cells_used: 0,
            ends_used: 0,
        };
        parser.restart();
        parser
    }

    /// Forgets the record at hand, open quote and all.
    ///
    /// At the very start of its input `csv-core` drops a byte order mark. In the middle of a file that is data, and
    /// the splitter drops the mark of the file: an empty line takes the parser past its start.
    pub fn restart(&mut self) {
        self.core.reset();
        let _ = self.core.read_record(b"\n", &mut [0], &mut [0]);
        self.clear();
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
            let (result, bytes_in, bytes_out, cells) = self.core.read_record(
                &input[taken..],
                &mut self.cells[self.cells_used..],
                &mut self.ends[self.ends_used..],
            );
            taken += bytes_in;
            self.cells_used += bytes_out;
            self.ends_used += cells;
            match result {
                ReadRecordResult::Record => return (taken, true),
                ReadRecordResult::OutputFull => self.cells.resize(self.cells.len() * 2 + 512, 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2 + 16, 0),
                ReadRecordResult::InputEmpty | ReadRecordResult::End => {}
            }
        }
        (taken, false)
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
