//! What a customer was told.

use domain::notification::{Kind, Standing};
use domain::preferences::Channel;
use domain::{Currency, Status};
use jiff::Timestamp;
use serde::Serialize;
use store::notifications::NotificationRecord;
use utoipa::ToSchema;

use crate::money::{CurrencyCode, text};

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Notification {
    id: String,
    /// Where it is found.
    url: String,
    /// The order that it is about.
    order_reference: String,
    /// `confirmation`, `failed`, `refund`, `shipping`, `delivery` or `cancellation`.
    #[schema(value_type = String)]
    notification_type: Kind,
    /// `email` or `log`.
    #[schema(value_type = String)]
    channel: Channel,
    customer_id: String,
    /// What the order was when the customer was told.
    #[schema(value_type = String)]
    order_status: Status,
    /// What the order costs, whatever this is about.
    total_amount: String,
    #[schema(value_type = CurrencyCode)]
    currency: Currency,
    /// Its text in one line.
    message: String,
    /// `pending`, `sent`, `failed` or `suppressed`: the customer wants no such mail any more.
    #[schema(value_type = String)]
    status: Standing,
    /// How often it was sent, or was about to be.
    attempts: u32,
    /// Why the last attempt came to nothing.
    failure: Option<String>,
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
        let (name, currency) = (told.name(), told.change.currency);
        let id = name.id();
        Notification {
            url: format!("/notifications/{id}"),
            id,
            order_reference: told.order_id.clone(),
            notification_type: name.kind,
            channel: told.channel,
            customer_id: told.change.customer_id.clone(),
            order_status: told.order_status,
            total_amount: text(told.total, currency),
            currency,
            message: told.message.clone(),
            status: told.status,
            attempts: told.attempts,
            failure: told.failure.clone(),
            message_id: told.message_id.clone(),
            resent_by: told.resent_by.clone(),
            created_at: told.created_at,
            tried_at: told.tried_at,
            sent_at: told.sent_at,
        }
    }
}
