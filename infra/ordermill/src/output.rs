//! How results look: tables for people, one document for programs.

use std::io::IsTerminal;

use anyhow::Result;
use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};
use serde::Serialize;

pub fn json(value: &impl Serialize) -> Result<()> {
    println!("{}", serde_json::to_string(value)?);
    Ok(())
}

/// A line under the header, and nothing else that would keep anyone from copying a row.
const STYLE: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('\u{2500}').junction('\u{2500}'));

/// A table whose columns named in `right` hold numbers.
pub fn table<R: IntoIterator<Item = String>>(
    header: &[&str],
    right: &[usize],
    rows: impl IntoIterator<Item = R>,
) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE).set_header(header.iter().copied());
    for row in rows {
        table.add_row(row);
    }
    for column in right {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// Whether somebody watches: progress goes to stderr, and only then.
pub fn watched() -> bool {
    std::io::stderr().is_terminal()
}

/// What a terminal would take as a command is shown as a mark: texts of files are not ours.
pub fn plain(text: &str) -> String {
    text.chars()
        .map(|character| {
            if character.is_control() {
                '\u{b7}'
            } else {
                character
            }
        })
        .collect()
}
