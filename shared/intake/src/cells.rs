//! The cells of one row, by column. Knows how to look a cell up, not what it should say.

use crate::code::{Code, Refusal, Wrong};
use crate::columns::{Column, Header};
use crate::record::Record;

pub(crate) struct Cells<'a> {
    header: &'a Header,
    text: &'a str,
    ends: &'a [usize],
}

impl<'a> Cells<'a> {
    pub fn new(header: &'a Header, record: &Record<'a>) -> Result<Cells<'a>, Refusal> {
        header.check_count(record.ends.len())?;
        let text = std::str::from_utf8(record.cells).map_err(|error| {
            let index = record
                .ends
                .partition_point(|end| *end <= error.valid_up_to());
            not_utf8(header.name_at(index))
        })?;
        // Two broken cells can make a good text together.
        match record
            .ends
            .iter()
            .position(|end| !text.is_char_boundary(*end))
        {
            Some(index) => Err(not_utf8(header.name_at(index))),
            None => Ok(Cells {
                header,
                text,
                ends: record.ends,
            }),
        }
    }

    /// The text of a cell without surrounding blanks; nothing if the file has no such column.
    pub fn text(&self, column: Column) -> &'a str {
        let text = self.header.index(column).and_then(|index| {
            let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
            self.text.get(start..*self.ends.get(index)?)
        });
        trimmed(text.unwrap_or_default())
    }

    pub fn optional(&self, column: Column) -> Option<String> {
        Some(self.text(column))
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    }

    pub fn required<T>(
        &self,
        column: Column,
        read: impl FnOnce(&'a str) -> Result<T, Wrong>,
    ) -> Result<T, Refusal> {
        self.read(column, read)?.ok_or_else(|| {
            let name = self.header.name(column);
            Wrong::new(Code::MissingValue, format!("{name} is empty")).at(name)
        })
    }

    pub fn read<T>(
        &self,
        column: Column,
        read: impl FnOnce(&'a str) -> Result<T, Wrong>,
    ) -> Result<Option<T>, Refusal> {
        let text = self.text(column);
        if text.is_empty() {
            return Ok(None);
        }
        let value = read(text).map_err(|wrong| {
            let name = self.header.name(column);
            wrong.of(name).at(name)
        })?;
        Ok(Some(value))
    }
}

/// Most cells have no blanks around them, and their first and last bytes show it.
fn trimmed(text: &str) -> &str {
    match (text.bytes().next(), text.bytes().next_back()) {
        (Some(first), Some(last)) if first.is_ascii_graphic() && last.is_ascii_graphic() => text,
        _ => text.trim(),
    }
}

fn not_utf8(name: &str) -> Refusal {
    Wrong::new(Code::NotUtf8, format!("{name} is not UTF-8 text")).at(name)
}
