//! What a cancellation gives back: all that is left, and nothing that came back before.

use domain::journal::Kind;
use domain::refund::{PaymentStatus, RefundStatus, Refusal, Wanted};
use domain::tally::Book;
use domain::{Status, ids};
use rust_decimal::Decimal;
use store::Store;
use store::lifecycle::{Changed, Refused};
use store::memory::MemoryEngine;
use store::refunds::{Moved, Requested};
use store::schema::Table;
use store::tallies::Live;

use super::support::{ADA, asked, done, its_refund, new, told, units};
use crate::refunds::support::{begun, cents, completed, kept, lines, opened, requested, sold};
use crate::simulation::sabotage::{Sabotage, SimEngine};
use crate::support::{approving, batch, drift, now, order, saga, stock, tally, tally_and_verify};

async fn balanced(store: &Store<MemoryEngine>) {
    let report = tally_and_verify(store).await;
    assert!(drift(&report).is_empty(), "{report:#?}");
}

async fn refused(store: &Store<MemoryEngine>, id: &str) {
    let refund = begun(store, id).await;
    let no = store.fail_refund(&refund, "no", now()).await;
    assert!(matches!(no, Ok(Moved::Done(_))), "{no:?}");
}

#[tokio::test]
async fn a_cancelled_order_gives_all_of_it_back() {
    let (_, store) = new();
    sold(&store, "O-1", &[("A", 3), ("B", 1), ("A", 2)]).await;
    assert_eq!(units(&store, "A").await, (995, 5));
    let order = done(&store, Kind::Cancelled, "O-1").await;
    assert_eq!(order.status, Status::Cancelled);
    assert_eq!(order.cancelled_at, Some(now()));
    assert_eq!(
        (order.refundable, order.refunding, order.refunded),
        (Decimal::ZERO, cents(5994), Decimal::ZERO)
    );
    assert_eq!(order.returned, [3, 1, 2]);
    // At once, and not when the money went back.
    assert_eq!(units(&store, "A").await, (1_000, 0));
    assert_eq!(units(&store, "B").await, (1_000, 0));
    let its = its_refund(&store, "O-1").await;
    assert_eq!(
        (its.status, its.amount),
        (RefundStatus::Pending, cents(5994))
    );
    assert!(its.full && its.lines.is_empty() && its.open_check.is_some());
    assert_eq!(its.requested_by, ADA.requested_by);
    assert_eq!(Some(its.reason.as_str()), ADA.reason);
    let told = told(&store).await;
    assert_eq!(told[0].entry_id, "cancel-O-1");
    let change = &told[0].changes[0];
    assert_eq!(change.total, cents(5994));
    let back: Vec<u32> = change.lines.iter().map(|line| line.1).collect();
    assert_eq!(back, [3, 1, 2]);
    balanced(&store).await;
    // The order would stay cancelled, and nothing be on its way.
    let taken_back = store.cancel_refund(&its.refund_id, "ada", now()).await;
    assert_eq!(taken_back, Ok(Moved::Stays(Box::new(its.clone()))));
    completed(&store, &its.refund_id).await;
    let order = kept(&store, "O-1").await;
    assert_eq!(order.payment_status(), Some(PaymentStatus::Refunded));
    assert_eq!(units(&store, "A").await, (1_000, 0));
    balanced(&store).await;
}

#[tokio::test]
async fn units_leave_the_boards_at_once_and_money_when_it_went_back() {
    let (_, store) = new();
    sold(&store, "O-1", &[("A", 3)]).await;
    let ada = kept(&store, "O-1").await.customer_id;
    // Of all time: units of the product and what it earned; what the customer spent, in how many orders.
    let stands = async || {
        tally(&store).await;
        let (mut product, mut customer) = (None, None);
        let each = |figure| match figure {
            Live::Product {
                book: Book::AllTime,
                stored,
                ..
            } => product = Some((stored.sales.units, stored.sales.amount)),
            Live::Customer {
                book: Book::AllTime,
                subject,
                stored,
                ..
            } if subject.id == ada => customer = Some((stored.spend.amount, stored.spend.orders)),
            _ => {}
        };
        store.each_live_figure(each).await.expect("figures");
        (product.expect("a product"), customer.expect("a customer"))
    };
    assert_eq!(stands().await, ((3, cents(2997)), (cents(2997), 1)));
    done(&store, Kind::Cancelled, "O-1").await;
    let nothing = Decimal::ZERO;
    assert_eq!(stands().await, ((0, nothing), (cents(2997), 1)));
    completed(&store, &its_refund(&store, "O-1").await.refund_id).await;
    assert_eq!(stands().await, ((0, nothing), (nothing, 1)));
}

