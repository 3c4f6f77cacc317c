//! What the mail service tells of a mail after it took it. It may tell so before our own record says that it took it, and any
//! number of times.

use domain::Fault;
use domain::limits::{REASON_BYTES, shortened};
use domain::notification::{Name, Standing};
use jiff::Timestamp;

use crate::engine::Engine;
use crate::imports::milliseconds;
use crate::notifications::key;
use crate::ops::{Change, Condition, Write, text};
use crate::retry::Store;

/// What became of what the service told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noted {
    Done,
    /// It is about no mail that still counts: it was noted before, or another attempt was made since.
    Over,
    /// A run is about to put on record which mail it sent.
    TooEarly,
    /// There is no such notification.
    Unknown,
}

impl<E: Engine> Store<E> {
    /// The mail that the service knows by this id came back: how a notification stands that says it was sent, and in which words.
    pub async fn mail_came_back(
        &self,
        name: &Name,
        message_id: &str,
        (stands, why): (Standing, &str),
        now: Timestamp,
    ) -> Result<Noted, Fault> {
        let mut wait = self.wait();
        loop {
            let Some(found) = self.notification(name).await? else {
                return Ok(Noted::Unknown);
            };
            let is_last = found.message_id.as_deref() == Some(message_id);
            match found.status {
                Standing::Sent if is_last => {}
                // Who holds it may have sent this very mail. When nobody does, nobody will say so any more.
                Standing::Pending if !is_last && found.lease_until_ms >= milliseconds(now) => {
                    return Ok(Noted::TooEarly);
                }
                _ => return Ok(Noted::Over),
            }
            let changes = vec![Change::Set("failure", text(shortened(why, REASON_BYTES)))];
            let conditions = vec![Condition::Is("message_id", text(message_id))];
            match self
                .change_status(&found, stands, changes, conditions)
                .await?
            {
                Ok(()) => return Ok(Noted::Done),
                Err(_) => {
                    let moved = format!("notification {} keeps moving", name.id());
                    wait.pause(Fault::Transient(moved)).await?;
                }
            }
        }
    }

    /// Its customer called a mail of it unwanted. It arrived all the same.
    pub async fn mail_unwanted(&self, name: &Name, why: &str) -> Result<Noted, Fault> {
        let update = Write::Update {
            key: key(name),
            changes: vec![Change::Set("complaint", text(shortened(why, REASON_BYTES)))],
            condition: Condition::Is("order_id", text(&name.order_id)),
        };
        Ok(match self.write(&update).await? {
            Ok(()) => Noted::Done,
            Err(_) => Noted::Unknown,
        })
    }
}
