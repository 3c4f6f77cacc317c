//! What figures cost, and ranks of a million customers: measurements.

use std::collections::BTreeMap;
use std::time::Instant;

use domain::journal::Entry;
use domain::tally::Book;
use rust_decimal::Decimal;
use store::Store;
use store::memory::MemoryEngine;
use store::tallies::Board;

use crate::figures::{enter, entry, usd};

/// Batches of forty orders, of so many customers each, that are nobody else's; products are a handful, as chunk sorts them.
fn batches(entries: usize, customers: usize) -> Vec<Entry> {
    let of = |number: usize| {
        let orders: Vec<(String, String, i64)> = (0..40)
            .map(|row| {
                let customer = format!("C-{}", number * customers + row % customers);
                let sku = format!("S-{}", (number * 4 + row / 10) % 100);
                (
                    customer,
                    sku,
                    1_000 + (number * 7 + row * 131) as i64 % 90_000,
                )
            })
            .collect();
        entry(&format!("im_f-{number:06}"), &orders)
    };
    (0..entries).map(of).collect()
}

#[tokio::test]
#[ignore = "a measurement: cargo test -p it measure_the_units -- --ignored --nocapture"]
async fn measure_the_units_of_an_order() {
    println!(
        "| customers in a batch | entries in an invocation | written: tallies | board | units-board | read: tallies | imports | transactions in 1,000 orders |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for customers in [1, 10, 40] {
        for together in [1, 10, 100] {
            let engine = MemoryEngine::new();
            let store = Store::new(engine.clone(), 1);
            let entries = batches(100, customers);
            for entries in entries.chunks(together) {
                enter(&store, entries).await;
            }
            let orders = 4_000.0;
            let written = engine.write_units();
            let each = |name: &str| written.get(name).copied().unwrap_or_default() as f64 / orders;
            let read = engine.read_units();
            let read = |name: &str| read.get(name).copied().unwrap_or_default() / orders;
            println!(
                "| {customers} | {together} | {:.2} | {:.2} | {:.2} | {:.3} | {:.3} | {:.1} |",
                each("tallies"),
                each("tallies/board"),
                each("tallies/units-board"),
                read("tallies"),
                read("imports"),
                engine.transactions() as f64 / 4.0
            );
        }
    }
}

#[tokio::test]
#[ignore = "a measurement: cargo test -p it measure_the_rank -- --ignored --nocapture"]
async fn measure_the_rank_of_a_million() {
    const CUSTOMERS: usize = 1_000_000;
    let engine = MemoryEngine::new();
    let store = Store::new(engine.clone(), 1);
    let mut random = fastrand::Rng::with_seed(1);
    let mut spent: Vec<(i64, String)> = Vec::with_capacity(CUSTOMERS);
    for number in 0..CUSTOMERS / 40 {
        let orders: Vec<(String, String, i64)> = (0..40)
            .map(|row| {
                // From one to ten thousand dollars, as many in each order of magnitude.
                let cents = 10_f64.powf(2.0 + 4.0 * random.f64()) as i64;
                let customer = format!("C-{:07}", number * 40 + row);
                spent.push((cents, customer.clone()));
                (customer, "S".to_owned(), cents)
            })
            .collect();
        enter(&store, &[entry(&format!("im_f-{number:06}"), &orders)]).await;
    }
    spent.sort_by(|one, other| other.cmp(one));
    println!("| customer | rank | requests' read units | time |");
    println!("|---|---|---|---|");
    for place in [0, 999, CUSTOMERS / 2, CUSTOMERS - 1] {
        let (cents, customer) = &spent[place];
        let before: f64 = engine.read_units().values().sum();
        let started = Instant::now();
        let rank = store
            .rank(customer, usd())
            .await
            .expect("an answer")
            .expect("a rank");
        let time = started.elapsed();
        let units = engine.read_units().values().sum::<f64>() - before;
        let expected = spent.partition_point(|(other, _)| other > cents) as u64 + 1;
        assert_eq!((rank.rank, rank.of), (expected, CUSTOMERS as u64));
        println!("| {} | {} | {units} | {time:.1?} |", place + 1, rank.rank);
    }
    let more: Vec<(String, String, i64)> = (0..40)
        .map(|row| (format!("C-{:07}", row % 10 * 99_991), "S".to_owned(), 1_000))
        .collect();
    let before: u64 = engine.write_units().values().sum();
    enter(&store, &[entry("one-more", &more)]).await;
    let units = engine.write_units().values().sum::<u64>() - before;
    println!("one more batch of 40 orders of 10 of these customers, alone: {units} write units");
    let started = Instant::now();
    let before = engine.read_units();
    let board = store
        .board(Board::Customers, Book::AllTime, usd(), 10)
        .await
        .expect("a board");
    let after: BTreeMap<String, f64> = engine.read_units();
    let units = after.values().sum::<f64>() - before.values().sum::<f64>();
    assert_eq!(board[0].amount, Decimal::new(spent[0].0, 2));
    println!(
        "the first ten: {units} read units, {:.1?}",
        started.elapsed()
    );
}
