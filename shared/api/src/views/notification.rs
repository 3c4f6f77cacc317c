//! What a customer was told, or whoever runs the mill.

use domain::notification::{Kind, Standing};
use domain::preferences::Channel;
use domain::{Currency, Status};
use jiff::Timestamp;
use serde::Serialize;
use store::notifications::NotificationRecord;
use utoipa::ToSchema;

use crate::base::link;
use crate::money::{CurrencyCode, text};

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Notification {
    id: String,
    /// Where it is found.
    url: String,
    /// The order that it is about, or the import.
    order_reference: String,
    /// `confirmation`, `failed`, `refund`, `shipping`, `delivery`, `cancellation` or `import`.
    #[schema(value_type = String)]
    notification_type: Kind,
    /// `email` or `log`.
    #[schema(value_type = String)]
    channel: Channel,
    /// Nobody, where whoever runs the mill is told of an import.
    customer_id: Option<String>,
    /// What the order was when the customer was told.
    #[schema(value_type = Option<String>)]
    order_status: Option<Status>,
    /// What the order costs, whatever this is about.
    total_amount: Option<String>,
    #[schema(value_type = Option<CurrencyCode>)]
    currency: Option<Currency>,
    /// Its text in one line.
    message: String,
    /// `pending`, `sent`, `failed` or `suppressed`: the customer wants no such mail any more, or
    /// his address takes none.
    #[schema(value_type = String)]
    status: Standing,
    /// How often it was sent, or was about to be.
    attempts: u32,
    /// Why the last attempt came to nothing.
    failure: Option<String>,
    /// The customer called a mail of it unwanted: in the words of the mail service.
    complaint: Option<String>,
    /// By which the mail service knows the mail.
    message_id: Option<String>,
    /// Who had it sent again, last.
    resent_by: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    tried_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    sent_at: Option<Timestamp>,
}

impl From<&NotificationRecord> for Notification {
    fn from(told: &NotificationRecord) -> Notification {
        let (name, order) = (told.name(), told.order());
        let id = name.id();
        let currency = order.map(|order| order.change.currency);
        Notification {
            url: link(&format!("/notifications/{id}")),
            id,
            order_reference: told.order_id.clone(),
            notification_type: name.kind,
            channel: told.channel,
            customer_id: told.customer_id().map(str::to_owned),
            order_status: order.map(|order| order.status),
            total_amount: order.map(|order| text(order.total, order.change.currency)),
            currency,
            message: told.message.clone(),
            status: told.status,
            attempts: told.attempts,
            failure: told.failure.clone(),
            complaint: told.complaint.clone(),
            message_id: told.message_id.clone(),
            resent_by: told.resent_by.clone(),
            created_at: told.created_at,
            tried_at: told.tried_at,
            sent_at: told.sent_at,
        }
    }
}
