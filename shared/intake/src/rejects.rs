//! The rows that were refused, and the file in which people find them.

use std::borrow::Cow;
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

/// Appends rows. The original goes out byte for byte, so the file may be no more UTF-8 than the one it reports on. What
/// a spreadsheet would run is marked as text: see [`as_text`].
pub fn write(rejects: &[Reject], out: impl io::Write) -> io::Result<()> {
    let mut file = csv::Writer::from_writer(out);
    for reject in rejects {
        file.write_record([
            reject.line.to_string().as_bytes(),
            reject.row.to_string().as_bytes(),
            reject.code.as_str().as_bytes(),
            &as_text(reject.column.as_bytes()),
            &as_text(reject.message.as_bytes()),
            &as_text(&reject.original),
        ])?;
    }
    file.flush()
}

/// A row of such a file, with the marks taken off again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub line: u64,
    pub row: u64,
    pub code: String,
    pub column: String,
    pub message: String,
    pub original: Vec<u8>,
}

pub fn read(file: impl io::Read) -> impl Iterator<Item = io::Result<Listed>> {
    let records = csv::Reader::from_reader(file).into_byte_records();
    records.map(|record| Ok(Listed::of(&record?)))
}

/// The first rows of a piece of such a file, and how many bytes they are. A row that may go on behind the piece is none
/// of them.
pub fn page(piece: &[u8], has_header: bool, is_all: bool, limit: usize) -> (Vec<Listed>, usize) {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(has_header)
        .flexible(true)
        .from_reader(piece);
    let (mut rows, mut read) = (Vec::new(), 0);
    let mut record = csv::ByteRecord::new();
    while rows.len() < limit && reader.read_byte_record(&mut record).unwrap_or(false) {
        let end = usize::try_from(reader.position().byte()).unwrap_or(usize::MAX);
        if end >= piece.len() && !is_all {
            break;
        }
        rows.push(Listed::of(&record));
        read = end;
    }
    (rows, read)
}

impl Listed {
    fn of(record: &csv::ByteRecord) -> Listed {
        let cell = |index: usize| record.get(index).unwrap_or_default();
        let text = |index| String::from_utf8_lossy(unmarked(cell(index))).into_owned();
        Listed {
            line: text(0).parse().unwrap_or_default(),
            row: text(1).parse().unwrap_or_default(),
            code: text(2),
            column: text(3),
            message: text(4),
            original: unmarked(cell(5)).to_vec(),
        }
    }
}

/// A cell that begins like a formula gets an apostrophe in front, and so does one that begins with an apostrophe: what
/// was added can be told from what was there.
fn as_text(cell: &[u8]) -> Cow<'_, [u8]> {
    match cell.first() {
        Some(b'=' | b'+' | b'-' | b'@' | b'\t' | b'\r' | b'\'') => {
            Cow::Owned([&b"'"[..], cell].concat())
        }
        _ => Cow::Borrowed(cell),
    }
}

fn unmarked(cell: &[u8]) -> &[u8] {
    cell.strip_prefix(b"'").unwrap_or(cell)
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

            prop_assert!(file.starts_with(b"line,row,code,column,message,original\n"));
            let listed = read(file.as_slice()).collect::<Result<Vec<_>, _>>()?;
            prop_assert_eq!(listed.len(), rejects.len());
            for (listed, reject) in listed.iter().zip(&rejects) {
                prop_assert_eq!((listed.line, listed.row), (reject.line, reject.row));
                prop_assert_eq!(listed.code.as_str(), reject.code.as_str());
                prop_assert_eq!((&listed.column, &listed.message), (&reject.column, &reject.message));
                prop_assert_eq!(&listed.original, &reject.original);
            }
        }
    }

    #[test]
    fn no_cell_is_a_formula_where_people_open_it() {
        for (original, expected) in [
            ("=1+1,a", "\"'=1+1,a\""),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("'quoted'", "''quoted'"),
            ("O-1,=1", "\"O-1,=1\""),
        ] {
            let reject = Reject {
                line: 2,
                row: 1,
                code: Code::BadItems,
                column: "=cmd".to_owned(),
                message: "m".to_owned(),
                original: original.as_bytes().to_vec(),
            };
            let mut file = Vec::new();
            write(&[reject], &mut file).expect("memory");
            let file = String::from_utf8(file).expect("text");
            assert_eq!(file, format!("2,1,bad_items,'=cmd,m,{expected}\n"));
        }
    }
}
