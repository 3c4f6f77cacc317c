//! Every minute: orders whose payment is pending for too long go through the saga again, which asks the gateway and
//! settles them; and refunds that are open for too long are sent once more.
//!
//! Decides nothing about an order or a refund, and asks no gateway. It only sends the message that lives until they are
//! settled.

pub mod refunds;

use std::collections::BTreeMap;
use std::time::Duration;

use domain::limits::ORDERS_PER_BATCH;
use domain::{Batch, Fault, Order, Review};
use edge::Invocation;
use edge::batches::Batches;
use jiff::{SignedDuration, Timestamp};
use store::{Engine, Store};

/// Until one is sent again, should its message be lost on the way into the queue. Later, half of the time that it
/// has waited already: where the gateway is away, the first message is still there, and goes on asking.
const AGAIN: SignedDuration = SignedDuration::from_mins(5);

/// Orders, or refunds, in one run. Those that are left stay overdue, and the next run begins with them.
const PER_RUN: usize = 1_000;

/// Nothing is taken up in the last moments of a run.
const MARGIN: Duration = Duration::from_secs(5);

/// Returns how many orders were sent.
pub async fn handle<E: Engine>(
    store: &Store<E>,
    batches: &impl Batches,
    invocation: Invocation,
) -> Result<usize, Fault> {
    let now = invocation.now;
    let started = tokio::time::Instant::now();
    let mut by_batch: BTreeMap<(String, String), Vec<Order>> = BTreeMap::new();
    for order in store.overdue(now, PER_RUN).await? {
        if started.elapsed() + MARGIN > invocation.remaining {
            break;
        }
        let until = next_look(now, order.pending_until.unwrap_or(now))?;
        // Who postpones it sends it. Dying in between costs that time.
        if store.postpone(&order, until).await? {
            let batch = (order.import_id.clone(), order.batch_id.clone());
            by_batch.entry(batch).or_default().push(order.order());
        }
    }
    let mut reviews = Vec::new();
    for ((import_id, batch_id), orders) in by_batch {
        // A batch holds no more than this. But its rows may have been cut differently by another run.
        for orders in orders.chunks(ORDERS_PER_BATCH) {
            let orders = orders.to_vec();
            reviews.push(Batch::review(Review::Expiry, &batch_id, &import_id, orders));
        }
    }
    let sent = reviews.iter().map(|batch| batch.orders.len()).sum();
    batches.send(reviews).await?;
    if sent > 0 {
        tracing::info!(orders = sent, "payments were pending for too long");
    }
    Ok(sent)
}

fn next_look(now: Timestamp, waits_since: Timestamp) -> Result<Timestamp, Fault> {
    let waited = now.duration_since(waits_since);
    let until = now.checked_add(AGAIN.max(waited / 2));
    until.map_err(|error| Fault::Corrupt(error.to_string()))
}
