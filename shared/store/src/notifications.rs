//! Notifications as they are kept: each is put on record once, and what becomes of it changes that record.
//!
//! A record holds what it tells, so that its text can be written again at any time. It does not hold the address: that is the
//! customer's, or the stack's, and may be mended before the next attempt.

use std::mem;

use domain::journal::{Change as JournalChange, Kind, Outcome};
use domain::limits::{REASON_BYTES, shortened};
use domain::notification::{Name, OrderTold, Standing, Told};
use domain::preferences::Channel;
use domain::{Fault, Status};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::engine::Engine;
use crate::imports::milliseconds;
use crate::item::{item, record, value};
use crate::ops::{Change, Condition, Item, Key, Query, Write, number, text};
use crate::orders::OrderRecord;
use crate::pending::attribute;
use crate::retry::Store;
use crate::schema::Table;

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
        }
    }

    /// Whether another run is at it, or nobody is to try yet.
    pub fn is_held(&self, now: Timestamp) -> bool {
        self.lease_until_ms >= milliseconds(now)
    }

    pub fn name(&self) -> Name {
        self.told.name()
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

/// What became of a wish to send one.
#[derive(Debug, Clone, PartialEq)]
pub enum Begun {
    /// It is this caller's to send: nobody else does until the lease ends.
    Yours(Box<NotificationRecord>),
    /// Another run is at it.
    Held,
    /// It is not to be sent, or not any more.
    Over(Box<NotificationRecord>),
    Unknown,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    Sent {
        /// By which the mail service knows the mail. What is for the log has none.
        message_id: Option<String>,
    },
    Failed(String),
    Suppressed(String),
    /// It may succeed later.
    NotYet(String),
    /// It may have gone out or not. Nobody is to try again before that.
    Unanswered {
        why: String,
        until: Timestamp,
    },
}

/// What became of a wish to have one sent again.
#[derive(Debug, Clone, PartialEq)]
pub enum Resent {
    Done(Box<NotificationRecord>),
    /// It did not fail, and was not forced.
    Refused(Box<NotificationRecord>),
    Unknown,
}

impl<E: Engine> Store<E> {
    /// Puts these on record, none of them twice. For each of them in their sequence: whether this did it. One that is on
    /// record stays as it is.
    pub async fn put_notifications(
        &self,
        records: &[NotificationRecord],
    ) -> Result<Vec<bool>, Fault> {
        let put = |record: &NotificationRecord| {
            Ok(Write::Put {
                table: Table::Notifications,
                item: item(record)?,
                condition: Condition::Absent,
            })
        };
        let puts: Vec<Write> = records.iter().map(put).collect::<Result<_, Fault>>()?;
        let answers = self.update_many(&puts).await?;
        Ok(answers.iter().map(Result::is_ok).collect())
    }

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

    /// Counts an attempt to send one, before it is made: who dies after the mail went out leaves an attempt that tells so.
    /// What is known of it may be behind: then it is the record as it stands that decides.
    pub async fn begin_sending(
        &self,
        known: &NotificationRecord,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Begun, Fault> {
        let (name, mut found, mut wait) = (known.name(), known.clone(), self.wait());
        loop {
            let begun = NotificationRecord {
                attempts: found.attempts.saturating_add(1),
                lease_until_ms: milliseconds(until),
                tried_at: Some(now),
                ..found.clone()
            };
            let update = Write::Update {
                key: key(&name),
                changes: vec![
                    Change::Set("attempts", number(begun.attempts)),
                    Change::Set("lease_until_ms", number(begun.lease_until_ms)),
                    Change::Set("tried_at", text(now.to_string())),
                ],
                condition: Condition::All(vec![
                    Condition::Is("status", value(&Standing::Pending)?),
                    Condition::Is("attempts", number(found.attempts)),
                    Condition::Below("lease_until_ms", milliseconds(now)),
                ]),
            };
            let Err(stands) = self.write(&update).await? else {
                return Ok(Begun::Yours(Box::new(begun)));
            };
            found = match stands.map(record::<NotificationRecord>).transpose()? {
                None => return Ok(Begun::Unknown),
                Some(stands) if stands.status != Standing::Pending => {
                    return Ok(Begun::Over(Box::new(stands)));
                }
                Some(stands) if stands.is_held(now) => return Ok(Begun::Held),
                Some(stands) => stands,
            };
            let moved = format!("notification {} keeps moving", name.id());
            wait.pause(Fault::Transient(moved)).await?;
        }
    }

    /// Says how an attempt ended. Where another one was begun meanwhile, or asked for, that one's end is what counts.
    pub async fn end_sending(
        &self,
        begun: &NotificationRecord,
        ended: &Ended,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let standing = match ended {
            Ended::Sent { .. } => Standing::Sent,
            Ended::Failed(_) => Standing::Failed,
            Ended::Suppressed(_) => Standing::Suppressed,
            Ended::NotYet(_) | Ended::Unanswered { .. } => Standing::Pending,
        };
        let (unanswered, lease_until_ms) = match ended {
            Ended::Unanswered { until, .. } => {
                (begun.unanswered.saturating_add(1), milliseconds(*until))
            }
            _ => (begun.unanswered, 0),
        };
        let mut changes = vec![
            Change::Set("status", value(&standing)?),
            Change::Set("unanswered", number(unanswered)),
            Change::Set("lease_until_ms", number(lease_until_ms)),
        ];
        changes.extend(match ended {
            Ended::Sent { message_id } => {
                let message_id = message_id.as_deref();
                let named = message_id.map(|id| Change::Set("message_id", text(id)));
                let sent = Change::Set("sent_at", text(now.to_string()));
                [sent, Change::Remove("failure")]
                    .into_iter()
                    .chain(named)
                    .collect()
            }
            Ended::Failed(why)
            | Ended::Suppressed(why)
            | Ended::NotYet(why)
            | Ended::Unanswered { why, .. } => {
                vec![Change::Set("failure", text(shortened(why, REASON_BYTES)))]
            }
        });
        let update = Write::Update {
            key: key(&begun.name()),
            changes,
            condition: Condition::All(vec![
                Condition::Is("status", value(&Standing::Pending)?),
                Condition::Is("attempts", number(begun.attempts)),
                Condition::Is("lease_until_ms", number(begun.lease_until_ms)),
            ]),
        };
        let _written = self.write(&update).await?;
        Ok(())
    }

    /// Opens one that failed or was suppressed, or any where that is forced, for another attempt. One that is pending stays as
    /// it is: who asked before may have died before its message was sent, and one message more does no harm.
    pub async fn resend_notification(
        &self,
        name: &Name,
        force: bool,
        requested_by: &str,
        now: Timestamp,
    ) -> Result<Resent, Fault> {
        let mut wait = self.wait();
        loop {
            let Some(found) = self.notification(name).await? else {
                return Ok(Resent::Unknown);
            };
            match found.status {
                Standing::Sent if !force => {
                    return Ok(Resent::Refused(Box::new(found)));
                }
                Standing::Pending => return Ok(Resent::Done(Box::new(found))),
                Standing::Sent | Standing::Failed | Standing::Suppressed => {}
            }
            let again = NotificationRecord {
                status: Standing::Pending,
                unanswered: 0,
                resent_by: Some(requested_by.to_owned()),
                resent_at: Some(now),
                ..found.clone()
            };
            let changes = vec![
                Change::Set("status", value(&again.status)?),
                Change::Set("unanswered", number(0)),
                Change::Set("resent_by", text(requested_by)),
                Change::Set("resent_at", text(now.to_string())),
            ];
            let update = Write::Update {
                key: key(name),
                changes,
                condition: Condition::All(vec![
                    Condition::Is("status", value(&found.status)?),
                    Condition::Is("attempts", number(found.attempts)),
                ]),
            };
            match self.write(&update).await? {
                Ok(()) => return Ok(Resent::Done(Box::new(again))),
                Err(_) => {
                    let moved = format!("notification {} keeps moving", name.id());
                    wait.pause(Fault::Transient(moved)).await?;
                }
            }
        }
    }
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
