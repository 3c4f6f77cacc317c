//! `leaderboard`: who spent most, and what is sold most.

use anyhow::Result;
use comfy_table::Table;
use domain::tally::Book;
use domain::{Currency, Fault};
use jiff::civil::Date;
use serde_json::{Value, json};
use store::tallies::{Board, BoardRow};
use store::{Engine, Store};

use crate::cli::Global;
use crate::cli::figures::{Leaderboard, Sold, Which};
use crate::cloud::Stack;
use crate::output;

struct Shown {
    currency: Currency,
    /// Each with its name, where that is known.
    rows: Vec<(BoardRow, Option<String>)>,
}

pub async fn run(global: &Global, stack: &Stack, command: &Leaderboard) -> Result<bool> {
    let (board, which) = match command {
        Leaderboard::Customers { which } => (Board::Customers, which),
        Leaderboard::Products { which, by } => match by {
            Sold::Revenue => (Board::ProductsByRevenue, which),
            Sold::Units => (Board::ProductsByUnits, which),
        },
    };
    let store = stack.store()?;
    let currencies = match which.currency {
        Some(currency) => vec![currency],
        None => store.currencies().await?,
    };
    let mut boards = Vec::new();
    for currency in currencies {
        boards.push(read(&store, board, which, currency).await?);
    }
    if global.json {
        let boards = boards.iter().map(|shown| document(board, which.day, shown));
        output::json(&json!({"boards": boards.collect::<Vec<_>>()}))?;
        return Ok(true);
    }
    boards.retain(|shown| !shown.rows.is_empty());
    let when = match which.day {
        Some(day) => day.to_string(),
        None => "all time".to_owned(),
    };
    if boards.is_empty() {
        outln!("Nothing was sold ({when}).");
    }
    for (number, shown) in boards.iter().enumerate() {
        let gap = if number == 0 { "" } else { "\n" };
        outln!("{gap}{}, {when}\n\n{}", shown.currency, table(board, shown));
    }
    Ok(true)
}

async fn read<E: Engine>(
    store: &Store<E>,
    board: Board,
    which: &Which,
    currency: Currency,
) -> Result<Shown, Fault> {
    let book = which.day.map_or(Book::AllTime, Book::Day);
    let limit = usize::from(which.limit);
    let rows = store.named_board(board, book, currency, limit).await?;
    Ok(Shown { currency, rows })
}

fn table(board: Board, shown: &Shown) -> Table {
    let header = match board {
        Board::Customers => ["rank", "customer", "name", "orders", "spent"],
        Board::ProductsByRevenue | Board::ProductsByUnits => {
            ["rank", "product", "name", "units", "revenue"]
        }
    };
    let rows = shown.rows.iter().map(|(row, name)| {
        let count = match board {
            Board::Customers => row.orders.to_string(),
            Board::ProductsByRevenue | Board::ProductsByUnits => row.units.to_string(),
        };
        [
            row.rank.to_string(),
            output::plain(&row.id),
            output::plain(name.as_deref().unwrap_or_default()),
            count,
            output::amount(row.amount, shown.currency),
        ]
    });
    output::table(&header, &[0, 3, 4], rows)
}

fn document(board: Board, day: Option<Date>, shown: &Shown) -> Value {
    let rows = shown.rows.iter().map(|(row, name)| {
        let amount = output::amount(row.amount, shown.currency);
        match board {
            Board::Customers => json!({
                "rank": row.rank, "customer_id": row.id, "customer_name": name,
                "order_count": row.orders, "total_spent": amount,
            }),
            Board::ProductsByRevenue | Board::ProductsByUnits => json!({
                "rank": row.rank, "product_sku": row.id, "product_name": name,
                "total_quantity": row.units, "total_revenue": amount, "order_count": row.orders,
            }),
        }
    });
    json!({"currency": shown.currency, "day": day, "rows": rows.collect::<Vec<_>>()})
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::tally::Score;
    use rust_decimal::Decimal;

    fn shown() -> Shown {
        let row = |rank, id: &str, name: Option<&str>| {
            let row = BoardRow {
                rank,
                id: id.to_owned(),
                score: Score::of_units(3),
                orders: 2,
                units: 3,
                amount: Decimal::new(125, 1),
            };
            (row, name.map(str::to_owned))
        };
        Shown {
            currency: "USD".parse().expect("a currency"),
            rows: vec![row(1, "C-🦀", Some("Ada\u{1b}[1m")), row(1, "C-2", None)],
        }
    }

    #[test]
    fn who_has_no_name_is_shown_without_one() {
        let table = table(Board::Customers, &shown()).to_string();
        let words = |line: &str| {
            line.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let lines: Vec<Vec<String>> = table.lines().skip(2).map(words).collect();
        assert_eq!(lines[0], ["1", "C-🦀", "Ada·[1m", "2", "12.50"]);
        assert_eq!(lines[1], ["1", "C-2", "2", "12.50"]);
        let customers = document(Board::Customers, None, &shown());
        assert_eq!(customers["day"], Value::Null);
        assert_eq!(
            customers["rows"][1],
            json!({
                "rank": 1, "customer_id": "C-2", "customer_name": null, "order_count": 2, "total_spent": "12.50",
            })
        );
    }

    #[test]
    fn products_are_counted_in_units() {
        let day = "2026-03-01".parse().expect("a day");
        let products = document(Board::ProductsByUnits, Some(day), &shown());
        assert_eq!(
            (&products["day"], &products["currency"]),
            (&json!("2026-03-01"), &json!("USD"))
        );
        assert_eq!(products["rows"][0]["total_quantity"], 3);
        assert_eq!(products["rows"][0]["total_revenue"], "12.50");
    }
}
