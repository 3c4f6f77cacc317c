//! The four steps over the memory engine: each alone, each repeated, all of them under faults, and killed in between.

use domain::{Batch, Fault, Order, Reason, Status};
use store::Store;
use store::memory::MemoryEngine;
use store::schema::Table;

use crate::support::{
    approving, batch, drift, moment, order, saga, settled, stock, tally_and_verify, terms,
};

fn store(engine: &MemoryEngine) -> Store<MemoryEngine> {
    Store::new(engine.clone(), 1)
}

async fn status(store: &Store<MemoryEngine>, order_id: &str) -> (Status, Option<Reason>) {
    let order = store
        .order(order_id)
        .await
        .expect("an answer")
        .expect("an order");
    (order.status, order.failure)
}

fn singles(rows: std::ops::RangeInclusive<u64>, sku: &str) -> Vec<Order> {
    rows.map(|row| order(row, &format!("O-{row}"), &[(sku, 1)]))
        .collect()
}

#[tokio::test]
async fn stock_that_runs_short_goes_to_the_first_rows_that_fit() {
    let store = store(&MemoryEngine::new());
    stock(&store, &[("A", 25)]).await;
    let batch = batch("im_a", 0, singles(1..=40, "A"));
    saga(&store, &approving("1"), &batch)
        .await
        .expect("settled");
    for row in 1..=40 {
        let expected = if row <= 25 {
            (Status::Completed, None)
        } else {
            (Status::Failed, Some(Reason::OutOfStock))
        };
        assert_eq!(
            status(&store, &format!("O-{row}")).await,
            expected,
            "row {row}"
        );
    }
    assert_eq!(
        store.product("A").await.expect("an answer").map(|product| (
            product.available,
            product.reserved,
            product.sold
        )),
        Some((0, 0, 25))
    );
    assert!(drift(&tally_and_verify(&store).await).is_empty());
}

#[tokio::test]
async fn every_outcome_is_told_with_its_reason() {
    let engine = MemoryEngine::new();
    let store = store(&engine);
    stock(&store, &[("A", 10), ("B", 1)]).await;
    let orders = vec![
        order(1, "O-1", &[("A", 2), ("B", 1)]),
        order(2, "O-2", &[("A", 1), ("B", 1)]),
        order(3, "O-3", &[("NOPE", 1)]),
        order(4, "O-1", &[("A", 9)]),
    ];
    saga(&store, &approving("1"), &batch("im_a", 0, orders))
        .await
        .expect("settled");
    saga(
        &store,
        &approving("0"),
        &batch("im_a", 1, vec![order(5, "O-5", &[("A", 3)])]),
    )
    .await
    .expect("settled");
    assert_eq!(status(&store, "O-1").await, (Status::Completed, None));
    assert_eq!(
        status(&store, "O-2").await,
        (Status::Failed, Some(Reason::OutOfStock))
    );
    assert_eq!(
        status(&store, "O-3").await,
        (Status::Failed, Some(Reason::UnknownProduct))
    );
    assert_eq!(
        status(&store, "O-5").await,
        (Status::Failed, Some(Reason::PaymentDeclined))
    );
    let settled = settled(&store, "im_a").await;
    assert_eq!(
        (settled.completed, settled.failed, settled.conflicts),
        (1, 3, 1)
    );
    assert!(drift(&tally_and_verify(&store).await).is_empty());
}

#[tokio::test]
async fn an_order_id_that_another_import_took_is_a_duplicate_each_time() {
    let engine = MemoryEngine::new();
    let store = store(&engine);
    stock(&store, &[("A", 1_000)]).await;
    let (first, second) = (
        batch("im_a", 0, singles(1..=40, "A")),
        batch("im_b", 0, singles(1..=40, "A")),
    );
    for batch in [&first, &second, &second, &first] {
        saga(&store, &approving("0.5"), batch)
            .await
            .expect("settled");
    }
    let (one, other) = (settled(&store, "im_a").await, settled(&store, "im_b").await);
    assert_eq!((one.completed + one.failed, one.duplicates), (40, 0));
    assert_eq!(
        (other.completed, other.failed, other.duplicates),
        (0, 0, 40)
    );
    assert!(drift(&tally_and_verify(&store).await).is_empty());
}

