//! Gives money back: asks the gateway for each refund that a message names, and puts its answer on record.
//!
//! The gateway is asked under the refund's id, in every attempt. No answer is never taken for a no: then the message comes
//! back, and the gateway is asked what became of it, and once more where it knows nothing.

use std::time::Duration;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use domain::Fault;
use domain::limits::{TEXT_BYTES, shortened};
use domain::refund::RefundStatus;
use edge::Invocation;
use edge::messages::{self, Queue};
use edge::refunds::RefundMessage;
use futures::future::join_all;
use jiff::tz::TimeZone;
use payments::{Gateway, Refund, Refunded};
use store::refunds::{Begun, Moved, RefundRecord};
use store::{Engine, Moment, Store};
use tokio::time::Instant;

/// What is left of a run when the gateway is asked no more: what was answered has to be put on record.
const MARGIN: Duration = Duration::from_secs(6);

/// On record as who tries a refund again that the gateway has given back after all.
const GATEWAY: &str = "gateway";

/// What refund needs of the outside.
pub struct Ports<'a, E, G, Q> {
    pub store: &'a Store<E>,
    pub gateway: &'a G,
    /// Where messages come from.
    pub queue: &'a Q,
    pub zone: &'a TimeZone,
}

pub async fn handle<E: Engine, G: Gateway, Q: Queue>(
    ports: &Ports<'_, E, G, Q>,
    event: SqsEvent,
    invocation: Invocation,
) -> Result<SqsBatchResponse, Fault> {
    let last_call = Instant::now() + invocation.remaining.saturating_sub(MARGIN);
    messages::hide_all(ports.queue, &event.records, invocation.remaining).await?;
    let moment = Moment {
        now: invocation.now,
        zone: ports.zone.clone(),
    };
    let work = event.records.iter();
    let outcomes = join_all(work.map(|message| work_off(ports, message, &moment, last_call))).await;

    let messages = event.records.iter().zip(outcomes);
    let failed = messages.filter_map(|(message, outcome)| Some((message, outcome.err()?)));
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures = messages::give_back(ports.queue, failed).await;
    Ok(response)
}

async fn work_off<E: Engine, G: Gateway, Q>(
    ports: &Ports<'_, E, G, Q>,
    message: &SqsMessage,
    moment: &Moment,
    last_call: Instant,
) -> Result<(), Fault> {
    let RefundMessage { refund_id } =
        RefundMessage::read(message.body.as_deref().unwrap_or_default())?;
    let begun = ports.store.begin_refund(&refund_id, moment.now).await?;
    let Some(Begun { refund, is_first }) = begun else {
        // It is on record before its message is sent.
        return Err(Fault::Malformed(format!("there is no refund {refund_id}")));
    };
    let asked = Refund {
        key: &refund.refund_id,
        charge: &refund.order_id,
        amount: refund.money()?,
    };
    let answer = async {
        match refund.status {
            RefundStatus::Completed | RefundStatus::Cancelled => Ok(None),
            // Another run was told no. This message may be of one that was told yes, and could not put it on record.
            RefundStatus::Failed => ports.gateway.refund_status(&asked).await,
            _ if is_first => ports.gateway.refund(&asked).await.map(Some),
            _ => ports.gateway.refund_again(&asked).await.map(Some),
        }
    };
    let answer = tokio::time::timeout_at(last_call, answer).await;
    let answer = answer.unwrap_or_else(|_| Err(Fault::Transient("time ran out".to_owned())))?;
    match answer {
        None => Ok(()),
        Some(Refunded::Done { refund: reference }) => {
            done(ports.store, &refund, &reference, moment).await
        }
        Some(Refunded::Refused { why }) => refused(ports.store, &refund, &why, moment).await,
    }
}

async fn done<E: Engine>(
    store: &Store<E>,
    refund: &RefundRecord,
    reference: &str,
    moment: &Moment,
) -> Result<(), Fault> {
    let refund_id = &refund.refund_id;
    let found = match store.complete_refund(refund, reference, moment).await? {
        Moved::Done(_) => return Ok(()),
        Moved::Stays(found) => found,
        other => {
            return Err(Fault::Corrupt(format!(
                "refund {refund_id} went back: {other:?}"
            )));
        }
    };
    // The gateway has said no to another run, and then yes to this one. It is the yes that holds, for the money went back:
    // the refund is opened again, and the message comes back and completes it.
    let moved = match found.status {
        RefundStatus::Failed => store.retry_refund(refund_id, GATEWAY, moment.now).await?,
        _ => Moved::Stays(found),
    };
    Err(match moved {
        Moved::Done(found) => Fault::Transient(format!(
            "refund {refund_id} went back, and is {} yet",
            found.status
        )),
        Moved::Stays(found) if found.status.is_open() => Fault::Transient(format!(
            "refund {refund_id} went back, and is {} yet",
            found.status
        )),
        other => Fault::Corrupt(format!("refund {refund_id} went back: {other:?}")),
    })
}

async fn refused<E: Engine>(
    store: &Store<E>,
    refund: &RefundRecord,
    why: &str,
    moment: &Moment,
) -> Result<(), Fault> {
    let why = shortened(why, TEXT_BYTES);
    match store.fail_refund(refund, why, moment.now).await? {
        Moved::Done(_) => tracing::warn!(
            refund.id = refund.refund_id,
            order.id = refund.order_id,
            reason = why,
            "the gateway refused a refund"
        ),
        // Another run knows better, or somebody tries it again by now.
        Moved::Stays(_) => {}
        other => {
            let refund_id = &refund.refund_id;
            return Err(Fault::Corrupt(format!(
                "refund {refund_id} failed: {other:?}"
            )));
        }
    }
    Ok(())
}
