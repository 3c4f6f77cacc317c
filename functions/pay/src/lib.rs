//! The second step: charges each order through the gateway, and records what was paid.
//!
//! A refusal is handed on to `rollback`. An order without an answer is left open: the others are settled, and then the
//! batch comes back for it, until there is an answer. An order whose payment is pending waits on record, and not here.

mod ask;
mod late;

use std::time::Duration;

use ask::Decision;
use domain::status::{Event, has_had};
use domain::{Batch, Charged, Fault, Open, Order, Refused, Review, Status};
use futures::stream::{self, StreamExt};
use jiff::{SignedDuration, Timestamp};
use payments::Gateway;
use store::ops::Item;
use store::orders::{Found, Origin};
use store::{Engine, Store};
use tokio::time::Instant;

/// Charges under way at once: a batch of 40 takes three rounds, and the gateway sees no burst from one batch.
const CHARGES_AT_ONCE: usize = 16;

/// What is left of a run when nobody is asked any more: what was answered has to be put on record.
const MARGIN: Duration = Duration::from_secs(6);

/// When it is, for how long a payment may be pending, and how long this run may take.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    pub now: Timestamp,
    pub time_limit: SignedDuration,
    pub remaining: Duration,
}

pub async fn handle<E: Engine>(
    store: &Store<E>,
    gateway: &impl Gateway,
    batch: Batch,
    terms: Terms,
) -> Result<Charged, Fault> {
    let last_call = Instant::now() + terms.remaining.saturating_sub(MARGIN);
    let (review, import_id) = (batch.review, batch.import_id.as_str());
    let decisions: Vec<Result<Decision, Fault>> = stream::iter(&batch.orders)
        .map(|order| in_time(last_call, ask::decide(gateway, order, batch.seen, review)))
        .buffered(CHARGES_AT_ONCE)
        .collect()
        .await;

    let (mut written, mut writes) = (Vec::new(), Vec::new());
    let (mut paid, mut refused, mut faults) = (batch.paid, Vec::new(), Vec::new());
    for (order, decision) in batch.orders.into_iter().zip(decisions) {
        match decision {
            Ok(Decision::Refuse(reason)) => refused.push(Refused { order, reason }),
            Ok(decision) => {
                writes.extend(decision.write(import_id, &order, terms)?);
                written.push((order, decision));
            }
            Err(fault) => faults.push(fault),
        }
    }
    let mut late: Vec<(Order, Option<String>)> = Vec::new();
    let answers = store.update_many(&writes).await?;
    for ((order, decision), answer) in written.into_iter().zip(answers) {
        let found = match answer {
            Ok(()) => None,
            Err(found) => Some(status_of(import_id, &order, found)?),
        };
        match (decision, found) {
            (Decision::Pay { .. }, None) => paid.push(order),
            // By another run of this very batch.
            (Decision::Pay { .. }, Some(status)) if has_had(status, Event::Pay) => paid.push(order),
            // The gateway took the money after all.
            (Decision::Pay { payment }, Some(Status::Failed)) => late.push((order, Some(payment))),
            (Decision::Hold { .. }, None) => {}
            // Whoever has settled it meanwhile knew better how the charge stands.
            (Decision::Hold { .. }, Some(status)) if has_had(status, Event::Hold) => {}
            (decision, status) => {
                let id = &order.order_id;
                let what = format!("{decision:?} of order {id} found it {status:?}");
                faults.push(Fault::Corrupt(what));
            }
        }
    }
    late.extend(batch.failed.into_iter().map(|order| (order, None)));
    let claimed = review == Some(Review::Approved);
    for (order, payment) in &late {
        let late = late::Late {
            import_id,
            order,
            payment: payment.as_deref(),
            claimed,
        };
        let given_back = late::give_back(store, gateway, late, terms.now);
        faults.extend(in_time(last_call, given_back).await.err());
    }
    // Nobody is asked again about what was paid before: it is on record, and a gateway may forget its keys.
    paid.sort_by_key(|order| order.row);
    Ok(Charged {
        batch_id: batch.batch_id,
        import_id: batch.import_id,
        paid,
        refused,
        open: open(faults),
    })
}

async fn in_time<T>(
    last_call: Instant,
    work: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    let in_time = tokio::time::timeout_at(last_call, work).await;
    in_time.unwrap_or_else(|_| Err(Fault::Transient("time ran out".to_owned())))
}

/// Broken books are spoken of when nothing else is left to say: first the others have to be settled.
fn open(mut faults: Vec<Fault>) -> Option<Open> {
    faults.sort_by_key(|fault| !matches!(fault, Fault::Transient(_)));
    let orders = faults.len();
    faults.into_iter().next().map(|fault| Open {
        fault: fault.name().to_owned(),
        reason: format!(
            "{orders} orders are left without an answer: {}",
            fault.message()
        ),
    })
}

/// Of an order whose write was refused: it has to be the one that is meant.
fn status_of(import_id: &str, order: &Order, found: Option<Item>) -> Result<Status, Fault> {
    let row = order.row;
    match found.map(Found::read).transpose()? {
        Some(found) if found.is_from(Origin { import_id, row }) => Ok(found.status),
        Some(found) => Err(Fault::Corrupt(format!(
            "order {} was charged and is of row {} of {}",
            order.order_id, found.row, found.import_id
        ))),
        None => Err(Fault::Corrupt(format!(
            "order {} was charged and is gone",
            order.order_id
        ))),
    }
}
