//! The rows that were refused, and the file in which people find them.

use std::io;

use crate::code::Code;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// The line of the file in which the row starts; the header is usually line 1.
    pub line: u64,
    /// Counts the rows under the header, from 1.
    pub row: u64,
    pub code: Code,
    /// As the header of the file calls it. Empty when it is the row as a whole.
    pub column: String,
    pub message: String,
    /// The bytes of the row, exactly as they stand in the file.
    pub original: Vec<u8>,
}

pub fn write_header(out: impl io::Write) -> io::Result<()> {
    let mut file = csv::Writer::from_writer(out);
    file.write_record(["line", "row", "code", "column", "message", "original"])?;
    file.flush()
}

/// Appends rows. The original goes out byte for byte, so the file may be no more UTF-8 than the one it reports on.
pub fn write(rejects: &[Reject], out: impl io::Write) -> io::Result<()> {
    let mut file = csv::Writer::from_writer(out);
    for reject in rejects {
        file.write_record([
            reject.line.to_string().as_bytes(),
            reject.row.to_string().as_bytes(),
            reject.code.as_str().as_bytes(),
            reject.column.as_bytes(),
            reject.message.as_bytes(),
            &reject.original,
        ])?;
    }
    file.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn originals_come_back_byte_for_byte(originals in prop::collection::vec(any::<Vec<u8>>(), 0..8)) {
            let rejects: Vec<Reject> = originals
                .into_iter()
                .zip(1..)
                .map(|(original, row)| Reject {
                    line: row + 1,
                    row,
                    code: Code::NotUtf8,
                    column: "a \"column\", with\nall".to_owned(),
                    message: String::new(),
                    original,
                })
                .collect();
            let mut file = Vec::new();
            write_header(&mut file)?;
            let (one, other) = rejects.split_at(rejects.len() / 2);
            write(one, &mut file)?;
            write(other, &mut file)?;

            let mut reader = csv::Reader::from_reader(file.as_slice());
            prop_assert_eq!(reader.byte_headers()?, &vec!["line", "row", "code", "column", "message", "original"]);
            let records = reader.byte_records().collect::<Result<Vec<_>, _>>()?;
            prop_assert_eq!(records.len(), rejects.len());
            for (record, reject) in records.iter().zip(&rejects) {
                let line = reject.line.to_string();
                prop_assert_eq!(&record[0], line.as_bytes());
                prop_assert_eq!(&record[2], &b"not_utf8"[..]);
                prop_assert_eq!(&record[3], reject.column.as_bytes());
                prop_assert_eq!(&record[5], &reject.original[..]);
            }
        }
    }
}
