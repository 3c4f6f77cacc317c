//! An order, and its story.

use std::collections::BTreeMap;

use domain::{Currency, Reason, Status};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rust_decimal::Decimal;
use serde::Serialize;
use store::orders::OrderRecord;
use store::timeline::{Event, Timeline};
use utoipa::ToSchema;

use super::{Notification, Refund};
use crate::base::link;
use crate::money::{CurrencyCode, text};

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Order {
    pub order_id: String,
    pub url: String,
    /// `RESERVED`, `PAYMENT_PENDING`, `PAID`, `COMPLETED`, `SHIPPED`, `DELIVERED`, `CANCELLED` or `FAILED`.
    #[schema(value_type = String)]
    pub status: Status,
    /// `paid`, `partially_refunded` or `refunded`; nothing where nobody has paid.
    #[schema(value_type = Option<String>)]
    pub payment_status: Option<&'static str>,
    pub customer_id: String,
    #[schema(value_type = CurrencyCode)]
    pub currency: Currency,
    pub total: String,
    /// How far the total is from the sum of the lines.
    pub adjustment: String,
    pub refunded: String,
    /// On its way back.
    pub refunding: String,
    /// What can still be refunded.
    pub refundable: String,
    pub lines: Vec<OrderLine>,
    /// Why it failed.
    #[schema(value_type = Option<String>)]
    pub failure: Option<Reason>,
    /// The gateway's own reference.
    pub payment: Option<String>,
    /// The import that it came with, and its row there.
    pub import_id: String,
    pub row: u64,
    pub batch_id: String,
    /// As the file says it.
    pub ordered_at: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub paid_at: Option<Timestamp>,
    /// When it was completed, or when it failed.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub settled_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub shipped_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub delivered_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub cancelled_at: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct OrderLine {
    pub sku: String,
    pub quantity: u32,
    pub unit_price: String,
    /// Units that came back, or are about to.
    pub returned: u32,
}

impl From<&OrderRecord> for Order {
    fn from(order: &OrderRecord) -> Order {
        let amount = |amount: Decimal| text(amount, order.currency);
        let returned = order.returned.iter().copied().chain(std::iter::repeat(0));
        let lines = order.lines.iter().zip(returned);
        let lines = lines.map(|(line, returned)| OrderLine {
            sku: line.sku.clone(),
            quantity: line.quantity,
            unit_price: amount(line.unit_price),
            returned,
        });
        Order {
            order_id: order.order_id.clone(),
            url: link(&format!("/orders/{}", segment(&order.order_id))),
            status: order.status,
            payment_status: order.payment_status().map(|status| status.name()),
            customer_id: order.customer_id.clone(),
            currency: order.currency,
            total: amount(order.total),
            adjustment: amount(order.adjustment),
            refunded: amount(order.refunded),
            refunding: amount(order.refunding),
            refundable: amount(order.refundable),
            lines: lines.collect(),
            failure: order.failure,
            payment: order.payment.clone(),
            import_id: order.import_id.clone(),
            row: order.row,
            batch_id: order.batch_id.clone(),
            ordered_at: order.ordered_at.clone(),
            created_at: order.created_at,
            paid_at: order.paid_at,
            settled_at: order.settled_at,
            shipped_at: order.shipped_at,
            delivered_at: order.delivered_at,
            cancelled_at: order.cancelled_at,
        }
    }
}

/// What may stand in a path as it is.
const PLAIN: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A name as a part of a path.
pub fn segment(name: &str) -> String {
    utf8_percent_encode(name, &PLAIN).to_string()
}

/// An order with all that happened to it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct OrderStory {
    #[serde(flatten)]
    pub order: Order,
    /// The first one first.
    pub timeline: Vec<TimelineEvent>,
    pub refunds: Vec<Refund>,
    /// What the customer was told.
    pub notifications: Vec<Notification>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct TimelineEvent {
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// What happened: `imported`, `reserved`, `paid`, `completed`, `refund_requested` …
    what: String,
    /// What else is known of it.
    #[schema(value_type = BTreeMap<String, String>)]
    details: BTreeMap<&'static str, String>,
    /// The entry of the journal that says so.
    entry: Option<String>,
}

impl From<Event> for TimelineEvent {
    fn from(event: Event) -> TimelineEvent {
        TimelineEvent {
            at: event.at,
            what: event.what.name().replace(' ', "_"),
            details: event.details,
            entry: event.entry,
        }
    }
}

impl From<Timeline> for OrderStory {
    fn from(story: Timeline) -> OrderStory {
        let notifications = story.notifications.iter();
        OrderStory {
            order: Order::from(&story.order),
            timeline: story.events.into_iter().map(TimelineEvent::from).collect(),
            refunds: story.refunds.iter().map(Refund::now).collect(),
            notifications: notifications.map(Notification::from).collect(),
        }
    }
}
