//! The queue of mails: a message names a notification, and lives until that is sent, or refused for good.
//!
//! Who has something to tell puts it on record first, and sends its message then. A message may come any number of times: the
//! record says whether there is anything left to send.

use domain::notification::{Kind, Name, Standing};
use domain::{Fault, ids};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use store::notifications::Resent;
use store::{Engine, Store};

use crate::objects;
use crate::outbox::{Outgoing, SqsOutbox};

/// The tag of mails that names a notification: by it a person, and `feedback`, find what the service says of one.
pub const TAG: &str = "notification";

/// What is written for the log is marked by this, and written at every level.
pub const LOG: &str = "notices::log";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailMessage {
    pub notification_id: String,
}

impl MailMessage {
    pub fn of(name: &Name) -> MailMessage {
        MailMessage {
            notification_id: name.id(),
        }
    }

    pub fn read(body: &str) -> Result<Name, Fault> {
        let message: MailMessage = objects::from_str(body).map_err(|error| {
            Fault::unreadable("not the id of a notification", error.line(), error.column())
        })?;
        Name::parse(&message.notification_id)
            .ok_or_else(|| Fault::Malformed("not the id of a notification".to_owned()))
    }
}

pub trait Mails {
    /// Returns when all of them are in the queue.
    fn send(&self, mails: Vec<MailMessage>) -> impl Future<Output = Result<(), Fault>>;
}

impl Mails for SqsOutbox {
    async fn send(&self, mails: Vec<MailMessage>) -> Result<(), Fault> {
        let messages = mails.into_iter().map(|mail| {
            let body = serde_json::to_string(&mail)
                .map_err(|error| Fault::Corrupt(format!("a mail could not be sent: {error}")))?;
            // Each is a group of its own: none of them waits for another.
            let group = ids::short_hash(&[&mail.notification_id]);
            Ok(Outgoing { group, body })
        });
        SqsOutbox::send(self, messages.collect::<Result<_, Fault>>()?).await
    }
}

/// Tells by the log. Once or more: its id tells.
pub fn log(name: &Name, subject: &str, text: &str) {
    let id = name.order_id.as_str();
    let (order_id, import_id) = match name.kind {
        Kind::Import => (None, Some(id)),
        _ => (Some(id), None),
    };
    tracing::info!(
        target: LOG,
        {
            notification.id = name.id(),
            order.id = order_id,
            import.id = import_id,
            subject = subject,
            text = text,
        },
        "notified"
    );
}

/// Has a notification sent once more, by the way that it went: one that failed, or any where that is forced. One whose message
/// was lost is sent again by a repetition that is forced.
pub async fn resend<E: Engine>(
    store: &Store<E>,
    mails: &impl Mails,
    name: &Name,
    force: bool,
    requested_by: &str,
    now: Timestamp,
) -> Result<Resent, Fault> {
    let resent = store
        .resend_notification(name, force, requested_by, now)
        .await?;
    if let Resent::Done(record) = &resent
        && record.status == Standing::Pending
    {
        mails.send(vec![MailMessage::of(name)]).await?;
    }
    Ok(resent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_one_notification() {
        let name = Name::at("O-1", "refund#re_1").expect("a name");
        let body = serde_json::to_string(&MailMessage::of(&name)).expect("json");
        assert_eq!(MailMessage::read(&body), Ok(name));
        for wrong in [
            "",
            "{}",
            r#"{"notification_id": "nt_1"}"#,
            r#"{"notification_id": 1}"#,
        ] {
            let read = MailMessage::read(wrong);
            assert!(matches!(read, Err(Fault::Malformed(_))), "{wrong}");
        }
    }
}
