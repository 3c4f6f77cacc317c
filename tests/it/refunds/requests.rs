//! What the store makes of requests, and each step of a refund: alone, twice, and against others.

use domain::Fault;
use domain::refund::{PaymentStatus, RefundStatus, Refusal, Wanted};
use rust_decimal::Decimal;
use store::Store;
use store::memory::MemoryEngine;
use store::ops::Item;
use store::refunds::{Moved, Requested};
use store::schema::Table;

use super::support::{
    begun, cents, completed, kept, lines, opened, refund, request, requested, sold,
};
use crate::support::{approving, batch, drift, moment, now, order, saga, stock, tally_and_verify};

fn new() -> (MemoryEngine, Store<MemoryEngine>) {
    let engine = MemoryEngine::new();
    (engine.clone(), Store::new(engine, 1))
}

fn everything(engine: &MemoryEngine) -> Vec<Vec<Item>> {
    Table::ALL.map(|table| engine.items(table)).to_vec()
}

#[tokio::test]
async fn a_refund_goes_from_its_request_to_the_figures() {
    let (_, store) = new();
    sold(&store, "O-1", &[("A", 3), ("B", 1)]).await;
    let before = kept(&store, "O-1").await;
    assert_eq!(before.payment_status(), Some(PaymentStatus::Paid));
    let wanted = lines(&[("A", 2, true), ("B", 1, false)]);
    let id = opened(&store, "k-1", "O-1", &wanted).await;
    let order = kept(&store, "O-1").await;
    assert_eq!(
        (order.refundable, order.refunding),
        (cents(999), cents(2997))
    );
    assert_eq!(order.returned, [2, 1]);
    assert!(drift(&tally_and_verify(&store).await).is_empty());
    assert!(matches!(completed(&store, &id).await, Moved::Done(_)));
    let order = kept(&store, "O-1").await;
    assert_eq!(
        (order.refunding, order.refunded),
        (Decimal::ZERO, cents(2997))
    );
    assert_eq!(
        order.payment_status(),
        Some(PaymentStatus::PartiallyRefunded)
    );
    // What can be sold again is in stock, and what cannot is sold.
    let product = async |sku| {
        let product = store
            .product(sku)
            .await
            .expect("an answer")
            .expect("a product");
        (product.available, product.sold)
    };
    assert_eq!(
        (product("A").await, product("B").await),
        ((999, 1), (999, 1))
    );
    let id = opened(&store, "k-2", "O-1", &Wanted::Full).await;
    completed(&store, &id).await;
    let order = kept(&store, "O-1").await;
    assert_eq!(order.payment_status(), Some(PaymentStatus::Refunded));
    let report = tally_and_verify(&store).await;
    assert!(drift(&report).is_empty(), "{report:#?}");
    let refunds = store.refunds_of("O-1").await.expect("refunds");
    assert_eq!(refunds.len(), 2);
}

#[tokio::test]
async fn one_key_is_one_refund() {
    let (engine, store) = new();
    sold(&store, "O-1", &[("A", 3)]).await;
    let five = Wanted::Amount(cents(500));
    let id = opened(&store, "k", "O-1", &five).await;
    let stored = everything(&engine);
    let written_otherwise = Wanted::Amount(Decimal::from(5));
    for wanted in [&five, &five, &written_otherwise] {
        let again = requested(&store, "k", "O-1", wanted).await;
        assert!(
            matches!(&again, Requested::Replayed(refund) if refund.refund_id == id),
            "{again:?}"
        );
    }
    for (order_id, wanted) in [("O-1", Wanted::Full), ("O-9", five.clone())] {
        let other = requested(&store, "k", order_id, &wanted).await;
        assert_eq!(other, Requested::KeyReused);
    }
    assert_eq!(everything(&engine), stored);
    // Also where nothing is left that it could be taken from.
    let rest = opened(&store, "rest", "O-1", &Wanted::Full).await;
    for (key, id) in [("k", &id), ("rest", &rest)] {
        completed(&store, id).await;
        let wanted = if key == "k" { &five } else { &Wanted::Full };
        let again = requested(&store, key, "O-1", wanted).await;
        assert!(matches!(again, Requested::Replayed(_)), "{again:?}");
    }
}

