//! Whether days, boards, ranks and imports say what the journal adds up to; and, read from elsewhere, what the orders do.

use domain::Status;
use domain::journal::{Change, Kind, Outcome};
use domain::tally::{Book, Effects, Hour, Score, Subject};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rust_decimal::Decimal;
use store::orders::OrderRecord;
use store::tallies::Live;

use super::recount::{Numbers, Recount, Sale, When, customer, product_name};
use super::{Books, Check};

pub const ALL_TIME: &str = "all time";

pub fn checks(books: &Books) -> [Check; 2] {
    let zone = &books.zone;
    let kept = kept(&books.figures);
    let mut figures = Check::new("figures");
    let by_journal = by_journal_of(books, zone, &mut figures.drift);
    compare(&mut figures, &kept, &by_journal, "in the journal");
    // Each of these is as large as the books: one at a time.
    drop(by_journal);
    figures.drift.extend(misplaced(&books.figures));
    let mut by_orders = Check::new("figures by orders");
    compare(
        &mut by_orders,
        &kept,
        &by_orders_of(books, zone),
        "by the orders",
    );
    [figures, by_orders]
}

fn compare(check: &mut Check, kept: &Numbers, counted: &Numbers, whence: &str) {
    for (name, number) in kept {
        let counted = counted.get(name).copied().unwrap_or_default();
        check.expect(*number == counted, || {
            format!("{name} is {number}, and {counted} {whence}")
        });
        check.checked += 1;
    }
    let missing = counted.iter().filter(|(name, _)| !kept.contains_key(*name));
    for (name, counted) in missing {
        check
            .drift
            .push(format!("{name} is 0, and {counted} {whence}"));
        check.checked += 1;
    }
}

/// The numbers that are kept, under the names that recounting gives them.
fn kept(figures: &[Live]) -> Numbers {
    let mut kept = Numbers::new();
    let mut add = |name: String, by: Decimal| *kept.entry(name).or_default() += by;
    for figure in figures {
        match figure {
            Live::Counts { book, key, numbers } => {
                let key: Vec<&str> = key.iter().map(String::as_str).collect();
                let of = match key[..] {
                    ["figures", currency, "hour", hour] => {
                        format!("{} {currency} hour {hour}", name(*book))
                    }
                    // Copies of one count, and of one page.
                    ["figures", currency, "customers", _] => {
                        format!("{} {currency} customers", name(*book))
                    }
                    ["ranks", _, currency, page] => format!("ranks {currency} {page}"),
                    ["import", id, _] => format!("import {id}"),
                    _ => key.join(" "),
                };
                for (what, number) in numbers {
                    add(format!("{of}: {what}"), *number);
                }
            }
            Live::Customer {
                book,
                subject,
                stored,
                ..
            } => {
                let of = customer(&name(*book), subject);
                add(format!("{of}: amount"), stored.spend.amount);
                add(format!("{of}: orders"), stored.spend.orders.into());
                add(format!("{of}: hours"), stored.hours.into());
            }
            Live::Product {
                book,
                subject,
                stored,
                ..
            } => {
                let of = product_name(&name(*book), subject);
                add(format!("{of}: amount"), stored.sales.amount);
                add(format!("{of}: units"), stored.sales.units.into());
                add(format!("{of}: orders"), stored.sales.orders.into());
            }
        }
    }
    kept.retain(|_, number| !number.is_zero());
    kept
}

fn name(book: Book) -> String {
    match book {
        Book::AllTime => ALL_TIME.to_owned(),
        Book::Day(day) => day.to_string(),
    }
}

/// Those that do not stand where their figures belong.
fn misplaced(figures: &[Live]) -> Vec<String> {
    let mut misplaced = Vec::new();
    for figure in figures {
        let (of, on_board, places) = match figure {
            Live::Counts { .. } => continue,
            Live::Customer {
                book,
                subject,
                stored,
                on_board,
                place,
            } => {
                let score = Score::of_amount(stored.spend.amount, subject.currency);
                let of = customer(&name(*book), subject);
                (of, on_board, vec![(place, score)])
            }
            Live::Product {
                book,
                subject,
                stored,
                on_board,
                places: [amount, units],
            } => {
                let score = Score::of_amount(stored.sales.amount, subject.currency);
                let by_units = Ok(Score::of_units(stored.sales.units));
                let of = product_name(&name(*book), subject);
                (of, on_board, vec![(amount, score), (units, by_units)])
            }
        };
        if !on_board {
            misplaced.push(format!("{of} is on another board than its own"));
        }
        for (place, score) in places {
            if score.as_ref().map(|score| score.place()).ok() != *place {
                misplaced.push(format!(
                    "{of} stands at {place:?}, and belongs to {score:?}"
                ));
            }
        }
    }
    misplaced
}

