//! The second step: charges each order through the gateway, and records what was paid.
//!
//! A refusal is handed on to `rollback`. A fault fails the step: it is repeated, and asks the gateway again under the
//! same key, until there is an answer.

pub mod gateway;

use domain::status::{Event, has_had};
use domain::{Batch, Charged, Fault, Money, Order, Reason, Refused};
use futures::stream::{self, StreamExt, TryStreamExt};
use gateway::{Answer, Charge, Gateway};
use jiff::Timestamp;
use store::orders::{self, Found, Origin};
use store::{Engine, Store};

/// Charges under way at once: a batch of 40 takes three rounds, and the gateway sees no burst from one batch.
const CHARGES_AT_ONCE: usize = 16;

pub async fn handle<E: Engine>(
    store: &Store<E>,
    gateway: &impl Gateway,
    batch: Batch,
    now: Timestamp,
) -> Result<Charged, Fault> {
    let answers: Vec<Answer> = stream::iter(&batch.orders)
        .map(|order| charge(gateway, order))
        .buffered(CHARGES_AT_ONCE)
        .try_collect()
        .await?;
    let (mut approved, mut refused, mut payments) = (Vec::new(), Vec::new(), Vec::new());
    for (order, answer) in batch.orders.into_iter().zip(answers) {
        match answer {
            Answer::Approved { payment } => {
                let origin = Origin {
                    import_id: &batch.import_id,
                    row: order.row,
                };
                payments.push(orders::pay(origin, &order, &payment, now)?);
                approved.push(order);
            }
            Answer::Declined => refused.push(Refused {
                order,
                reason: Reason::PaymentDeclined,
            }),
        }
    }
    for (order, outcome) in approved.iter().zip(store.update_many(&payments).await?) {
        if let Err(found) = outcome {
            let found = found.map(Found::read).transpose()?;
            must_be_paid_already(&batch.import_id, order, found)?;
        }
    }
    // Nobody is asked again about what was paid before: it is on record, and a gateway may forget its keys.
    let mut paid = batch.paid;
    paid.extend(approved);
    paid.sort_by_key(|order| order.row);
    Ok(Charged {
        batch_id: batch.batch_id,
        import_id: batch.import_id,
        paid,
        refused,
    })
}

async fn charge(gateway: &impl Gateway, order: &Order) -> Result<Answer, Fault> {
    let amount = Money::new(order.total, order.currency)
        .map_err(|error| Fault::Malformed(error.to_string()))?;
    gateway
        .charge(&Charge {
            key: &order.order_id,
            amount,
        })
        .await
}

/// An order that could not be marked as paid was marked before, by this very batch; or our books are broken.
fn must_be_paid_already(import_id: &str, order: &Order, found: Option<Found>) -> Result<(), Fault> {
    match found {
        Some(found)
            if found.is_from(Origin {
                import_id,
                row: order.row,
            }) && has_had(found.status, Event::Pay) =>
        {
            Ok(())
        }
        Some(found) => Err(Fault::Corrupt(format!(
            "order {} was charged and is {}",
            order.order_id, found.status
        ))),
        None => Err(Fault::Corrupt(format!(
            "order {} was charged and is gone",
            order.order_id
        ))),
    }
}
