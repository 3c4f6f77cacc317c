//! A refund.

use domain::Currency;
use domain::refund::RefundStatus;
use jiff::Timestamp;
use serde::Serialize;
use store::refunds::RefundRecord;
use utoipa::ToSchema;

use crate::base::link;
use crate::money::{CurrencyCode, text};

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Refund {
    pub refund_id: String,
    /// Where it is found.
    pub url: String,
    pub order_id: String,
    pub customer_id: String,
    #[schema(value_type = CurrencyCode)]
    pub currency: Currency,
    #[schema(example = "25.00")]
    pub amount: String,
    /// `full`, where whatever was left was asked for; else `partial`.
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    pub kind: &'static str,
    /// What came back.
    pub lines: Vec<RefundLine>,
    pub reason: String,
    pub requested_by: String,
    /// `pending`, `processing`, `completed`, `failed` or `cancelled`.
    pub status: String,
    /// How often the gateway was to be asked: once, and once more for each retry.
    pub attempts: u32,
    /// Why the gateway said no.
    pub failure: Option<String>,
    /// The gateway's own reference.
    pub reference: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
    /// Who tried it again last: somebody, or `gateway`, where it gave the money back after it had said no.
    pub retried_by: Option<String>,
    /// Who took it back.
    pub cancelled_by: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct RefundLine {
    pub sku: String,
    pub quantity: u32,
    pub unit_price: String,
    /// Whether it can be sold again.
    pub restock: bool,
}

impl Refund {
    /// As it is.
    pub fn now(refund: &RefundRecord) -> Refund {
        let lines = refund.lines.iter().map(|line| RefundLine {
            sku: line.sku.clone(),
            quantity: line.quantity,
            unit_price: text(line.unit_price, refund.currency),
            restock: line.restock,
        });
        Refund {
            refund_id: refund.refund_id.clone(),
            url: link(&format!("/refunds/{}", refund.refund_id)),
            order_id: refund.order_id.clone(),
            customer_id: refund.customer_id.clone(),
            currency: refund.currency,
            amount: text(refund.amount, refund.currency),
            kind: if refund.full { "full" } else { "partial" },
            lines: lines.collect(),
            reason: refund.reason.clone(),
            requested_by: refund.requested_by.clone(),
            status: refund.status.name().to_ascii_lowercase(),
            attempts: refund.attempts,
            failure: refund.failure.clone(),
            reference: refund.reference.clone(),
            created_at: refund.created_at,
            ended_at: refund.ended_at,
            retried_by: refund.retried_by.clone(),
            cancelled_by: refund.cancelled_by.clone(),
        }
    }

    /// As it was when it was asked for: whoever repeats a request gets the first answer, whatever happened since.
    pub fn first(refund: &RefundRecord) -> Refund {
        Refund {
            status: RefundStatus::Pending.name().to_ascii_lowercase(),
            attempts: 0,
            failure: None,
            reference: None,
            ended_at: None,
            retried_by: None,
            cancelled_by: None,
            ..Refund::now(refund)
        }
    }
}
