//! Takes messages out of the dead-letter queues, and keeps each as a failure, with its reason, where people see it.
//!
//! A message leaves its dead-letter queue when its failure is on record, and not before. What to do about it is for
//! people to decide: nothing here looks into a message, or sends one.

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use domain::{Fault, ids};
use edge::{Invocation, aside, messages};
use jiff::Timestamp;
use store::failures::Buried;
use store::{Engine, Store};

/// What stands at the end of the name of every dead-letter queue.
const DEAD: &str = "-dead";

pub async fn handle<E: Engine>(
    store: &Store<E>,
    event: SqsEvent,
    invocation: Invocation,
) -> Result<SqsBatchResponse, Fault> {
    let mut response = SqsBatchResponse::default();
    for message in &event.records {
        if let Err(fault) = keep(store, message, invocation.now).await {
            tracing::error!(
                message.id = message.message_id,
                fault = fault.name(),
                reason = fault.message(),
                "a failure could not be kept, its message stays where it is"
            );
            let failure = messages::failure(message);
            response.batch_item_failures.push(failure);
        }
    }
    Ok(response)
}

async fn keep<E: Engine>(
    store: &Store<E>,
    message: &SqsMessage,
    now: Timestamp,
) -> Result<(), Fault> {
    let buried = buried(message);
    if let Some(retry) = aside::retry_of(message)
        && store.bury_again(&retry, &buried, now).await?
    {
        said(&retry.failure_id, &buried);
        return Ok(());
    }
    store.bury(&buried, now).await?;
    said(&buried.failure_id, &buried);
    Ok(())
}

fn said(failure_id: &str, buried: &Buried) {
    tracing::warn!(
        failure.id = failure_id,
        queue = buried.queue,
        fault = buried.fault,
        "a message was put aside"
    );
}

fn buried(message: &SqsMessage) -> Buried {
    let queue = queue(message.event_source_arn.as_deref().unwrap_or_default());
    let (fault, reason) = aside::fault(message).unwrap_or((
        "Transient",
        "received too often without being worked off, or put there by hand: no function said why",
    ));
    Buried {
        failure_id: ids::failure_id(queue, aside::original(message)),
        queue: queue.to_owned(),
        fault: fault.to_owned(),
        reason: reason.to_owned(),
        payload: message.body.clone().unwrap_or_default(),
        group: aside::group(message).map(str::to_owned),
    }
}

/// The short name of the queue that a message failed from. Its dead-letter queue is named for the stack, which may have
/// any name, then for the queue, then `dead`. A queue that is not is known by its own name.
fn queue(arn: &str) -> &str {
    let name = arn.rsplit(':').next().unwrap_or_default();
    let short = name
        .strip_suffix(DEAD)
        .and_then(|name| name.rsplit('-').next());
    match short {
        Some(short) if !short.is_empty() => short,
        // A key may not be empty.
        _ if name.is_empty() => "unknown",
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_known_by_its_short_name() {
        let check = |name: &str, short: &str| {
            let arn = format!("arn:aws:sqs:us-east-1:000000000000:{name}");
            assert_eq!(queue(&arn), short, "{name}");
        };
        check("ordermill-batches-dead", "batches");
        check("my-mill-2-imports-dead", "imports");
        check("my-mill-2-bulk_imports-dead", "bulk_imports");
        check("dead-dead-catalogs-dead", "catalogs");
        check("batches-dead", "batches");
        check("left-overs", "left-overs");
        check("-dead", "-dead");
        assert_eq!(queue(""), "unknown");
    }
}
