//! The queue of refunds: a message names one, and lives until that refund has reached its end.
//!
//! Who asks for a refund puts it on record first, and sends its message then. One that is lost in between is found on
//! record by `expire`, and sent again.

use domain::Fault;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use store::lifecycle::{Asked, Changed};
use store::refunds::{Moved, RefundRecord, RefundRequest, Requested};
use store::{Engine, Moment, Store};

use crate::objects;
use crate::outbox::{Outgoing, SqsOutbox};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefundMessage {
    pub refund_id: String,
}

impl RefundMessage {
    pub fn read(body: &str) -> Result<RefundMessage, Fault> {
        let message: RefundMessage = objects::from_str(body).map_err(|error| {
            Fault::unreadable("not the id of a refund", error.line(), error.column())
        })?;
        match message.refund_id.is_empty() {
            true => Err(Fault::Malformed("a refund without an id".to_owned())),
            false => Ok(message),
        }
    }
}

pub trait Refunds {
    /// Returns when all of them are in the queue.
    fn send(&self, refunds: Vec<RefundMessage>) -> impl Future<Output = Result<(), Fault>>;
}

impl Refunds for SqsOutbox {
    async fn send(&self, refunds: Vec<RefundMessage>) -> Result<(), Fault> {
        let messages = refunds.into_iter().map(|message| {
            let body = serde_json::to_string(&message)
                .map_err(|error| Fault::Corrupt(format!("a refund could not be sent: {error}")))?;
            // Each is a group of its own: none of them waits for another.
            let group = message.refund_id;
            Ok(Outgoing { group, body })
        });
        SqsOutbox::send(self, messages.collect::<Result<_, Fault>>()?).await
    }
}

/// Puts a refund on record, and sends it on its way. A repetition sends it again while it is open: whoever repeats a
/// request may have died before its message was sent.
pub async fn request<E: Engine>(
    store: &Store<E>,
    refunds: &impl Refunds,
    request: &RefundRequest<'_>,
    now: Timestamp,
) -> Result<Requested, Fault> {
    let requested = store.request_refund(request, now).await?;
    if let Requested::New(refund) | Requested::Replayed(refund) = &requested
        && refund.status.is_open()
    {
        send(refunds, &refund.refund_id).await?;
    }
    Ok(requested)
}

/// Puts a refund that failed on its way again.
pub async fn retry<E: Engine>(
    store: &Store<E>,
    refunds: &impl Refunds,
    refund_id: &str,
    by: &str,
    now: Timestamp,
) -> Result<Moved, Fault> {
    let moved = store.retry_refund(refund_id, by, now).await?;
    if let Moved::Done(refund) = &moved
        && refund.status.is_open()
    {
        send(refunds, &refund.refund_id).await?;
    }
    Ok(moved)
}

/// What became of a cancellation, and its refund as it is now: nothing where there was nothing to refund, or none was made.
#[derive(Debug, Clone, PartialEq)]
pub struct Cancelled {
    pub changed: Changed,
    pub refund: Option<RefundRecord>,
}

/// Cancels an order, and sends the refund of what was left of it on its way. A repetition sends it again while it is open.
pub async fn cancel_order<E: Engine>(
    store: &Store<E>,
    refunds: &impl Refunds,
    order_id: &str,
    asked: &Asked<'_>,
    moment: &Moment,
) -> Result<Cancelled, Fault> {
    let changed = store.cancel_order(order_id, asked, moment).await?;
    let refund = match &changed {
        Changed::Done(_) | Changed::Already(_) => store.refund_of_cancelled(order_id).await?,
        Changed::NoSuchOrder | Changed::Refused(_) => None,
    };
    if let Some(refund) = &refund
        && refund.status.is_open()
    {
        send(refunds, &refund.refund_id).await?;
    }
    Ok(Cancelled { changed, refund })
}

async fn send(refunds: &impl Refunds, refund_id: &str) -> Result<(), Fault> {
    let refund_id = refund_id.to_owned();
    refunds.send(vec![RefundMessage { refund_id }]).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_one_refund() {
        let read = |body: &str| RefundMessage::read(body).map(|message| message.refund_id);
        assert_eq!(read(r#"{"refund_id": "re_1"}"#), Ok("re_1".to_owned()));
        for wrong in [
            "",
            "re_1",
            "{}",
            r#"{"refund_id": ""}"#,
            r#"{"refund_id": 1}"#,
        ] {
            assert!(matches!(read(wrong), Err(Fault::Malformed(_))), "{wrong}");
        }
    }
}