#[tokio::test]
async fn what_came_back_before_does_not_come_back_again() {
    let (_, store) = new();
    sold(&store, "O-1", &[("A", 4), ("B", 2)]).await;
    let before = [
        lines(&[("A", 1, true)]),
        lines(&[("A", 2, false), ("B", 1, false)]),
        Wanted::Amount(cents(100)),
    ];
    for (key, wanted) in before.iter().enumerate() {
        let id = opened(&store, &key.to_string(), "O-1", wanted).await;
        completed(&store, &id).await;
    }
    assert_eq!(units(&store, "A").await, (997, 3));
    let order = done(&store, Kind::Cancelled, "O-1").await;
    let left = cents(999 * 2 - 100);
    assert_eq!((order.refunding, order.refunded), (left, cents(4096)));
    assert_eq!(order.returned, [4, 2]);
    // What came back and could not be sold again stays sold.
    assert_eq!(units(&store, "A").await, (998, 2));
    assert_eq!(units(&store, "B").await, (999, 1));
    balanced(&store).await;
    let its = its_refund(&store, "O-1").await;
    assert_eq!(its.amount, left);
    completed(&store, &its.refund_id).await;
    assert_eq!(kept(&store, "O-1").await.refunded, cents(999 * 6));
    balanced(&store).await;
}

#[tokio::test]
async fn where_nothing_is_left_to_refund_there_is_no_refund() {
    let (engine, store) = new();
    stock(&store, &[("A", 10)]).await;
    let mut free = order(2, "O-free", &[("A", 2)]);
    free.lines[0].unit_price = Decimal::ZERO;
    free.total = Decimal::ZERO;
    let free = batch("im_r", 0, vec![free]);
    saga(&store, &approving("1"), &free).await.expect("settled");
    sold(&store, "O-1", &[("B", 2)]).await;
    let id = opened(&store, "k", "O-1", &Wanted::Full).await;
    completed(&store, &id).await;
    for (id, sku) in [("O-free", "A"), ("O-1", "B")] {
        let (available, sold) = units(&store, sku).await;
        assert_eq!(sold, 2);
        let order = done(&store, Kind::Cancelled, id).await;
        assert_eq!(order.returned, [2]);
        assert_eq!(units(&store, sku).await, (available + 2, 0));
    }
    assert_eq!(engine.items(Table::Refunds).len(), 1);
    balanced(&store).await;
}

#[tokio::test]
async fn while_a_refund_is_on_its_way_nothing_is_cancelled() {
    let (_, store) = new();
    sold(&store, "O-1", &[("A", 3)]).await;
    let id = opened(&store, "k", "O-1", &lines(&[("A", 1, true)])).await;
    for _ in 0..2 {
        let answer = asked(&store, Kind::Cancelled, "O-1").await;
        assert_eq!(answer, Changed::Refused(Refused::RefundOnItsWay));
        begun(&store, &id).await;
    }
    refused(&store, &id).await;
    let order = done(&store, Kind::Cancelled, "O-1").await;
    assert_eq!(order.refunding, order.total);
    balanced(&store).await;
}

#[tokio::test]
async fn the_rest_is_owed_until_it_went_back() {
    let (_, store) = new();
    sold(&store, "O-1", &[("A", 3)]).await;
    let by_lines = opened(&store, "k", "O-1", &lines(&[("A", 1, true)])).await;
    refused(&store, &by_lines).await;
    done(&store, Kind::Cancelled, "O-1").await;
    let its = its_refund(&store, "O-1").await.refund_id;
    // While all of it is on its way, nothing is left.
    let answer = requested(&store, "more", "O-1", &Wanted::Full).await;
    let nothing = Refusal::NotRefundable {
        left: Decimal::ZERO,
    };
    assert_eq!(answer, Requested::Refused(nothing));
    refused(&store, &its).await;
    assert_eq!(kept(&store, "O-1").await.refundable, cents(2997));
    balanced(&store).await;
    // It can be tried again.
    for _ in 0..2 {
        let retried = store
            .retry_refund(&its, "ada", now())
            .await
            .expect("an answer");
        assert!(matches!(retried, Moved::Done(_)), "{retried:?}");
        balanced(&store).await;
    }
    refused(&store, &its).await;
    // Or otherwise: an amount, and one that had failed before. Its units are not given back twice.
    let amount = opened(&store, "amount", "O-1", &Wanted::Amount(cents(100))).await;
    completed(&store, &amount).await;
    let retried = store.retry_refund(&by_lines, "ada", now()).await;
    let Ok(Moved::Done(retried)) = retried else {
        panic!("{retried:?}");
    };
    assert_eq!((retried.amount, retried.lines.len()), (cents(999), 0));
    balanced(&store).await;
    completed(&store, &by_lines).await;
    assert_eq!(units(&store, "A").await, (1_000, 0));
    // By lines there is nothing left to take back.
    let answer = requested(&store, "lines", "O-1", &lines(&[("A", 1, true)])).await;
    let sku = "A".to_owned();
    let none = Refusal::TooManyUnits { sku, left: 0 };
    assert_eq!(answer, Requested::Refused(none));
    let full = opened(&store, "full", "O-1", &Wanted::Full).await;
    completed(&store, &full).await;
    let order = kept(&store, "O-1").await;
    assert_eq!(order.payment_status(), Some(PaymentStatus::Refunded));
    assert_eq!(order.status, Status::Cancelled);
    balanced(&store).await;
}

