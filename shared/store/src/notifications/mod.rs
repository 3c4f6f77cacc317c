//! Notifications as they are kept: each is put on record once, and what becomes of it changes that record.
//!
//! A record holds what it tells, so that its text can be written again at any time. It does not hold the address: that is the
//! customer's, or the stack's, and may be mended before the next attempt.

mod counts;
mod recount;
mod sending;

use std::mem;

use domain::journal::{Change as JournalChange, Kind, Outcome};
use domain::notification::{Name, OrderTold, Standing, Told};
use domain::preferences::Channel;
use domain::{Fault, Status};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::engine::Engine;
use crate::imports::milliseconds;
use crate::item::{item, record};
use crate::ops::{Item, Key, Query, text};
use crate::orders::OrderRecord;
use crate::pending::attribute;
use crate::retry::Store;
use crate::schema::Table;

use counts::index_entry;
pub use counts::{Counts, Group};
pub(crate) use counts::{UNLISTED, listed_in, place};
pub use sending::{Begun, Ended, Resent};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NotificationRecord {
    /// The order that it tells of, or the import.
    pub order_id: String,
    /// Its place among the notifications of that: kind, and what tells it from others of that kind.
    pub part: String,
    pub channel: Channel,
    pub status: Standing,
    #[serde(with = "as_text")]
    pub told: Told,
    /// Its text in one line.
    pub message: String,
    /// How often it was sent, or was about to be.
    pub attempts: u32,
    /// How many of them the mail service never answered: each may have gone out.
    #[serde(default)]
    pub unanswered: u32,
    /// Until then the run that makes the last attempt is believed to live, or nobody is to try.
    pub(crate) lease_until_ms: u64,
    #[serde(with = "crate::instant")]
    pub created_at: Timestamp,
    /// That of its beginning, in UTC: lists go through notifications day by day.
    pub day: Date,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tried_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<Timestamp>,
    /// Why the last attempt came to nothing, in the words of whoever refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// By which the mail service knows the mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// Who had it sent again, last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resent_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resent_at: Option<Timestamp>,
    /// The customer called a mail of it unwanted: in the words of the mail service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub complaint: Option<String>,
    /// The generation whose counters count it. A record of an earlier release has none: it is not counted yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted: Option<u32>,
}

/// What a customer is told of a change: his order, and apart from it what came back. Of one that it settles, the change itself
/// says all.
pub fn told_of(mut change: JournalChange, order: Option<&OrderRecord>) -> Result<OrderTold, Fault> {
    let status = match change.outcome() {
        Outcome::Completed | Outcome::Failed(_) => {
            let status = match change.failure {
                None => Status::Completed,
                Some(_) => Status::Failed,
            };
            return Ok(OrderTold {
                total: change.total,
                back: Vec::new(),
                status,
                change,
            });
        }
        Outcome::Refunded => None,
        Outcome::Done(Kind::Shipped) => Some(Status::Shipped),
        Outcome::Done(Kind::Delivered) => Some(Status::Delivered),
        Outcome::Done(Kind::Cancelled) => Some(Status::Cancelled),
    };
    let order = order.ok_or_else(|| {
        let order_id = &change.order_id;
        Fault::Corrupt(format!("order {order_id} is told of, and not there"))
    })?;
    let lines = order.lines.iter();
    let lines = lines.map(|line| (line.sku.clone(), line.quantity, line.unit_price));
    Ok(OrderTold {
        back: mem::replace(&mut change.lines, lines.collect()),
        status: status.unwrap_or(order.status),
        total: order.total,
        change,
    })
}

/// What stands in a new record.
pub struct New {
    pub channel: Channel,
    pub told: Told,
    pub message: String,
}