#[tokio::test]
async fn repeating_any_step_changes_nothing() {
    let engine = MemoryEngine::new();
    let store = store(&engine);
    stock(&store, &[("A", 30), ("B", 30)]).await;
    let mut orders = singles(1..=30, "A");
    orders.extend((31..=40).map(|row| order(row, &format!("O-{row}"), &[("A", 1), ("B", 4)])));
    orders.push(order(41, "O-1", &[("A", 1)]));
    let batch = batch("im_a", 0, orders.split_off(5));
    let gateway = approving("0.7");

    let twice = async |step: &str| {
        // Indexes and tables alike: nothing that is stored may differ after the repetition.
        let before: Vec<_> = Table::ALL.map(|table| engine.items(table)).to_vec();
        match step {
            "reserve" => drop(
                reserve::handle(&store, batch.clone(), &moment())
                    .await
                    .expect("reserved"),
            ),
            _ => saga(&store, &gateway, &batch).await.expect("settled"),
        }
        assert_eq!(
            before,
            Table::ALL.map(|table| engine.items(table)).to_vec(),
            "after repeating {step}"
        );
    };

    let reserved = reserve::handle(&store, batch.clone(), &moment())
        .await
        .expect("reserved");
    let again = reserve::handle(&store, batch.clone(), &moment())
        .await
        .expect("reserved");
    assert!(again.seen && !reserved.seen);
    assert_eq!(
        Batch {
            seen: false,
            ..again
        },
        reserved
    );
    twice("reserve").await;
    let charged = pay::handle(&store, &gateway, reserved.clone(), terms())
        .await
        .expect("charged");
    assert!(!charged.paid.is_empty() && !charged.refused.is_empty());
    assert_eq!(
        pay::handle(&store, &gateway, reserved.clone(), terms())
            .await
            .expect("charged"),
        charged
    );
    // What was paid is on record: a gateway that would say no by now is not asked about it again.
    let again = reserve::handle(&store, batch.clone(), &moment())
        .await
        .expect("reserved");
    assert_eq!(again.paid, charged.paid);
    assert_eq!(again.orders.len(), charged.refused.len());
    let no = pay::handle(&store, &approving("0"), again, terms())
        .await
        .expect("charged");
    assert_eq!(no, charged);
    twice("reserve").await;
    for _ in 0..3 {
        finalize::handle(&store, charged.clone(), &moment())
            .await
            .expect("finalized");
    }
    for _ in 0..3 {
        rollback::handle(&store, charged.clone(), &moment())
            .await
            .expect("rolled back");
    }
    assert_eq!(
        pay::handle(&store, &gateway, charged_as_batch(&charged), terms())
            .await
            .expect("charged")
            .paid,
        charged.paid
    );
    assert!(
        reserve::handle(&store, batch.clone(), &moment())
            .await
            .expect("reserved")
            .orders
            .is_empty()
    );
    twice("the whole batch").await;
    assert!(drift(&tally_and_verify(&store).await).is_empty());
}

/// Only what was paid: a refused order that was rolled back must not be charged again by anyone.
fn charged_as_batch(charged: &domain::Charged) -> Batch {
    Batch {
        batch_id: charged.batch_id.clone(),
        import_id: charged.import_id.clone(),
        orders: charged.paid.clone(),
        review: None,
        seen: false,
        paid: Vec::new(),
        failed: Vec::new(),
        uploaded_at: None,
        contacts: Vec::new(),
        earlier_contacts: Vec::new(),
    }
}

#[tokio::test]
async fn a_row_that_was_read_differently_does_not_pass_for_the_same() {
    let store = store(&MemoryEngine::new());
    stock(&store, &[("A", 40)]).await;
    let first = batch("im_a", 0, singles(1..=3, "A"));
    reserve::handle(&store, first.clone(), &moment())
        .await
        .expect("reserved");
    let mut other = first;
    other.orders[1].currency = "EUR".parse().expect("a currency");
    let refused = reserve::handle(&store, other, &moment()).await;
    assert!(matches!(refused, Err(Fault::Corrupt(_))), "{refused:?}");
}

#[tokio::test]
async fn duplicates_count_once_however_the_batches_are_cut() {
    let store = store(&MemoryEngine::new());
    stock(&store, &[("A", 400)]).await;
    let gateway = approving("1");
    saga(&store, &gateway, &batch("im_a", 0, singles(1..=40, "A")))
        .await
        .expect("settled");
    for cut in [1, 3, 7, 40] {
        for (number, orders) in singles(1..=40, "A").chunks(cut).enumerate() {
            let batch = batch("im_b", number as u32, orders.to_vec());
            saga(&store, &gateway, &batch).await.expect("settled");
        }
        let settled = settled(&store, "im_b").await;
        assert_eq!(settled.duplicates, 40, "in batches of {cut}");
    }
}

#[tokio::test]
async fn a_batch_of_large_orders_takes_several_transactions() {
    let engine = MemoryEngine::new();
    let store = store(&engine);
    let skus: Vec<String> = (0..300).map(|sku| format!("S-{sku}")).collect();
    stock(
        &store,
        &skus.iter().map(|sku| (sku.as_str(), 5)).collect::<Vec<_>>(),
    )
    .await;
    let orders: Vec<Order> = (0..12)
        .map(|row| {
            let lines: Vec<(&str, u32)> = (0..80)
                .map(|line| (skus[(row as usize * 23 + line) % 300].as_str(), 1))
                .collect();
            order(row, &format!("O-{row}"), &lines)
        })
        .collect();
    let batch = batch("im_a", 0, orders);
    saga(&store, &approving("1"), &batch)
        .await
        .expect("settled");
    saga(&store, &approving("1"), &batch)
        .await
        .expect("settled");
    assert_eq!(settled(&store, "im_a").await.completed, 12);
    assert!(drift(&tally_and_verify(&store).await).is_empty());
}

