//! The second step: charges each order through the gateway, and records what was paid.
//!
//! A refusal is handed on to `rollback`. A fault fails the step: it is repeated, and asks the gateway again under the
//! same key, until there is an answer. An order whose payment is pending waits on record, and not here.

mod late;

use domain::status::{Event, has_had};
use domain::{Batch, Charged, Fault, Money, Order, Reason, Refused, Review, Status};
use futures::stream::{self, StreamExt};
use jiff::{SignedDuration, Timestamp};
use payments::{Answer, Charge, Gateway, Voidable};
use store::ops::{Item, Write};
use store::orders::{self, Found, Origin};
use store::{Engine, Store, pending};

/// Charges under way at once: a batch of 40 takes three rounds, and the gateway sees no burst from one batch.
const CHARGES_AT_ONCE: usize = 16;

/// When it is, and for how long a payment may be pending.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    pub now: Timestamp,
    pub time_limit: SignedDuration,
}

pub async fn handle<E: Engine>(
    store: &Store<E>,
    gateway: &impl Gateway,
    batch: Batch,
    terms: Terms,
) -> Result<Charged, Fault> {
    let expired = batch.review == Some(Review::Expiry);
    let decisions: Vec<Result<Decision, Fault>> = stream::iter(&batch.orders)
        .map(|order| decide(gateway, order, expired))
        .buffered(CHARGES_AT_ONCE)
        .collect()
        .await;

    let import_id = batch.import_id.as_str();
    let (mut written, mut writes) = (Vec::new(), Vec::new());
    let (mut paid, mut refused, mut faults) = (batch.paid, Vec::new(), Vec::new());
    let mut late = batch.failed;
    for (order, decision) in batch.orders.into_iter().zip(decisions) {
        let decision = match decision {
            Ok(Decision::Refuse(reason)) => {
                refused.push(Refused { order, reason });
                continue;
            }
            Ok(decision) => decision,
            Err(fault) => {
                faults.push(fault);
                continue;
            }
        };
        writes.extend(decision.write(import_id, &order, terms)?);
        written.push((order, decision));
    }
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
            (Decision::Pay { .. }, Some(Status::Failed)) => late.push(order),
            (Decision::Hold { .. }, None) => {}
            // Whoever has settled it meanwhile knew better how the charge stands.
            (Decision::Hold { .. }, Some(status)) if has_had(status, Event::Hold) => {}
            (decision, status) => {
                return Err(Fault::Corrupt(format!(
                    "{decision:?} of order {} found it {status:?}",
                    order.order_id
                )));
            }
        }
    }
    for order in &late {
        late::give_back(store, gateway, import_id, order, terms.now).await?;
    }
    // What was answered is on record: the repetition asks about the rest. Broken books are spoken of when nothing else
    // is left to say, or they would keep the other orders from being settled.
    faults.sort_by_key(|fault| !matches!(fault, Fault::Transient(_)));
    if let Some(fault) = faults.into_iter().next() {
        return Err(fault);
    }
    // Nobody is asked again about what was paid before: it is on record, and a gateway may forget its keys.
    paid.sort_by_key(|order| order.row);
    Ok(Charged {
        batch_id: batch.batch_id,
        import_id: batch.import_id,
        paid,
        refused,
    })
}

/// What an answer of the gateway means for an order.
#[derive(Debug)]
enum Decision {
    Pay { payment: String },
    Hold { payment: String },
    Refuse(Reason),
}

impl Decision {
    fn write(&self, import_id: &str, order: &Order, terms: Terms) -> Result<Option<Write>, Fault> {
        let row = order.row;
        let origin = Origin { import_id, row };
        Ok(match self {
            Decision::Pay { payment } => Some(orders::pay(origin, order, payment, terms.now)?),
            Decision::Hold { payment } => {
                let until = terms.now.checked_add(terms.time_limit);
                let until = until.map_err(|error| Fault::Corrupt(error.to_string()))?;
                Some(pending::hold(origin, order, payment, until)?)
            }
            Decision::Refuse(_) => None,
        })
    }
}

async fn decide(gateway: &impl Gateway, order: &Order, expired: bool) -> Result<Decision, Fault> {
    let key = &order.order_id;
    let amount = Money::new(order.total, order.currency)
        .map_err(|error| Fault::Malformed(error.to_string()))?;
    let mut answer = gateway.charge(&Charge { key, amount }).await?;
    if expired && matches!(answer, Answer::Pending { .. }) {
        // First the gateway must know, then the order may fail: an approval that is quicker than this stands.
        answer = gateway.void(key, Voidable::Pending).await?;
    }
    Ok(match answer {
        Answer::Approved { payment } => Decision::Pay { payment },
        Answer::Pending { payment } if !expired => Decision::Hold { payment },
        Answer::Pending { .. } => {
            return Err(Fault::Transient(format!(
                "the gateway did not void the charge of {key}"
            )));
        }
        Answer::Declined => Decision::Refuse(Reason::PaymentDeclined),
        // Nobody voids but us, when the time was up.
        Answer::Voided => Decision::Refuse(Reason::PaymentExpired),
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
