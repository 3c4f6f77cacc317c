//! What is read of figures, held against figures that were added up plainly: days, boards and ranks.

use std::collections::BTreeSet;

use domain::Currency;
use domain::tally::Book;
use jiff::civil::Date;
use rust_decimal::Decimal;
use store::Store;
use store::memory::MemoryEngine;
use store::tallies::{Board, BoardRow, DayFigures};

use super::plain::{self, Figures};

/// Of each board, so many are looked at.
const TOP: usize = 10;

/// Nothing may go wrong with the store meanwhile.
pub async fn differences(store: &Store<MemoryEngine>, expected: &Figures) -> Vec<String> {
    let names = expected.keys().filter_map(|name| name.split('/').next());
    let books: BTreeSet<&str> = names.collect();
    let customers = expected
        .keys()
        .filter_map(|name| name.strip_prefix("all/customer/")?.split('/').next());
    let currencies: BTreeSet<Currency> = customers.filter_map(|code| code.parse().ok()).collect();
    let mut differ = Vec::new();
    for day in books.iter().filter_map(|book| book.parse().ok()) {
        differ.extend(of_day(store, day, expected).await);
    }
    for currency in &currencies {
        for book in &books {
            differ.extend(boards(store, book, *currency, expected).await);
        }
        differ.extend(ranks(store, *currency, expected).await);
    }
    let read = store.currencies().await.unwrap_or_default();
    if read != currencies.iter().copied().collect::<Vec<_>>() {
        differ.push(format!(
            "the currencies are {read:?}, and not {currencies:?}"
        ));
    }
    differ
}

async fn of_day(store: &Store<MemoryEngine>, day: Date, expected: &Figures) -> Vec<String> {
    let Ok(currencies) = store.day(day).await else {
        return vec![format!("{day} cannot be read")];
    };
    let figures = currencies.into_iter();
    let differ = figures.flat_map(|(currency, figures)| {
        let of = |kind: &str, what: &str| sum(expected, &format!("{day}/{kind}/{currency}/"), what);
        let read = summary(&figures).into_iter();
        let differ = read.filter_map(move |(kind, what, figure)| {
            let expected = of(kind, what);
            (figure != expected)
                .then(|| format!("{day} is read with {what} {figure} {currency}, not {expected}"))
        });
        differ.collect::<Vec<_>>()
    });
    differ.collect()
}

fn sum(expected: &Figures, prefix: &str, what: &str) -> Decimal {
    let figures = expected
        .iter()
        .filter(|(name, _)| name.starts_with(prefix) && name.contains(&format!("/{what}")));
    figures.map(|(_, figure)| figure).sum()
}

fn summary(figures: &DayFigures) -> [(&'static str, &'static str, Decimal); 8] {
    let total = figures.total().unwrap_or_default();
    let by_hour: u64 = figures.customers_by_hour.values().sum();
    [
        ("hour", "gross", total.gross),
        ("hour", "refunds", total.refunds),
        ("hour", "refund_count", total.refund_count.into()),
        ("hour", "orders", total.orders.into()),
        ("hour", "units", total.units.into()),
        ("hour", "failed_", total.failed_orders().into()),
        ("customers", "day", figures.customers.into()),
        ("customers", "h", by_hour.into()),
    ]
}

/// The top of each board of a book.
async fn boards(
    store: &Store<MemoryEngine>,
    name: &str,
    currency: Currency,
    expected: &Figures,
) -> Vec<String> {
    let book = name.parse().map_or(Book::AllTime, Book::Day);
    let mut differ = Vec::new();
    for (board, kind, score) in [
        (Board::Customers, "customer", "/amount"),
        (Board::ProductsByRevenue, "product", "/amount"),
        (Board::ProductsByUnits, "product", "/units"),
    ] {
        let plain = plain::board(expected, &format!("{name}/{kind}/{currency}/"), score);
        let plain = &plain[..plain.len().min(TOP)];
        let row = |row: BoardRow| match board {
            Board::ProductsByUnits => (row.rank, row.id, row.units.into()),
            _ => (row.rank, row.id, row.amount),
        };
        let read = store.board(board, book, currency, TOP).await;
        let read: Vec<_> = read.unwrap_or_default().into_iter().map(row).collect();
        if read != plain {
            differ.push(format!(
                "{board:?} of {name} is {read:?}, and not {plain:?}"
            ));
        }
    }
    differ
}

/// A few customers: the first, the last, and one in between.
async fn ranks(store: &Store<MemoryEngine>, currency: Currency, expected: &Figures) -> Vec<String> {
    let plain = plain::board(expected, &format!("all/customer/{currency}/"), "/amount");
    let mut differ = Vec::new();
    let few = [0, plain.len() / 2, plain.len().saturating_sub(1)];
    for (rank, id, amount) in few.iter().filter_map(|at| plain.get(*at)) {
        let read = store.rank(id, currency).await.ok().flatten();
        let read = read.map(|read| (read.rank, read.of, read.customer.spend.amount));
        let expected = Some((*rank, plain.len() as u64, *amount));
        if read != expected {
            differ.push(format!(
                "{id} has rank {read:?}, and should have {expected:?}"
            ));
        }
    }
    if store.rank("nobody", currency).await != Ok(None) {
        differ.push("nobody has a rank".to_owned());
    }
    differ
}
