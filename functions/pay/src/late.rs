//! Money that was taken for an order that had failed goes back, and that is on record.
//!
//! What is known is written down before anything else is asked: then it is not forgotten, whatever happens on the way.

use domain::{Fault, Order};
use jiff::Timestamp;
use payments::{Answer, Charge, Gateway, Refund, Refunded, Voidable};
use store::orders::{GivenBack, Origin};
use store::{Engine, Store};

use crate::ask::amount;

#[derive(Debug, Clone, Copy)]
pub struct Late<'a> {
    pub import_id: &'a str,
    pub order: &'a Order,
    /// The gateway's reference, where it has just said that it took the money.
    pub payment: Option<&'a str>,
    /// A webhook says that it did.
    pub claimed: bool,
}

pub async fn give_back<E: Engine>(
    store: &Store<E>,
    gateway: &impl Gateway,
    late: Late<'_>,
    now: Timestamp,
) -> Result<(), Fault> {
    let (import_id, row) = (late.import_id, late.order.row);
    let (order_id, origin) = (&late.order.order_id, Origin { import_id, row });
    let found = store.order(order_id).await?;
    let known = found.and_then(|order| order.late_payment);
    let payment = match (late.payment, known) {
        (Some(payment), _) => payment.to_owned(),
        (None, Some(payment)) => payment,
        (None, None) => match taken(gateway, late).await? {
            Some(payment) => payment,
            None => return Ok(()),
        },
    };
    if !store.late_payment(origin, order_id, &payment).await? {
        // It went back before.
        return Ok(());
    }
    let how = take_back(gateway, late.order).await?;
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

/// The payment that was taken, if any was. What is pending is voided, so that none will be.
async fn taken(gateway: &impl Gateway, late: Late<'_>) -> Result<Option<String>, Fault> {
    let order_id = &late.order.order_id;
    let charge = Charge {
        key: order_id,
        amount: amount(late.order)?,
    };
    let mut answer = gateway.status(&charge).await?;
    if matches!(answer, Some(Answer::Pending { .. })) {
        answer = Some(gateway.void(order_id, Voidable::Pending).await?);
    }
    match answer {
        Some(Answer::Approved { payment }) => Ok(Some(payment)),
        None | Some(Answer::Declined | Answer::Voided) if !late.claimed => Ok(None),
        // Its right hand may know better than its left.
        _ => Err(Fault::Transient(format!(
            "the gateway says that {order_id} was paid, and when it is asked it does not"
        ))),
    }
}

async fn take_back(gateway: &impl Gateway, order: &Order) -> Result<GivenBack, Fault> {
    let charge = &order.order_id;
    if gateway.void(charge, Voidable::Any).await? == Answer::Voided {
        return Ok(GivenBack::Voided);
    }
    // It is too late to void it: the money has moved.
    let key = &format!("late-{charge}");
    let refund = Refund {
        key,
        charge,
        amount: amount(order)?,
    };
    // Whoever asked before may have died since.
    match gateway.refund_again(&refund).await? {
        Refunded::Done { .. } => Ok(GivenBack::Refunded),
        Refunded::Refused { why } => Err(Fault::Corrupt(format!(
            "the late payment of order {charge} cannot be given back: {why}"
        ))),
    }
}
