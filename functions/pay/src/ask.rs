//! What the gateway says of an order, and what that means for it. Writes nothing.

use domain::{Fault, Money, Order, Reason, Review};
use payments::{Answer, Charge, Gateway, Voidable};
use store::ops::Write;
use store::orders::{self, Origin};
use store::pending;

use crate::Terms;

/// The payment of an order that costs nothing: no gateway is asked for it.
const FREE: &str = "free";

#[derive(Debug)]
pub enum Decision {
    Pay { payment: String },
    Hold { payment: String },
    Refuse(Reason),
}

impl Decision {
    pub fn write(
        &self,
        import_id: &str,
        order: &Order,
        terms: Terms,
    ) -> Result<Option<Write>, Fault> {
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

/// Charges, or finds out how the charge stands.
pub async fn decide(
    gateway: &impl Gateway,
    order: &Order,
    seen: bool,
    review: Option<Review>,
) -> Result<Decision, Fault> {
    let key = &order.order_id;
    let amount = amount(order)?;
    if amount.amount().is_zero() {
        let payment = FREE.to_owned();
        return Ok(Decision::Pay { payment });
    }
    let charge = Charge { key, amount };
    // A gateway may forget after a day under which keys it was asked, but not what it charged. So one that was asked
    // before, however long ago, is first asked what became of it.
    let known = match seen {
        true => gateway.status(&charge).await?,
        false => None,
    };
    let mut answer = match known {
        Some(answer) => answer,
        None if review.is_some() => {
            return Err(Fault::Corrupt(format!(
                "the gateway has spoken of the charge of {key}, and does not know it"
            )));
        }
        None => gateway.charge(&charge).await?,
    };
    let expired = review == Some(Review::Expiry);
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

pub fn amount(order: &Order) -> Result<Money, Fault> {
    Money::new(order.total, order.currency).map_err(|error| Fault::Malformed(error.to_string()))
}
