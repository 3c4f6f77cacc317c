//! What it costs that many want the same: settled orders a second in virtual time, where a transaction has its items in
//! hand for 5 to 20 ms and conflicts with whatever else wants one of them.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use crate::support::now;
use domain::batch::cut;
use domain::{Batch, Contact, Fault, Order};
use store::Store;
use store::memory::MemoryEngine;
use tokio::time::Instant;

use crate::support::{approving, batch, drift, order, saga, settled, stock, tally_and_verify};

const ORDERS: u64 = 2_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    /// A transaction for each order and step, as samples do it.
    Single,
    Batches,
}

#[derive(Debug)]
struct Measured {
    per_second: f64,
    /// For each order.
    conflicts: f64,
    /// Sagas that gave up, and came back as messages do.
    returned: u64,
    /// For 1,000 orders.
    write_units: u64,
    transactions: u64,
}

/// What is ordered: so many lines an order, of products that are drawn from all of them or from one family of ten.
#[derive(Debug, Clone, Copy)]
struct Shape {
    products: u64,
    lines: usize,
    families: bool,
}

const ONE_LINE: Shape = Shape {
    products: 1_000,
    lines: 1,
    families: false,
};

fn orders(shape: Shape) -> Vec<Order> {
    let mut random = fastrand::Rng::with_seed(1);
    let order = |row| {
        let family = random.u64(..shape.products.div_ceil(10));
        let skus: Vec<String> = (0..shape.lines)
            .map(|_| match shape.families {
                true => format!("S-{}", family * 10 + random.u64(..10)),
                false => format!("S-{}", random.u64(..shape.products)),
            })
            .collect();
        let lines: Vec<(&str, u32)> = skus.iter().map(|sku| (sku.as_str(), 1)).collect();
        order(row, &format!("O-{row}"), &lines)
    };
    (1..=ORDERS).map(order).collect()
}

fn batches(cut_as: Cut, orders: Vec<Order>) -> VecDeque<Batch> {
    match cut_as {
        Cut::Single => {
            let batch = |(number, order)| batch("im_a", number, vec![order]);
            (0..).zip(orders).map(batch).collect()
        }
        Cut::Batches => {
            let mut batches: VecDeque<Batch> = VecDeque::new();
            for window in orders.chunks(domain::limits::ORDERS_PER_WINDOW) {
                let rows = window
                    .iter()
                    .map(|order| (order.clone(), Contact::default()));
                batches.extend(cut("im_a", now(), batches.len() as u32, rows.collect()));
            }
            batches
        }
    }
}

fn measure(cut_as: Cut, shape: Shape, workers: usize) -> Measured {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    let runtime = runtime.expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let engine = MemoryEngine::new();
        let store = Store::new(engine.clone(), 1);
        let skus: Vec<String> = (0..shape.products).map(|sku| format!("S-{sku}")).collect();
        let stocked: Vec<(&str, u64)> = skus.iter().map(|sku| (sku.as_str(), 9 * ORDERS)).collect();
        stock(&store, &stocked).await;
        let before: u64 = engine.write_units().values().sum();
        engine.hold_items(2, 5..=20);
        let queue = Rc::new(RefCell::new(batches(cut_as, orders(shape))));
        let returned = Rc::new(Cell::new(0));
        let started = Instant::now();
        let workers = (0..workers).map(|worker| {
            let (engine, queue, returned) = (engine.clone(), queue.clone(), returned.clone());
            tokio::task::spawn_local(async move {
                let store = Store::new(engine, 100 + worker as u64);
                let next = || queue.borrow_mut().pop_front();
                while let Some(batch) = next() {
                    let mut wait = Duration::from_secs(1);
                    while let Err(fault) = saga(&store, &approving("1"), &batch).await {
                        assert!(matches!(fault, Fault::Transient(_)), "{fault}");
                        returned.set(returned.get() + 1);
                        wait = (wait * 2).min(Duration::from_secs(300));
                        tokio::time::sleep(wait).await;
                    }
                }
            })
        });
        for worker in workers.collect::<Vec<_>>() {
            worker.await.expect("a worker");
        }
        let seconds = started.elapsed().as_secs_f64();
        let settled = settled(&store, "im_a").await;
        assert_eq!(settled.completed, ORDERS);
        assert!(drift(&tally_and_verify(&store).await).is_empty());
        let units: u64 = engine.write_units().values().sum();
        Measured {
            per_second: ORDERS as f64 / seconds,
            conflicts: engine.conflicts_met() as f64 / ORDERS as f64,
            returned: returned.get(),
            write_units: (units - before) * 1_000 / ORDERS,
            transactions: engine.transactions() * 1_000 / ORDERS,
        }
    })
}

#[test]
fn batches_outrun_single_orders_where_all_want_the_same() {
    let hot = Shape {
        products: 1,
        ..ONE_LINE
    };
    let (single, batches) = (measure(Cut::Single, hot, 4), measure(Cut::Batches, hot, 4));
    let both = format!("{batches:?}, {single:?}");
    assert!(batches.per_second > 5.0 * single.per_second, "{both}");
    assert!(3 * batches.write_units < 2 * single.write_units, "{both}");
}

#[test]
#[ignore = "a measurement"]
fn measure_contention() {
    println!(
        "| products | in a transaction | workers | orders a second | conflicts an order | sagas returned |"
    );
    println!("|---|---|---|---|---|---|");
    for products in [1, 1_000] {
        for cut_as in [Cut::Single, Cut::Batches] {
            for workers in [1, 4, 16, 64] {
                let shape = Shape {
                    products,
                    ..ONE_LINE
                };
                let Measured {
                    per_second,
                    conflicts,
                    returned,
                    ..
                } = measure(cut_as, shape, workers);
                println!(
                    "| {products} | {cut_as:?} | {workers} | {per_second:.0} | {conflicts:.2} | {returned} |"
                );
            }
        }
    }
}

#[test]
#[ignore = "a measurement"]
fn measure_packing() {
    println!("| lines an order | of products | in a transaction | transactions | write units |");
    println!("|---|---|---|---|---|");
    for (lines, products, families) in [
        (1, 1, false),
        (1, 100, false),
        (1, 1_000, false),
        (5, 100, false),
        (5, 100, true),
        (5, 1_000, true),
    ] {
        let shape = Shape {
            products,
            lines,
            families,
        };
        for cut_as in [Cut::Single, Cut::Batches] {
            let measured = measure(cut_as, shape, 1);
            let of = if families { " in families of ten" } else { "" };
            println!(
                "| {lines} | {products}{of} | {cut_as:?} | {} | {} |",
                measured.transactions, measured.write_units
            );
        }
    }
}