#[tokio::test]
async fn who_read_a_refund_before_its_order_was_cancelled_ends_nothing() {
    let (_, store) = new();
    sold(&store, "O-1", &[("A", 3)]).await;
    let by_lines = opened(&store, "k", "O-1", &lines(&[("A", 1, true)])).await;
    let read = begun(&store, &by_lines).await;
    refused(&store, &by_lines).await;
    done(&store, Kind::Cancelled, "O-1").await;
    refused(&store, &its_refund(&store, "O-1").await.refund_id).await;
    store
        .retry_refund(&by_lines, "ada", now())
        .await
        .expect("an answer");
    begun(&store, &by_lines).await;
    let late = store
        .complete_refund(&read, "sim_1", &crate::support::moment())
        .await;
    assert!(matches!(late, Ok(Moved::Stays(_))), "{late:?}");
    completed(&store, &by_lines).await;
    assert_eq!(units(&store, "A").await, (1_000, 0));
    balanced(&store).await;
}

#[tokio::test]
async fn no_key_names_the_refund_of_a_cancellation() {
    let (_, store) = new();
    sold(&store, "O-1", &[("A", 3)]).await;
    let id = ids::refund_id_of_cancelled("O-1");
    assert_ne!(id, ids::refund_id("O-1"));
    assert_ne!(id, ids::refund_id("cancelledO-1"));
    // What would be hashed alike cannot be a key.
    let key = "cancelled\0O-1";
    assert_eq!(id, ids::refund_id(key));
    let answer = requested(&store, key, "O-1", &Wanted::Full).await;
    assert!(
        matches!(answer, Requested::Refused(Refusal::Invalid { .. })),
        "{answer:?}"
    );
}

#[tokio::test]
async fn the_longest_order_is_cancelled_in_one_transaction() {
    let (_, store) = new();
    let products: Vec<String> = (0..domain::limits::LINES_PER_ORDER)
        .map(|number| format!("S-{number}"))
        .collect();
    let lines: Vec<(&str, u32)> = products.iter().map(|sku| (sku.as_str(), 2)).collect();
    sold(&store, "O-1", &lines).await;
    done(&store, Kind::Cancelled, "O-1").await;
    assert_eq!(units(&store, "S-89").await, (1_000, 0));
    balanced(&store).await;
}

#[tokio::test]
async fn verify_sees_what_a_cancellation_leaves_out() {
    for (sabotage, check) in [
        (Sabotage::CancelsWithoutStock, "stock"),
        (Sabotage::CancelsWithoutUnits, "orders"),
        (Sabotage::CancelsWithoutRefund, "lifecycle"),
        (Sabotage::SkipsTheJournal, "lifecycle"),
    ] {
        let memory = MemoryEngine::new();
        sold(&Store::new(memory.clone(), 1), "O-1", &[("A", 3)]).await;
        let broken = Store::new(SimEngine::new(memory.clone(), Some(sabotage)), 2);
        done(&broken, Kind::Cancelled, "O-1").await;
        let report = tally_and_verify(&Store::new(memory, 3)).await;
        let mut checks = report.checks.iter();
        let found = checks.find(|found| found.name == check);
        assert!(
            found.is_some_and(|check| !check.drift.is_empty()),
            "{sabotage:?}: {report:#?}"
        );
    }
}