#[tokio::test]
async fn books_that_were_tampered_with_stop_the_saga() {
    let engine = MemoryEngine::new();
    let store = store(&engine);
    stock(&store, &[("A", 40)]).await;
    let batch = batch("im_a", 0, singles(1..=3, "A"));
    let reserved = reserve::handle(&store, batch, &moment())
        .await
        .expect("reserved");
    let charged = pay::handle(&store, &approving("1"), reserved, terms())
        .await
        .expect("charged");
    // Somebody resets the stock: what was reserved is gone.
    let mut product = engine.items(Table::Products).remove(0);
    product.insert("reserved".to_owned(), store::ops::number(0));
    engine
        .overwrite(Table::Products, &product)
        .expect("overwritten");
    assert!(matches!(
        finalize::handle(&store, charged, &moment()).await,
        Err(Fault::Corrupt(_))
    ));
    let report = tally_and_verify(&store).await;
    assert!(!report.balanced);
    assert!(
        report
            .checks
            .iter()
            .any(|check| check.name == "stock" && check.drift.len() == 2),
        "{report:?}"
    );
}

/// What is stored in the end, whatever happened on the way.
fn everything(engine: &MemoryEngine) -> Vec<Vec<store::ops::Item>> {
    Table::ALL.map(|table| engine.items(table)).to_vec()
}

/// A batch that has all outcomes: completed, declined, out of stock, unknown, a duplicate.
async fn mixed() -> (MemoryEngine, Batch) {
    let engine = MemoryEngine::new();
    stock(&store(&engine), &[("A", 12), ("B", 3)]).await;
    let mut orders = singles(1..=8, "A");
    orders.extend((9..=14).map(|row| order(row, &format!("O-{row}"), &[("A", 1), ("B", 1)])));
    orders.push(order(15, "O-15", &[("NOPE", 1)]));
    orders.push(order(16, "O-3", &[("A", 1)]));
    (engine, batch("im_a", 0, orders))
}

/// The recipe for sagas: whichever step dies, and wherever, a repetition of the whole ends as if nothing had happened.
#[tokio::test]
async fn a_saga_that_dies_anywhere_ends_as_one_that_did_not() {
    let gateway = approving("0.6");
    let (clean, batch) = mixed().await;
    saga(&store(&clean), &gateway, &batch)
        .await
        .expect("settled");
    let mut deaths = 0;
    for steps in 0.. {
        let (engine, batch) = mixed().await;
        let dies = async {
            for _ in 0..steps {
                tokio::task::yield_now().await;
            }
        };
        let dying = store(&engine);
        let ended = tokio::select! {
            biased;
            ended = saga(&dying, &gateway, &batch) => Some(ended),
            () = dies => None,
        };
        // Tokens are drawn anew, as another process does.
        for seed in 2..4 {
            saga(&Store::new(engine.clone(), seed), &gateway, &batch)
                .await
                .expect("settled");
        }
        assert_eq!(
            everything(&engine),
            everything(&clean),
            "after {steps} steps"
        );
        if ended.is_some() {
            break;
        }
        deaths += 1;
    }
    assert!(deaths >= 5, "it died {deaths} times only");
}

/// Each step done twice in a row, undo as well; and each done again after everything behind it.
#[tokio::test]
async fn each_step_may_be_done_again_at_any_later_time() {
    let gateway = approving("0.6");
    let (clean, batch) = mixed().await;
    saga(&store(&clean), &gateway, &batch)
        .await
        .expect("settled");
    let (engine, batch) = mixed().await;
    let store = store(&engine);
    let reserve = async || {
        reserve::handle(&store, batch.clone(), &moment())
            .await
            .expect("reserved")
    };
    let reserved = reserve().await;
    reserve().await;
    let pay = async || {
        pay::handle(&store, &gateway, reserved.clone(), terms())
            .await
            .expect("paid")
    };
    let charged = pay().await;
    assert!(!charged.paid.is_empty() && !charged.refused.is_empty());
    let undo = async || {
        rollback::handle(&store, charged.clone(), &moment())
            .await
            .expect("undone")
    };
    let finish = async || {
        finalize::handle(&store, charged.clone(), &moment())
            .await
            .expect("done")
    };
    for _ in 0..2 {
        pay().await;
        undo().await;
        undo().await;
        finish().await;
        finish().await;
        undo().await;
        reserve().await;
    }
    assert_eq!(everything(&engine), everything(&clean));
    assert!(drift(&tally_and_verify(&store).await).is_empty());
}
