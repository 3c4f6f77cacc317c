//! `import --dry-run`: what would come of a file, found out by the code that would read it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::Result;
use domain::Currency;
use domain::order::TotalPolicy;
use intake::{End, FileError, Reader, Reject, Row, Settings, Step};
use rust_decimal::Decimal;
use serde::Serialize;

use super::repeats::{OrdersSoFar, RowOutcome};
use super::{rejects, source};
use crate::cli::{self, Global};
use crate::output;

/// Rejected rows that are shown to people.
const SHOWN: usize = 20;

const PIECE_BYTES: usize = 256 * 1024;

#[derive(Default, Serialize)]
struct Summary {
    /// What is wrong with the file as a whole. Nothing after that was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    rows: u64,
    orders: u64,
    lines: u64,
    /// Rows that continue the order of the row above them.
    continued: u64,
    /// Rows that state an order of the file again.
    duplicates: u64,
    /// Rows that state other content under the id of an order of the file.
    conflicts: u64,
    rejected: u64,
    rejects: BTreeMap<&'static str, u64>,
    /// Sums of the orders' totals.
    totals: BTreeMap<&'static str, Decimal>,
    /// Orders whose declared total is not the sum of their lines.
    adjusted: u64,
    /// Orders without prices: the catalog's will hold.
    priced_by_catalog: u64,
    #[serde(skip)]
    orders_so_far: OrdersSoFar,
    #[serde(skip)]
    first_rejects: Vec<Reject>,
}

pub fn run(global: &Global, options: &cli::Import) -> Result<bool> {
    let settings = Settings {
        default_currency: options.currency,
        total_policy: match options.strict {
            true => TotalPolicy::Strict,
            false => TotalPolicy::Declared,
        },
    };
    let mut summary = Summary::default();
    let reader = |content| Reader::new(settings, content);
    let ended = each_row(&options.file, reader, |row| summary.add(row))?;
    summary.error = ended.err().map(|error| error.to_string());
    if global.json {
        output::json(&summary)?;
    } else {
        summary.print(options.currency);
    }
    Ok(summary.error.is_none())
}

/// Reads a file here, twice if its orders are named by its content, and returns the reader at its end. The inner error is
/// the file's.
pub fn each_row(
    path: &Path,
    reader: impl Fn(Option<String>) -> Reader,
    mut each: impl FnMut(Row),
) -> Result<Result<Reader, FileError>> {
    source::readable(path)?;
    let refused = |error: std::io::Error| source::refused(path, &error);
    let mut content = None;
    let mut rows = Vec::new();
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let mut file = File::open(path).map_err(refused)?;
        let mut reader = reader(content);
        content = loop {
            match reader.step(&mut rows) {
                Ok(Step::Row) => rows.drain(..).for_each(&mut each),
                Ok(Step::More) => match file.read(&mut piece).map_err(refused)? {
                    0 => reader.end(),
                    bytes => reader.push(&piece[..bytes]),
                },
                Ok(Step::Over(End::Rows)) => return Ok(Ok(reader)),
                Ok(Step::Over(End::Content(name))) => break Some(name),
                Err(error) => return Ok(Err(error)),
            }
        };
    }
}

impl Summary {
    fn add(&mut self, row: Row) {
        match row {
            Row::Order {
                order, continued, ..
            } => {
                self.rows += 1 + continued;
                self.continued += continued;
                match self.orders_so_far.add(&order) {
                    RowOutcome::New => {}
                    RowOutcome::Duplicate => {
                        self.duplicates += 1;
                        return;
                    }
                    RowOutcome::Conflict => {
                        self.conflicts += 1;
                        return;
                    }
                }
                self.orders += 1;
                self.lines += order.lines.len() as u64;
                self.adjusted += u64::from(!order.adjustment.is_zero());
                self.priced_by_catalog += u64::from(!order.prices.are_stated());
                *self.totals.entry(order.currency.code()).or_default() += order.total;
            }
            Row::Reject(reject) => {
                self.rows += 1;
                self.rejected += 1;
                *self.rejects.entry(reject.code.as_str()).or_default() += 1;
                if self.first_rejects.len() < SHOWN {
                    self.first_rejects.push(reject);
                }
            }
        }
    }

    fn print(&self, currency: Currency) {
        if let Some(error) = &self.error {
            outln!("This file cannot be taken: {}", output::plain(error));
            if self.rows == 0 {
                return;
            }
        }
        let mut rows = vec![
            ["rows".to_owned(), self.rows.to_string()],
            ["orders".to_owned(), self.orders.to_string()],
            ["lines".to_owned(), self.lines.to_string()],
        ];
        for (currency, total) in &self.totals {
            rows.push([format!("total {currency}"), total.to_string()]);
        }
        let notes = [
            (self.continued, "rows that continue an order"),
            (self.duplicates, "duplicates: an order of the file again"),
            (self.conflicts, "conflicts: other content under the same id"),
            (self.adjusted, "totals that differ from their lines"),
            (self.priced_by_catalog, "orders priced by the catalog"),
            (self.rejected, "rejected"),
        ];
        for (count, what) in notes.into_iter().filter(|(count, _)| *count > 0) {
            rows.push([what.to_owned(), count.to_string()]);
        }
        for (code, count) in &self.rejects {
            rows.push([format!("  {code}"), count.to_string()]);
        }
        outln!("{}", output::table(&["", ""], &[1], rows));
        outln!("Rows that name no currency count as {currency}. Nothing was uploaded.");
        if !self.first_rejects.is_empty() {
            let rejected = self.first_rejects.iter().map(|reject| {
                let texts = [&reject.column, &reject.message].map(|text| output::plain(text));
                let [column, message] = texts;
                let code = reject.code.as_str().to_owned();
                [reject.line.to_string(), code, column, message]
            });
            outln!("\n{}", rejects::table(rejected));
        }
    }
}