fn by_journal_of(books: &Books, zone: &TimeZone, wrong: &mut Vec<String>) -> Numbers {
    let mut recount = Recount::default();
    for entry in &books.entries {
        // What is wrong with an entry keeps all of it out of the figures.
        let hour = match Effects::of(entry, zone).and_then(|_| Hour::of(entry.at, zone)) {
            Ok(hour) => hour,
            Err(fault) => {
                wrong.push(format!("{} is in no figure: {fault}", entry.name()));
                continue;
            }
        };
        for change in &entry.changes {
            let sale = refund_or_sale(change, (hour.day, hour.number));
            match change.outcome() {
                Outcome::Completed => recount.completed(&sale),
                Outcome::Failed(reason) => recount.failed(&sale, reason),
                Outcome::Refunded => recount.refunded(&sale),
                Outcome::Done(Kind::Cancelled) => recount.cancelled(&sale),
                Outcome::Done(Kind::Shipped | Kind::Delivered) => {}
            }
        }
        let rows = [
            ("completed", entry.completed),
            ("failed", entry.failed),
            ("duplicates", entry.duplicates),
            ("conflicts", entry.conflicts()),
        ];
        for (what, rows) in rows {
            recount.row(&entry.import_id, what, rows);
        }
    }
    recount.numbers()
}

/// From the orders, as they stand. Refunds, duplicates and conflicts are on record in the journal alone.
fn by_orders_of(books: &Books, zone: &TimeZone) -> Numbers {
    let mut recount = Recount::default();
    let refunds = books.refunds_by_order();
    for order in books.orders.values() {
        let Some(settled) = order.settled_at.and_then(|at| when(at, zone)) else {
            continue;
        };
        let sale = sale_of(order, settled, |_| 0);
        if let Some(cancelled) = order.cancelled_at.and_then(|at| when(at, zone)) {
            let refunds = refunds.get(order.order_id.as_str());
            let came_back = |line| refunds.map_or(0, |refunds| refunds.returned(line));
            recount.cancelled(&sale_of(order, cancelled, came_back));
        }
        match (order.status, order.failure) {
            (Status::Failed, Some(reason)) => {
                recount.failed(&sale, reason);
                recount.row(&order.import_id, "failed", 1);
            }
            (Status::Completed | Status::Shipped | Status::Delivered | Status::Cancelled, _) => {
                recount.completed(&sale);
                recount.row(&order.import_id, "completed", 1);
            }
            _ => {}
        }
    }
    for entry in &books.entries {
        recount.row(&entry.import_id, "duplicates", entry.duplicates);
        recount.row(&entry.import_id, "conflicts", entry.conflicts());
        let refunds = entry.changes.iter();
        for change in refunds.filter(|change| change.outcome() == Outcome::Refunded) {
            if let Some(when) = when(entry.at, zone) {
                recount.refunded(&refund_or_sale(change, when));
            }
        }
    }
    recount.numbers()
}

fn refund_or_sale(change: &Change, when: When) -> Sale<'_> {
    let lines = change.lines.iter();
    Sale {
        when,
        customer: Subject {
            currency: change.currency,
            id: change.customer_id.clone(),
        },
        total: change.total,
        lines: lines
            .map(|(sku, units, price)| (sku.as_str(), *units, *price))
            .collect(),
    }
}

/// All that was ordered, but for what had come back of a line.
fn sale_of(order: &OrderRecord, when: When, came_back: impl Fn(usize) -> u64) -> Sale<'_> {
    let lines = order.lines.iter().enumerate();
    let lines = lines.map(|(at, line)| {
        let back = u32::try_from(came_back(at)).unwrap_or(u32::MAX);
        let left = line.quantity.saturating_sub(back);
        (line.sku.as_str(), left, line.unit_price)
    });
    Sale {
        when,
        customer: Subject {
            currency: order.currency,
            id: order.customer_id.clone(),
        },
        total: order.total,
        lines: lines.collect(),
    }
}

/// As a clock on the wall counts hours, and not as the figures do.
fn when(at: Timestamp, zone: &TimeZone) -> Option<When> {
    let local = at.to_zoned(zone.clone());
    let midnight = local.start_of_day().ok()?;
    let hours = (at.as_second() - midnight.timestamp().as_second()) / 3600;
    Some((local.date(), u8::try_from(hours).ok()?))
}
