//! Who asks for what, short.

use domain::journal::{Entry, Kind, Outcome};
use store::lifecycle::{Asked, Changed};
use store::memory::MemoryEngine;
use store::orders::OrderRecord;
use store::refunds::RefundRecord;
use store::{Engine, Store};

use crate::refunds::support::refund;
use crate::support::moment;

pub const ADA: Asked<'_> = Asked {
    requested_by: "ada",
    reason: Some("as the customer wished"),
};

pub fn new() -> (MemoryEngine, Store<MemoryEngine>) {
    let engine = MemoryEngine::new();
    (engine.clone(), Store::new(engine, 1))
}

pub async fn asked<E: Engine>(store: &Store<E>, kind: Kind, order_id: &str) -> Changed {
    let answer = match kind {
        Kind::Shipped => store.ship_order(order_id, &ADA, &moment()).await,
        Kind::Delivered => store.deliver_order(order_id, &ADA, &moment()).await,
        Kind::Cancelled => store.cancel_order(order_id, &ADA, &moment()).await,
    };
    answer.expect("an answer")
}

pub async fn done<E: Engine>(store: &Store<E>, kind: Kind, order_id: &str) -> OrderRecord {
    match asked(store, kind, order_id).await {
        Changed::Done(order) => *order,
        other => panic!("{other:?}"),
    }
}

/// The refund that came with the cancellation of an order.
pub async fn its_refund<E: Engine>(store: &Store<E>, order_id: &str) -> RefundRecord {
    refund(store, &domain::ids::refund_id_of_cancelled(order_id)).await
}

/// Available, and sold.
pub async fn units<E: Engine>(store: &Store<E>, sku: &str) -> (u64, u64) {
    let product = store.product(sku).await.expect("an answer");
    let product = product.expect("a product");
    (product.available, product.sold)
}

/// The entries that say what was done with orders.
pub async fn told<E: Engine>(store: &Store<E>) -> Vec<Entry> {
    let mut told = Vec::new();
    let each = |entry: Result<Entry, _>| {
        let entry = entry.expect("an entry");
        let mut changes = entry.changes.iter();
        if changes.any(|change| matches!(change.outcome(), Outcome::Done(_))) {
            told.push(entry);
        }
    };
    store.each_entry(each).await.expect("the journal");
    told.sort_by(|one, other| one.entry_id.cmp(&other.entry_id));
    told
}
