//! Attempts to send a notification, how they end, and requests to send it again.

use domain::Fault;
use domain::limits::{REASON_BYTES, shortened};
use domain::notification::{Name, Standing};
use jiff::Timestamp;

use super::{NotificationRecord, key};
use crate::engine::Engine;
use crate::imports::milliseconds;
use crate::item::{record, value};
use crate::ops::{Change, Condition, Write, number, text};
use crate::retry::Store;

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
        let conditions = [
            Condition::Is("attempts", number(begun.attempts)),
            Condition::Is("lease_until_ms", number(begun.lease_until_ms)),
        ];
        let (mut begun, mut wait) = (begun.clone(), self.wait());
        loop {
            let (changes, conditions) = (changes.clone(), conditions.to_vec());
            let ended = self.change_status(&begun, standing, changes, conditions);
            let Err(Some(stands)) = ended.await? else {
                return Ok(());
            };
            let is_this_attempt = stands.status == Standing::Pending
                && stands.attempts == begun.attempts
                && stands.lease_until_ms == begun.lease_until_ms;
            // Only a recount changes nothing but what counts it.
            if !is_this_attempt {
                return Ok(());
            }
            begun = stands;
            let moved = format!("notification {} is being recounted", begun.name().id());
            wait.pause(Fault::Transient(moved)).await?;
        }
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
                Change::Set("unanswered", number(0)),
                Change::Set("resent_by", text(requested_by)),
                Change::Set("resent_at", text(now.to_string())),
            ];
            let conditions = vec![Condition::Is("attempts", number(found.attempts))];
            let resent = self.change_status(&found, again.status, changes, conditions);
            match resent.await? {
                Ok(()) => return Ok(Resent::Done(Box::new(again))),
                Err(_) => {
                    let moved = format!("notification {} keeps moving", name.id());
                    wait.pause(Fault::Transient(moved)).await?;
                }
            }
        }
    }
}
