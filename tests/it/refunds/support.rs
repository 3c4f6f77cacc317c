//! Orders that are paid, and what is asked for of them.

use domain::Status;
use domain::refund::{Wanted, WantedLine};
use payments::Gateway;
use rust_decimal::Decimal;
use store::orders::OrderRecord;
use store::refunds::{Moved, RefundRecord, RefundRequest, Requested};
use store::{Engine, Store};

use crate::support::{approving, batch, moment, now, order, saga, stock};

pub fn cents(cents: i64) -> Decimal {
    Decimal::new(cents, 2)
}

/// Puts an order of the lines `(sku, units)` on record, at 9.99 a unit, and completes it.
pub async fn sold<E: Engine>(store: &Store<E>, order_id: &str, lines: &[(&str, u32)]) {
    sold_through(store, &approving("1"), order_id, lines).await;
}

pub async fn sold_through<E: Engine>(
    store: &Store<E>,
    gateway: &impl Gateway,
    order_id: &str,
    lines: &[(&str, u32)],
) {
    let products: Vec<(&str, u64)> = lines.iter().map(|(sku, _)| (*sku, 1_000)).collect();
    stock(store, &products).await;
    let batch = batch(
        &format!("im_{order_id}"),
        0,
        vec![order(1, order_id, lines)],
    );
    saga(store, gateway, &batch).await.expect("settled");
    assert_eq!(kept(store, order_id).await.status, Status::Completed);
}

pub async fn kept<E: Engine>(store: &Store<E>, order_id: &str) -> OrderRecord {
    let found = store.order(order_id).await.expect("an answer");
    found.expect("an order")
}

pub async fn refund<E: Engine>(store: &Store<E>, refund_id: &str) -> RefundRecord {
    let found = store.refund(refund_id).await.expect("an answer");
    found.expect("a refund")
}

pub fn lines(wanted: &[(&str, u32, bool)]) -> Wanted {
    let line = |(sku, quantity, restock): &(&str, u32, bool)| WantedLine {
        sku: (*sku).to_owned(),
        quantity: *quantity,
        restock: *restock,
    };
    Wanted::Lines(wanted.iter().map(line).collect())
}

pub fn request<'a>(key: &'a str, order_id: &'a str, wanted: &'a Wanted) -> RefundRequest<'a> {
    RefundRequest {
        key,
        order_id,
        wanted,
        reason: "broken",
        requested_by: "ada",
    }
}

pub async fn requested<E: Engine>(
    store: &Store<E>,
    key: &str,
    order_id: &str,
    wanted: &Wanted,
) -> Requested {
    let request = request(key, order_id, wanted);
    let answer = store.request_refund(&request, now()).await;
    answer.expect("an answer")
}

/// The id of a refund that is new.
pub async fn opened<E: Engine>(
    store: &Store<E>,
    key: &str,
    order_id: &str,
    wanted: &Wanted,
) -> String {
    match requested(store, key, order_id, wanted).await {
        Requested::New(refund) => refund.refund_id,
        other => panic!("{other:?}"),
    }
}

pub async fn completed<E: Engine>(store: &Store<E>, refund_id: &str) -> Moved {
    let refund = begun(store, refund_id).await;
    let done = store.complete_refund(&refund, "sim_1", &moment()).await;
    done.expect("an answer")
}

pub async fn begun<E: Engine>(store: &Store<E>, refund_id: &str) -> RefundRecord {
    let begun = store.begin_refund(refund_id, now()).await;
    begun.expect("an answer").expect("a refund").refund
}