impl NotificationRecord {
    /// One for the log is sent with this record.
    pub fn new(new: New, now: Timestamp) -> NotificationRecord {
        let name = new.told.name();
        let logged = new.channel == Channel::Log;
        NotificationRecord {
            part: name.part(),
            order_id: name.order_id,
            channel: new.channel,
            status: match logged {
                true => Standing::Sent,
                false => Standing::Pending,
            },
            told: new.told,
            message: new.message,
            attempts: u32::from(logged),
            unanswered: 0,
            lease_until_ms: 0,
            created_at: now,
            day: TimeZone::UTC.to_datetime(now).date(),
            tried_at: None,
            sent_at: logged.then_some(now),
            failure: None,
            message_id: None,
            resent_by: None,
            resent_at: None,
            complaint: None,
            counted: None,
        }
    }

    /// Whether another run is at it, or nobody is to try yet.
    pub fn is_held(&self, now: Timestamp) -> bool {
        self.lease_until_ms >= milliseconds(now)
    }

    pub fn name(&self) -> Name {
        self.told.name()
    }

    /// What the counters count it as.
    pub fn group(&self) -> Group {
        (self.channel, self.name().kind, self.status)
    }

    /// The order's part, where it tells of one.
    pub fn order(&self) -> Option<&OrderTold> {
        match &self.told {
            Told::Order(order) => Some(order),
            Told::Import(_) => None,
        }
    }

    pub fn customer_id(&self) -> Option<&str> {
        Some(&self.order()?.change.customer_id)
    }
}

impl<E: Engine> Store<E> {
    pub async fn notification(&self, name: &Name) -> Result<Option<NotificationRecord>, Fault> {
        self.get(&key(name)).await?.map(record).transpose()
    }

    /// As many answers as names, in their sequence. What was written a moment ago may be missing.
    pub async fn notifications(
        &self,
        names: &[Name],
    ) -> Result<Vec<Option<NotificationRecord>>, Fault> {
        let keys: Vec<Key> = names.iter().map(key).collect();
        let found = self.get_many(&keys).await?.into_iter();
        found.map(|item| item.map(record).transpose()).collect()
    }

    /// All of an order, the first one first.
    pub async fn notifications_of(&self, order_id: &str) -> Result<Vec<NotificationRecord>, Fault> {
        if order_id.is_empty() {
            return Ok(Vec::new());
        }
        let query = Query::of(Table::Notifications, None, order_id);
        let items = self.query_all(query).await?.into_iter();
        let mut found: Vec<NotificationRecord> = items.map(record).collect::<Result<_, Fault>>()?;
        found.sort_by(|one, other| {
            (one.created_at, &one.part).cmp(&(other.created_at, &other.part))
        });
        Ok(found)
    }

    pub async fn each_notification(
        &self,
        mut each: impl FnMut(NotificationRecord),
    ) -> Result<(), Fault> {
        self.scan_all(Table::Notifications, |item| record(item).map(&mut each))
            .await
    }
}

/// As it is stored: the record, and the attributes of the index by groups.
pub(crate) fn stored(record: &NotificationRecord) -> Result<Item, Fault> {
    let mut item = item(record)?;
    let entry = index_entry(record).into_iter().flatten();
    item.extend(entry.map(|(name, value)| (name.to_owned(), text(value))));
    Ok(item)
}

/// The name of what an item of the table, or of its index, stands for.
pub(crate) fn name_of(item: &Item) -> Result<Name, Fault> {
    let order_id: String = attribute(item, "order_id")?;
    let part: String = attribute(item, "part")?;
    Name::at(&order_id, &part)
        .ok_or_else(|| Fault::Corrupt(format!("{order_id} has no notification {part}")))
}

pub(crate) fn key(name: &Name) -> Key {
    Key::sorted(Table::Notifications, &name.order_id, &name.part())
}

/// Compact, as the journal has it.
mod as_text {
    use serde::de::Error;
    use serde::ser;
    use serde::{Deserialize, Deserializer, Serializer};

    use super::Told;

    pub fn serialize<S: Serializer>(told: &Told, serializer: S) -> Result<S::Ok, S::Error> {
        let text = serde_json::to_string(told).map_err(ser::Error::custom)?;
        serializer.serialize_str(&text)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Told, D::Error> {
        let text = String::deserialize(deserializer)?;
        serde_json::from_str(&text).map_err(D::Error::custom)
    }
}
