//! What it costs that many want the same: settled orders a second in virtual time, where a transaction has its items in
//! hand for 5 to 20 ms and conflicts with whatever else wants one of them.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use domain::batch::cut;
use domain::{Batch, Contact, Fault, Order};
use store::Store;
use store::memory::MemoryEngine;
use tokio::time::Instant;

use crate::support::{approving, batch, drift, order, saga, stock, verify};

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

fn orders(products: u64) -> Vec<Order> {
    let mut random = fastrand::Rng::with_seed(1);
    let order = |row| {
        let sku = format!("S-{}", random.u64(..products));
        order(row, &format!("O-{row}"), &[(&sku, 1)])
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
                batches.extend(cut("im_a", batches.len() as u32, rows.collect()));
            }
            batches
        }
    }
}

fn measure(cut_as: Cut, products: u64, workers: usize) -> Measured {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    let runtime = runtime.expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let engine = MemoryEngine::new();
        let store = Store::new(engine.clone(), 1);
        let skus: Vec<String> = (0..products).map(|sku| format!("S-{sku}")).collect();
        let stocked: Vec<(&str, u64)> = skus.iter().map(|sku| (sku.as_str(), ORDERS)).collect();
        stock(&store, &stocked).await;
        let before: u64 = engine.write_units().values().sum();
        engine.hold_items(2, 5..=20);
        let queue = Rc::new(RefCell::new(batches(cut_as, orders(products))));
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
        let settled = store.settled("im_a").await.expect("an answer");
        assert_eq!(settled.completed, ORDERS);
        assert!(drift(&verify(&store).await).is_empty());
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
    let (single, batches) = (measure(Cut::Single, 1, 4), measure(Cut::Batches, 1, 4));
    assert!(
        batches.per_second > 5.0 * single.per_second,
        "{batches:?}, {single:?}"
    );
    assert!(
        3 * batches.write_units < 2 * single.write_units,
        "{batches:?}, {single:?}"
    );
}

#[test]
#[ignore = "a measurement"]
fn measure_contention() {
    println!(
        "| products | transactions | workers | orders a second | conflicts an order | sagas returned | transactions, 1,000 orders | write units, 1,000 orders |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for products in [1, 1_000] {
        for cut_as in [Cut::Single, Cut::Batches] {
            for workers in [1, 4, 16, 64] {
                let measured = measure(cut_as, products, workers);
                let kind = if cut_as == Cut::Single {
                    "one order"
                } else {
                    "batches"
                };
                println!(
                    "| {products} | {kind} | {workers} | {:.0} | {:.2} | {} | {} | {} |",
                    measured.per_second,
                    measured.conflicts,
                    measured.returned,
                    measured.transactions,
                    measured.write_units
                );
            }
        }
    }
}
