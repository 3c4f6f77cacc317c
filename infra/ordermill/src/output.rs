//! Everything that this command prints, and how results look: tables for people, one document for programs.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;

use anyhow::Result;
use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};
use domain::Currency;
use domain::money::whole;
use rust_decimal::Decimal;
use serde::Serialize;

use crate::exit::Exit;

/// Prints a line to stdout: results.
macro_rules! outln {
    () => { $crate::output::print(format_args!("\n")) };
    ($($text:tt)*) => { $crate::output::print(format_args!("{}\n", format_args!($($text)*))) };
}

/// Prints a line to stderr: progress, notes and errors.
macro_rules! errln {
    ($($text:tt)*) => { $crate::output::note(format_args!("{}\n", format_args!($($text)*))) };
}

/// The first write to stdout that failed. Nothing more is written after it, and the command goes on.
static FAILURE: OnceLock<io::Error> = OnceLock::new();

pub fn print(text: fmt::Arguments<'_>) {
    bytes(text.to_string().as_bytes());
}

pub fn bytes(bytes: &[u8]) {
    if FAILURE.get().is_none() {
        let mut stdout = io::stdout().lock();
        let written = stdout.write_all(bytes).and_then(|()| stdout.flush());
        failed(written);
    }
}

/// Nobody can be told that a note could not be written, so it is dropped.
pub fn note(text: fmt::Arguments<'_>) {
    let _dropped = io::stderr().lock().write_all(text.to_string().as_bytes());
}

/// Prints what clap has to say: help, the version, or what is wrong with the arguments.
pub fn usage(error: &clap::Error) {
    let printed = error.print();
    if !error.use_stderr() {
        failed(printed.and_then(|()| io::stdout().flush()));
    }
}

fn failed(written: io::Result<()>) {
    if let Err(error) = written {
        FAILURE.get_or_init(|| error);
    }
}

/// The exit code of a command that ended with `code`, if stdout had no fault. A reader that went away (`| head`) is the
/// 141 of a shell for SIGPIPE, and needs no words.
pub fn exit_code(code: u8) -> u8 {
    let Some(error) = FAILURE.get() else {
        return code;
    };
    let fault = match error.kind() {
        io::ErrorKind::BrokenPipe => 141,
        _ => {
            errln!(
                "ordermill: the output could not be written to stdout: {}",
                reason(error)
            );
            1
        }
    };
    if code == 0 { fault } else { code }
}

/// What the system says, without the number that Rust adds.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_owned(),
        None => text,
    }
}

/// Asks on the terminal, and goes on only after a yes. `otherwise` says how to allow it where nobody can be asked.
pub fn ask(question: &str, otherwise: &str) -> Result<()> {
    if !io::stdin().is_terminal() {
        let why = format!("{question} Nobody can be asked here: {otherwise}");
        return Err(Exit::new(Exit::USAGE, why).into());
    }
    note(format_args!("{question} [y/N] "));
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Exit::new(Exit::FAILURE, "nothing was changed").into()),
    }
}

pub fn json(value: &impl Serialize) -> Result<()> {
    outln!("{}", serde_json::to_string(value)?);
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
