//! Orders that name no prices: the catalog's hold, from the moment they are reserved.

use domain::order::{Draft, TotalPolicy};
use domain::{Batch, Order, Reason, Status};
use rust_decimal::Decimal;
use store::Store;
use store::memory::{Faults, MemoryEngine};
use store::orders::OrderRecord;
use store::products::Listing;

use crate::support::{
    approving, batch, catalog_file, drift, moment, order, saga, settled, stock, tally_and_verify,
    terms,
};

fn unpriced(row: u64, lines: &[(&str, u32)], total: Option<Decimal>) -> Order {
    let priced = order(row, &format!("O-{row}"), lines);
    let mut lines = priced.lines;
    for line in &mut lines {
        line.unit_price = Decimal::ZERO;
    }
    let draft = Draft {
        order_id: priced.order_id,
        row,
        customer_id: priced.customer_id,
        currency: priced.currency,
        declared_total: total,
        lines,
        priced_by_catalog: true,
        ordered_at: None,
    };
    Order::new(draft, TotalPolicy::Declared).expect("a valid order")
}

async fn list(store: &Store<MemoryEngine>, sku: &str, cents: i64, currency: &str, at: i64) {
    let listing = Listing {
        sku: sku.to_owned(),
        name: sku.to_owned(),
        price: Decimal::new(cents, 2),
        currency: currency.parse().expect("a currency"),
        stock: 100,
    };
    let file = catalog_file(&format!("cl_{at}"), at, domain::catalog::Policy::Set);
    store.list_product(&listing, &file).await.expect("listed");
}

async fn found(store: &Store<MemoryEngine>, row: u64) -> OrderRecord {
    let order = store.order(&format!("O-{row}")).await.expect("an answer");
    order.expect("an order")
}

fn mixed() -> Batch {
    let orders = vec![
        unpriced(1, &[("A", 2), ("B", 1)], None),
        order(2, "O-2", &[("A", 1)]),
        unpriced(3, &[("A", 1)], Some(Decimal::new(250, 2))),
        unpriced(4, &[("A", 1), ("NOPE", 1)], None),
        unpriced(5, &[("EURO", 1)], None),
        unpriced(6, &[("B", 101)], None),
    ];
    batch("im_a", 0, orders)
}

#[tokio::test]
async fn the_catalog_prices_orders_that_name_no_price() {
    let store = Store::new(MemoryEngine::new(), 1);
    list(&store, "A", 300, "USD", 1).await;
    list(&store, "B", 50, "USD", 1).await;
    list(&store, "EURO", 50, "EUR", 1).await;
    saga(&store, &approving("1"), &mixed())
        .await
        .expect("settled");
    let expected = [
        (Status::Completed, None, "6.50", "0.00"),
        (Status::Completed, None, "9.99", "0"),
        (Status::Completed, None, "2.50", "-0.50"),
        (Status::Failed, Some(Reason::UnknownProduct), "0", "0"),
        (Status::Failed, Some(Reason::NoPrice), "0", "0"),
        (Status::Failed, Some(Reason::OutOfStock), "50.50", "0"),
    ];
    for (row, (status, failure, total, adjustment)) in (1..).zip(expected) {
        let order = found(&store, row).await;
        assert_eq!(
            (order.status, order.failure),
            (status, failure),
            "row {row}"
        );
        let amounts = [order.total, order.adjustment];
        let texts = [total, adjustment].map(|text| text.parse::<Decimal>().expect("an amount"));
        assert_eq!(amounts, texts, "row {row}");
    }
    assert!(drift(&tally_and_verify(&store).await).is_empty());
}

#[tokio::test]
async fn a_price_that_changes_between_two_deliveries_changes_no_order() {
    let store = Store::new(MemoryEngine::new(), 1);
    list(&store, "A", 300, "USD", 1).await;
    list(&store, "B", 50, "USD", 1).await;
    list(&store, "EURO", 50, "EUR", 1).await;
    // The first delivery dies after it reserved.
    reserve::handle(&store, mixed(), &moment())
        .await
        .expect("reserved");
    list(&store, "A", 900, "USD", 2).await;
    list(&store, "B", 50, "EUR", 2).await;
    list(&store, "NOPE", 900, "USD", 2).await;
    let again = reserve::handle(&store, mixed(), &moment())
        .await
        .expect("found");
    let totals: Vec<String> = again
        .orders
        .iter()
        .map(|order| order.total.to_string())
        .collect();
    assert_eq!(totals, ["6.50", "9.99", "2.50"]);
    assert!(again.orders.iter().all(|order| order.prices.are_stated()));
    let charged = pay::handle(&store, &approving("1"), again, terms())
        .await
        .expect("charged");
    // And the third one after it paid.
    saga(&store, &approving("1"), &mixed())
        .await
        .expect("settled");
    assert_eq!(charged.paid.len(), 3);
    assert_eq!(found(&store, 1).await.total, Decimal::new(650, 2));
    assert_eq!(found(&store, 4).await.failure, Some(Reason::UnknownProduct));
    assert!(drift(&tally_and_verify(&store).await).is_empty());
}

#[tokio::test(start_paused = true)]
async fn unpriced_orders_settle_once_under_faults_while_prices_change() {
    for seed in 0..60 {
        let engine = MemoryEngine::new();
        let store = Store::new(engine.clone(), seed);
        stock(&store, &[("A", 100), ("B", 100), ("EURO", 100)]).await;
        engine.set_faults(Faults {
            conflict: 80,
            throttle: 80,
            lost_answer: 80,
            stale: 80,
        });
        for at in 1.. {
            let settled = saga(&store, &approving("0.6"), &mixed()).await;
            engine.set_faults(Faults {
                stale: 80,
                ..Faults::default()
            });
            list(&store, "A", 100 * at, "USD", at).await;
            if settled.is_ok() && at > 2 {
                break;
            }
            engine.set_faults(Faults {
                conflict: 80,
                throttle: 80,
                lost_answer: 80,
                stale: 80,
            });
        }
        engine.set_faults(Faults::default());
        let report = tally_and_verify(&store).await;
        assert!(drift(&report).is_empty(), "seed {seed}: {report:#?}");
        let settled = settled(&store, "im_a").await;
        assert_eq!(settled.completed + settled.failed, 6, "seed {seed}");
    }
}
