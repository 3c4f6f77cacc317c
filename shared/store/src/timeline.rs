//! The story of an order, from the row that it came from to the last of its refunds, and what its customer was told.

use std::collections::BTreeMap;

use domain::journal::{Deed, Entry, Kind, Outcome};
use domain::notification::Standing;
use domain::refund::{PaymentStatus, RefundStatus};
use domain::{Fault, Reason, Status};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::engine::Engine;
use crate::imports::ImportRecord;
use crate::notifications::NotificationRecord;
use crate::orders::{GivenBack, OrderRecord};
use crate::refunds::RefundRecord;
use crate::retry::Store;

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Timeline {
    pub order: OrderRecord,
    pub payment_status: Option<PaymentStatus>,
    pub refunds: Vec<RefundRecord>,
    pub notifications: Vec<NotificationRecord>,
    /// The first one first.
    pub events: Vec<Event>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    pub at: Timestamp,
    pub what: What,
    pub details: Details,
    /// The entry of the journal that says so, by its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<String>,
}

/// Texts by what they are.
pub type Details = BTreeMap<&'static str, String>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    Imported,
    Reserved,
    Paid,
    Completed,
    Failed,
    /// Money that came too late.
    GivenBack,
    RefundRequested,
    RefundRetried,
    RefundSent,
    RefundCompleted,
    RefundFailed,
    RefundCancelled,
    Shipped,
    Delivered,
    Cancelled,
    Notified,
    NotificationWaits,
    NotificationFailed,
    NotificationSuppressed,
}

impl What {
    pub fn name(self) -> &'static str {
        match self {
            What::Imported => "imported",
            What::Reserved => "reserved",
            What::Paid => "paid",
            What::Completed => "completed",
            What::Failed => "failed",
            What::GivenBack => "given back",
            What::RefundRequested => "refund requested",
            What::RefundRetried => "refund retried",
            What::RefundSent => "refund sent",
            What::RefundCompleted => "refund completed",
            What::RefundFailed => "refund failed",
            What::RefundCancelled => "refund cancelled",
            What::Shipped => "shipped",
            What::Delivered => "delivered",
            What::Cancelled => "cancelled",
            What::Notified => "notified",
            What::NotificationWaits => "notification waits",
            What::NotificationFailed => "notification failed",
            What::NotificationSuppressed => "notification suppressed",
        }
    }
}

impl<E: Engine> Store<E> {
    /// All that is known of an order. The zone is that of the business, whose days the journal is kept by.
    pub async fn timeline(
        &self,
        order_id: &str,
        zone: &TimeZone,
    ) -> Result<Option<Timeline>, Fault> {
        let Some(order) = self.order(order_id).await? else {
            return Ok(None);
        };
        let mut refunds = self.refunds_of(order_id).await?;
        // The index may be behind.
        if order.status == Status::Cancelled
            && let Some(refund) = self.refund_of_cancelled(order_id).await?
            && !refunds.iter().any(|one| one.refund_id == refund.refund_id)
        {
            refunds.push(refund);
        }
        let import = self.import(&order.import_id).await?;
        let import = import.map(|import| import.record);
        let entries = self.entries_of(&order, &refunds, zone).await?;
        let notifications = self.notifications_of(order_id).await?;
        let mut events = events(import.as_ref(), &order, &refunds, &entries);
        events.extend(notifications.iter().map(telling));
        events.sort_by_key(|event| event.at);
        Ok(Some(Timeline {
            payment_status: order.payment_status(),
            order,
            refunds,
            notifications,
            events,
        }))
    }
}

/// What happened, in its sequence; of the same instant, in the sequence in which an order goes through it.
fn events(
    import: Option<&ImportRecord>,
    order: &OrderRecord,
    refunds: &[RefundRecord],
    entries: &[Entry],
) -> Vec<Event> {
    let mut events = settling(import, order, entries);
    let deeds = [
        (What::Shipped, Kind::Shipped, order.shipped_at),
        (What::Delivered, Kind::Delivered, order.delivered_at),
        (What::Cancelled, Kind::Cancelled, order.cancelled_at),
    ];
    for (what, kind, at) in deeds {
        let Some(at) = at else { continue };
        let said = said(entries, order, |outcome| outcome == Outcome::Done(kind));
        let deed = said.and_then(|(_, change)| change.deed.as_ref());
        let details = deed.map_or_else(Details::new, by);
        events.push(event(at, what, details, said.map(|(entry, _)| entry)));
    }
    events.extend(refunds.iter().flat_map(|refund| refunding(refund, entries)));
    events
}