#[tokio::test]
async fn what_cannot_go_back_is_refused_and_changes_nothing() {
    let (engine, store) = new();
    stock(&store, &[("A", 10)]).await;
    let mut free = order(2, "O-free", &[("A", 1)]);
    free.lines[0].unit_price = Decimal::ZERO;
    free.total = Decimal::ZERO;
    let free = batch("im_r", 0, vec![order(1, "O-1", &[("A", 2)]), free]);
    saga(&store, &approving("1"), &free).await.expect("settled");
    sold(&store, "O-2", &[("B", 1)]).await;
    let failed = batch("im_f", 0, vec![order(7, "O-failed", &[("A", 1)])]);
    saga(&store, &approving("0"), &failed)
        .await
        .expect("settled");
    let stored = everything(&engine);
    let left = |left| Requested::Refused(Refusal::NotRefundable { left });
    let too_many = |sku: &str, left| {
        let sku = sku.to_owned();
        Requested::Refused(Refusal::TooManyUnits { sku, left })
    };
    for (order_id, wanted, expected) in [
        ("O-1", Wanted::Amount(cents(1999)), left(cents(1998))),
        ("O-1", lines(&[("A", 3, true)]), too_many("A", 2)),
        ("O-1", lines(&[("B", 1, true)]), too_many("B", 0)),
        ("O-free", Wanted::Full, left(Decimal::ZERO)),
        ("O-free", Wanted::Amount(cents(1)), left(Decimal::ZERO)),
        ("O-9", Wanted::Full, Requested::NoSuchOrder),
    ] {
        let answer = requested(&store, "k", order_id, &wanted).await;
        assert_eq!(answer, expected, "{order_id} {wanted:?}");
    }
    for (order_id, wanted) in [
        ("O-failed", Wanted::Full),
        ("O-1", Wanted::Amount(Decimal::ZERO)),
        ("O-1", Wanted::Amount(cents(-1))),
        ("O-1", Wanted::Amount(Decimal::new(1, 3))),
    ] {
        let answer = requested(&store, "k", order_id, &wanted).await;
        assert!(matches!(answer, Requested::Refused(_)), "{answer:?}");
    }
    let nameless = request("", "O-1", &Wanted::Full);
    let answer = store
        .request_refund(&nameless, now())
        .await
        .expect("an answer");
    assert!(matches!(
        answer,
        Requested::Refused(Refusal::Invalid { .. })
    ));
    assert_eq!(everything(&engine), stored);
}

