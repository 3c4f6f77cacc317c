//! What an order costs with what its customer is told.

use std::collections::BTreeMap;

use store::Store;
use store::memory::MemoryEngine;

use super::support::{Office, Outbox, has_address, mailed, stream, told};
use crate::support::{approving, batch, now, order, saga, stock, tally};

const ORDERS: u64 = 2_000;
const BATCH: usize = 40;

/// Write units an order, by table: orders of one line over a hundred products, sorted by them, as files are cut.
async fn written(by_mail: bool) -> BTreeMap<String, f64> {
    let engine = MemoryEngine::new();
    let store = Store::new(engine.clone(), 1);
    let skus: Vec<String> = (0..100).map(|sku| format!("SKU-{sku:03}")).collect();
    let stocked: Vec<(&str, u64)> = skus.iter().map(|sku| (sku.as_str(), 1_000_000)).collect();
    stock(&store, &stocked).await;
    let mut random = fastrand::Rng::with_seed(10_000);
    let mut orders: Vec<_> = (0..ORDERS)
        .map(|row| {
            let (customer, sku) = (random.u32(0..2_000), random.usize(0..100));
            let mut order = order(row, &format!("ORD-2026-{row:06}"), &[(&skus[sku], 1)]);
            order.customer_id = format!("CUST-{customer:05}");
            order
        })
        .collect();
    for order in orders.iter().filter(|_| by_mail) {
        let address = format!("{}@customers.example", order.customer_id);
        has_address(&store, &order.customer_id, &address).await;
    }
    orders.sort_by(|one, other| one.lines[0].sku.cmp(&other.lines[0].sku));
    let before = engine.write_units();
    for (number, orders) in orders.chunks(BATCH).enumerate() {
        let batch = batch("im_1", number as u32, orders.to_vec());
        let settled = saga(&store, &approving("0.9"), &batch).await;
        settled.expect("settled");
    }
    tally(&store).await;
    let outbox = Outbox::default();
    told(&store, &outbox, stream(&engine)).await.expect("told");
    let sent = mailed(&store, &Office::default(), outbox.mail_event(), now()).await;
    assert_eq!(sent, Ok((0, Vec::new())));
    let units = engine.write_units().into_iter().map(|(table, units)| {
        let more = units - before.get(&table).copied().unwrap_or_default();
        (table.to_string(), more as f64 / ORDERS as f64)
    });
    units.filter(|(_, units)| *units > 0.0).collect()
}

#[tokio::test]
async fn an_order_costs_18_units_at_most_with_its_notification_and_eight_more_by_mail() {
    let (log, mail) = (written(false).await, written(true).await);
    for (table, units) in &mail {
        let in_log = log.get(table).copied().unwrap_or_default();
        println!("{table}: {in_log:.3} an order, {units:.3} by mail");
    }
    let all = |units: &BTreeMap<String, f64>| units.values().sum::<f64>();
    println!("all: {:.2} an order, {:.2} by mail", all(&log), all(&mail));
    // An order in the log keeps the aim. A mail passes it: at ten cents for a thousand it costs a hundred times these units.
    assert!(all(&log) <= 18.0, "{log:?}");
    assert!(all(&mail) - all(&log) <= 8.0, "{mail:?}");
    assert_eq!(
        (log["notifications"], mail["notifications"]),
        (2.0, 5.0),
        "each is put in a transaction, and a mail is begun, and ended in another"
    );
    // The counters: an item for the puts of a transaction, and one for the end of each mail.
    let more = mail["tallies"] - log["tallies"];
    assert!((more - 2.0).abs() < 0.001, "{more}");
}