fn settling(import: Option<&ImportRecord>, order: &OrderRecord, entries: &[Entry]) -> Vec<Event> {
    let mut events = Vec::new();
    let row = [
        ("import", order.import_id.clone()),
        ("row", order.row.to_string()),
    ];
    if let Some(import) = import {
        let mut details = Details::from(row);
        details.insert("file", import.key.clone());
        events.push(event(import.created_at, What::Imported, details, None));
    }
    let batch = Details::from([("batch", order.batch_id.clone())]);
    // Those that were put on record as refused held no stock.
    let refused = matches!(
        order.failure,
        Some(Reason::OutOfStock | Reason::UnknownProduct | Reason::NoPrice)
    );
    if !refused {
        events.push(event(order.created_at, What::Reserved, batch.clone(), None));
    }
    let money = |amount: rust_decimal::Decimal| format!("{amount} {}", order.currency);
    if let Some(at) = order.paid_at {
        let mut details = Details::from([("amount", money(order.total))]);
        details.extend(order.payment.clone().map(|payment| ("payment", payment)));
        let until = order.pending_until.map(|until| until.to_string());
        details.extend(until.map(|until| ("was pending until", until)));
        events.push(event(at, What::Paid, details, None));
    }
    if let Some(at) = order.settled_at {
        let (what, mut details) = match order.failure {
            None => (What::Completed, Details::new()),
            Some(reason) => (
                What::Failed,
                Details::from([("reason", reason.name().to_owned())]),
            ),
        };
        if refused {
            details.extend(batch);
        }
        let settles = |outcome| matches!(outcome, Outcome::Completed | Outcome::Failed(_));
        let said = said(entries, order, settles);
        events.push(event(at, what, details, said.map(|(entry, _)| entry)));
    }
    if let (Some(at), Some(how)) = (order.given_back_at, order.given_back) {
        let how = match how {
            GivenBack::Voided => "voided",
            GivenBack::Refunded => "refunded",
        };
        let mut details = Details::from([("how", how.to_owned())]);
        let payment = order.late_payment.clone();
        details.extend(payment.map(|payment| ("payment", payment)));
        events.push(event(at, What::GivenBack, details, None));
    }
    events
}

/// How far it is by now.
fn telling(record: &NotificationRecord) -> Event {
    let what = match record.status {
        Standing::Sent => What::Notified,
        Standing::Pending => What::NotificationWaits,
        Standing::Failed => What::NotificationFailed,
        Standing::Suppressed => What::NotificationSuppressed,
    };
    let name = record.name();
    let mut details = Details::from([
        ("notification", name.id()),
        ("type", name.kind.to_string()),
        ("channel", record.channel.to_string()),
    ]);
    details.extend(record.failure.clone().map(|why| ("reason", why)));
    let at = record.sent_at.or(record.tried_at);
    event(at.unwrap_or(record.created_at), what, details, None)
}

fn refunding(refund: &RefundRecord, entries: &[Entry]) -> Vec<Event> {
    let named = Details::from([("refund", refund.refund_id.clone())]);
    let mut asked = named.clone();
    asked.insert("amount", format!("{} {}", refund.amount, refund.currency));
    asked.insert("by", refund.requested_by.clone());
    asked.insert("reason", refund.reason.clone());
    let lines = refund.lines.iter();
    let lines: Vec<String> = lines
        .map(|line| {
            let restock = if line.restock { ", restocked" } else { "" };
            format!("{} x {}{restock}", line.quantity, line.sku)
        })
        .collect();
    if !lines.is_empty() {
        asked.insert("lines", lines.join("; "));
    }
    let mut events = vec![event(refund.created_at, What::RefundRequested, asked, None)];
    if let Some(at) = refund.retried_at {
        let mut details = named.clone();
        details.extend(refund.retried_by.clone().map(|by| ("by", by)));
        events.push(event(at, What::RefundRetried, details, None));
    }
    if let Some(at) = refund.processing_at {
        let mut details = named.clone();
        details.insert("attempt", refund.attempts.to_string());
        events.push(event(at, What::RefundSent, details, None));
    }
    let what = match refund.status {
        RefundStatus::Pending | RefundStatus::Processing => None,
        RefundStatus::Completed => Some(What::RefundCompleted),
        RefundStatus::Failed => Some(What::RefundFailed),
        RefundStatus::Cancelled => Some(What::RefundCancelled),
    };
    if let (Some(what), Some(at)) = (what, refund.ended_at) {
        let mut details = named;
        let texts = [
            ("why", &refund.failure),
            ("reference", &refund.reference),
            ("by", &refund.cancelled_by),
        ];
        for (name, text) in texts {
            details.extend(text.clone().map(|text| (name, text)));
        }
        let id = refund.refund_id.as_str();
        let is_of = |change: &domain::journal::Change| change.refund_id.as_deref() == Some(id);
        let entry = entries.iter().find(|entry| entry.changes.iter().any(is_of));
        events.push(event(at, what, details, entry));
    }
    events
}

/// What the journal says of the order, and where.
fn said<'a>(
    entries: &'a [Entry],
    order: &OrderRecord,
    wanted: impl Fn(Outcome) -> bool,
) -> Option<(&'a Entry, &'a domain::journal::Change)> {
    let changes = entries.iter();
    let mut changes =
        changes.flat_map(|entry| entry.changes.iter().map(move |change| (entry, change)));
    changes.find(|(_, change)| change.order_id == order.order_id && wanted(change.outcome()))
}

fn by(deed: &Deed) -> Details {
    let mut details = Details::from([("by", deed.requested_by.clone())]);
    details.extend(deed.reason.clone().map(|reason| ("reason", reason)));
    details
}

fn event(at: Timestamp, what: What, details: Details, entry: Option<&Entry>) -> Event {
    Event {
        at,
        what,
        details,
        entry: entry.map(Entry::name),
    }
}
