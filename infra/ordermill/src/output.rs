//! How results look: tables for people, one document for programs.

use std::io::IsTerminal;

use anyhow::Result;
use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};
use domain::Currency;
use domain::money::whole;
use rust_decimal::Decimal;
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

/// The same table with less room between its columns, for one that has many.
pub fn narrow(mut table: Table) -> Table {
    for column in table.column_iter_mut() {
        column.set_padding((1, 0));
    }
    table
}

/// An amount with the decimals of its currency.
pub fn amount(amount: Decimal, currency: Currency) -> String {
    whole(amount, currency).to_string()
}

/// Columns of the terminal, where there is one.
pub fn width() -> Option<usize> {
    Table::new().width().map(usize::from)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_the_decimals_of_their_currency() {
        let check = |text: &str, currency: &str, shown: &str| {
            let of: Decimal = text.parse().expect("a decimal");
            assert_eq!(
                amount(of, currency.parse().expect("a currency")),
                shown,
                "{text}"
            );
        };
        check("12.3", "USD", "12.30");
        check("12.3000", "USD", "12.30");
        check("-0", "USD", "0.00");
        check("-7", "KWD", "-7.000");
        check("1200", "JPY", "1200");
        check("0.125", "USD", "0.125");
    }
}
