//! Money that was taken for an order that had failed goes back, and that is on record.
//!
//! What is about to be done is written down first: the gateway's answer afterwards does not tell who voided a charge.

use domain::{Fault, Money, Order};
use jiff::Timestamp;
use payments::{Answer, Gateway, Refund, Refunded, Voidable};
use store::orders::{GivenBack, Origin};
use store::{Engine, Store};

pub async fn give_back<E: Engine>(
    store: &Store<E>,
    gateway: &impl Gateway,
    import_id: &str,
    order: &Order,
    now: Timestamp,
) -> Result<(), Fault> {
    let order_id = &order.order_id;
    let row = order.row;
    let origin = Origin { import_id, row };
    let given_back = match gateway.status(order_id).await? {
        None | Some(Answer::Declined) => return Ok(()),
        Some(Answer::Pending { .. }) => {
            // Nothing was taken yet, and nothing shall be.
            return match gateway.void(order_id, Voidable::Pending).await? {
                Answer::Voided | Answer::Declined => Ok(()),
                _ => Err(Fault::Transient(format!(
                    "the charge of the failed order {order_id} was not voided"
                ))),
            };
        }
        Some(Answer::Approved { payment }) => {
            if !store.late_payment(origin, order_id, &payment).await? {
                return Ok(());
            }
            let how = take_back(gateway, order).await?;
            (payment, how)
        }
        Some(Answer::Voided) => {
            // By a run of this that said so before and then died; or when the order's time was up.
            let found = store.order(order_id).await?;
            match found.and_then(|order| order.late_payment) {
                Some(payment) => (payment, GivenBack::Voided),
                None => return Ok(()),
            }
        }
    };
    let (payment, how) = given_back;
    let first = store
        .given_back(origin, order_id, &payment, how, now)
        .await?;
    if first {
        tracing::warn!(
            order.id = order_id,
            ?how,
            "a payment came for an order that had failed, and was given back"
        );
    }
    Ok(())
}

async fn take_back(gateway: &impl Gateway, order: &Order) -> Result<GivenBack, Fault> {
    let charge = &order.order_id;
    if gateway.void(charge, Voidable::Any).await? == Answer::Voided {
        return Ok(GivenBack::Voided);
    }
    // It is too late to void it: the money has moved.
    let amount = Money::new(order.total, order.currency)
        .map_err(|error| Fault::Malformed(error.to_string()))?;
    let key = &format!("late-{charge}");
    let refund = Refund {
        key,
        charge,
        amount,
    };
    match gateway.refund(&refund).await? {
        Refunded::Done { .. } => Ok(GivenBack::Refunded),
        Refunded::Refused { why } => Err(Fault::Corrupt(format!(
            "the late payment of order {charge} cannot be given back: {why}"
        ))),
    }
}