#[tokio::test]
async fn each_step_may_be_done_again_and_none_after_the_end() {
    let (engine, store) = new();
    sold(&store, "O-1", &[("A", 4)]).await;
    let mut ids = Vec::new();
    for key in ["done", "failed", "cancelled"] {
        ids.push(opened(&store, key, "O-1", &lines(&[("A", 1, true)])).await);
    }
    let [done, failed, cancelled] = ids.try_into().expect("three");
    for _ in 0..3 {
        assert!(matches!(completed(&store, &done).await, Moved::Done(_)));
        let refund = begun(&store, &failed).await;
        let no = store.fail_refund(&refund, "no", now()).await;
        assert!(matches!(no, Ok(Moved::Done(_))), "{no:?}");
        let cancel = store.cancel_refund(&cancelled, "ada", now()).await;
        assert!(matches!(cancel, Ok(Moved::Done(_))), "{cancel:?}");
    }
    let stored = everything(&engine);
    for id in [&done, &failed, &cancelled] {
        let ended = refund(&store, id).await;
        assert_eq!(begun(&store, id).await, ended);
        let moves = [
            store.complete_refund(&ended, "sim_2", &moment()).await,
            store.fail_refund(&ended, "no", now()).await,
            store.cancel_refund(id, "ada", now()).await,
        ];
        for moved in moves {
            match moved.expect("an answer") {
                Moved::Done(found) | Moved::Stays(found) => assert_eq!(*found, ended),
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(everything(&engine), stored);
    let unknown = store.cancel_refund("re_none", "ada", now()).await;
    assert_eq!(unknown, Ok(Moved::Unknown));
    assert!(drift(&tally_and_verify(&store).await).is_empty());
}

#[tokio::test]
async fn one_that_is_tried_again_is_not_cancelled() {
    let (engine, store) = new();
    sold(&store, "O-1", &[("A", 2)]).await;
    let id = opened(&store, "k", "O-1", &Wanted::Full).await;
    let asked = begun(&store, &id).await;
    let no = store.fail_refund(&asked, "no", now()).await;
    no.expect("an answer");
    let retried = store.retry_refund(&id, "ada", now()).await;
    assert!(matches!(retried, Ok(Moved::Done(_))), "{retried:?}");
    let stored = everything(&engine);
    match store.cancel_refund(&id, "ada", now()).await {
        Ok(Moved::Stays(found)) => {
            assert_eq!(found.status, RefundStatus::Pending);
            assert!(found.why_not_cancelled().contains("asked before"));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(everything(&engine), stored);
    assert!(matches!(completed(&store, &id).await, Moved::Done(_)));
}

#[tokio::test]
async fn one_that_failed_is_tried_again_if_there_is_enough_left() {
    let (_, store) = new();
    sold(&store, "O-1", &[("A", 2)]).await;
    let fails = async |id: &str| {
        let refund = begun(&store, id).await;
        store
            .fail_refund(&refund, "no", now())
            .await
            .expect("an answer");
        refund
    };
    let id = opened(&store, "k", "O-1", &Wanted::Amount(cents(1500))).await;
    let first = fails(&id).await;
    for _ in 0..2 {
        let retried = store
            .retry_refund(&id, "ada", now())
            .await
            .expect("an answer");
        assert!(matches!(retried, Moved::Done(_)), "{retried:?}");
    }
    assert_eq!(kept(&store, "O-1").await.refunding, cents(1500));
    let second = begun(&store, &id).await;
    assert_eq!((first.attempts, second.attempts), (1, 2));
    // A no to the first attempt comes late: it says nothing of the second.
    let late = store
        .fail_refund(&first, "no", now())
        .await
        .expect("an answer");
    assert!(matches!(late, Moved::Stays(_)), "{late:?}");
    fails(&id).await;
    let other = opened(&store, "other", "O-1", &Wanted::Amount(cents(1000))).await;
    let refused = store
        .retry_refund(&id, "ada", now())
        .await
        .expect("an answer");
    let left = Refusal::NotRefundable { left: cents(998) };
    assert_eq!(refused, Moved::Refused(left));
    completed(&store, &other).await;
    let ended = store
        .retry_refund(&other, "ada", now())
        .await
        .expect("an answer");
    assert!(matches!(ended, Moved::Stays(_)), "{ended:?}");
    assert!(drift(&tally_and_verify(&store).await).is_empty());
}

#[tokio::test]
async fn either_it_is_cancelled_or_the_gateway_is_asked() {
    let mut won = [0, 0];
    for seed in 0..100 {
        let engine = MemoryEngine::new();
        let store = Store::new(engine.clone(), seed);
        sold(&store, "O-1", &[("A", 2)]).await;
        let id = opened(&store, "k", "O-1", &Wanted::Full).await;
        let other = Store::new(engine, seed + 1_000);
        let late = async {
            for _ in 0..seed % 6 {
                tokio::task::yield_now().await;
            }
            other.begin_refund(&id, now()).await
        };
        let (cancelled, begun) = tokio::join!(store.cancel_refund(&id, "ada", now()), late);
        let cancelled = cancelled.expect("an answer");
        let begun = begun.expect("an answer").expect("a refund");
        let is_cancelled = matches!(cancelled, Moved::Done(_));
        let expected = match is_cancelled {
            true => RefundStatus::Cancelled,
            false => RefundStatus::Processing,
        };
        assert_eq!(refund(&store, &id).await.status, expected);
        // Whoever asks the gateway was told that it may.
        assert!(
            !is_cancelled || begun.refund.status == RefundStatus::Cancelled,
            "{begun:?}"
        );
        won[usize::from(is_cancelled)] += 1;
        if !is_cancelled {
            completed(&store, &id).await;
        }
        assert!(drift(&tally_and_verify(&store).await).is_empty());
    }
    assert!(won.iter().all(|times| *times > 5), "{won:?}");
}

#[tokio::test]
async fn books_that_were_tampered_with_stop_a_refund() {
    let (engine, store) = new();
    sold(&store, "O-1", &[("A", 2)]).await;
    let id = opened(&store, "k", "O-1", &lines(&[("A", 1, true)])).await;
    let mut broken = engine.items(Table::Products).remove(0);
    broken.insert("sold".to_owned(), store::ops::number(0));
    let whole = engine.items(Table::Products).remove(0);
    engine
        .overwrite(Table::Products, &broken)
        .expect("overwritten");
    let refund = begun(&store, &id).await;
    let done = store.complete_refund(&refund, "sim_1", &moment()).await;
    assert!(matches!(done, Err(Fault::Corrupt(_))), "{done:?}");
    engine
        .overwrite(Table::Products, &whole)
        .expect("overwritten");
    let mut broken = engine.items(Table::Orders).remove(0);
    broken.remove("refunding");
    engine
        .overwrite(Table::Orders, &broken)
        .expect("overwritten");
    let done = store.complete_refund(&refund, "sim_1", &moment()).await;
    assert!(matches!(done, Err(Fault::Corrupt(_))), "{done:?}");
    let report = tally_and_verify(&store).await;
    let orders = report.checks.iter().find(|check| check.name == "orders");
    assert!(
        orders.is_some_and(|check| check.drift.len() == 2),
        "{report:#?}"
    );
}
