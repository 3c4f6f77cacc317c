//! Takes batches off the queue, and acknowledges each when the saga has settled all of its orders.
//!
//! Whatever else happens brings the message back: a failed step, a timeout, a dead process. No second way of recovery
//! exists, for every step is safe to repeat.

pub mod ports;

use std::time::Duration;

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use domain::{Batch, Fault};
use edge::Invocation;
use futures::future::join_all;
use ports::{Hold, Queue, Saga};
use store::{Engine, Store};

/// What a dead process leaves behind is taken up again so long after its deadline, rather than after the queue's own
/// timeout, which has to be six times as long.
const GRACE: Duration = Duration::from_secs(2);

/// A failed message waits 2, 4, 8 … seconds, and never longer than this.
const LONGEST_BACK_OFF: Duration = Duration::from_secs(300);

/// Deliveries after which `Corrupt` is believed.
const LOOKS_AT_BROKEN_BOOKS: u32 = 4;

pub async fn handle<E: Engine>(
    store: &Store<E>,
    saga: &impl Saga,
    queue: &impl Queue,
    event: SqsEvent,
    invocation: Invocation,
) -> Result<SqsBatchResponse, Fault> {
    let lease = invocation.remaining + GRACE;
    queue
        .hold(
            event
                .records
                .iter()
                .map(|message| hold(message, lease))
                .collect(),
        )
        .await?;
    let outcomes = join_all(
        event
            .records
            .iter()
            .map(|message| settle(store, saga, message)),
    )
    .await;

    let mut failures = Vec::new();
    let mut holds = Vec::new();
    for (message, outcome) in event.records.iter().zip(outcomes) {
        let Err(fault) = outcome else { continue };
        let received = receive_count(message);
        tracing::error!(
            message.id = message.message_id,
            message.received = received,
            fault = fault.name(),
            reason = fault.message(),
            "a batch was not settled"
        );
        // Put aside, or else it comes back: there is no third way.
        if is_hopeless(&fault, received) && queue.bury(message, &fault).await.is_ok() {
            continue;
        }
        holds.push(hold(message, back_off(received)));
        let mut failure = BatchItemFailure::default();
        failure.item_identifier = message.message_id.clone().unwrap_or_default();
        failures.push(failure);
    }
    // Should this fail, the lease runs out a little later than the back-off would have.
    if let Err(fault) = queue.hold(holds).await {
        tracing::warn!(
            reason = fault.message(),
            "failed messages keep their lease instead of a back-off"
        );
    }
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures = failures;
    Ok(response)
}

async fn settle<E: Engine>(
    store: &Store<E>,
    saga: &impl Saga,
    message: &SqsMessage,
) -> Result<(), Fault> {
    let body = message.body.as_deref().unwrap_or_default();
    let mut batch: Batch = serde_json::from_str(body)
        .map_err(|error| Fault::Malformed(format!("not a batch: {error}")))?;
    batch.check()?;
    store
        .save_contacts(&std::mem::take(&mut batch.contacts))
        .await?;
    saga.run(&batch).await
}

fn hold(message: &SqsMessage, time: Duration) -> Hold {
    Hold {
        receipt: message.receipt_handle.clone().unwrap_or_default(),
        time,
    }
}

fn receive_count(message: &SqsMessage) -> u32 {
    message
        .attributes
        .get("ApproximateReceiveCount")
        .and_then(|count| count.parse().ok())
        .unwrap_or(1)
}

/// What no retry will mend goes to the dead-letter queue, where people look. Broken books are looked at a few times
/// more: what contradicts them may have been on its way. A fault that passes is never given up here.
fn is_hopeless(fault: &Fault, received: u32) -> bool {
    match fault {
        Fault::Malformed(_) | Fault::Refused(_) => true,
        Fault::Corrupt(_) => received >= LOOKS_AT_BROKEN_BOOKS,
        Fault::Transient(_) => false,
    }
}

fn back_off(received: u32) -> Duration {
    Duration::from_secs(1 << received.min(16)).min(LONGEST_BACK_OFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_keeps_failing_waits_longer_and_longer() {
        let waits: Vec<u64> = (1..12)
            .map(|received| back_off(received).as_secs())
            .collect();
        assert_eq!(waits, [2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
        assert_eq!(back_off(u32::MAX).as_secs(), 300);
    }

    #[test]
    fn no_fault_that_may_pass_is_given_up() {
        for received in [1, 4, 1_000] {
            assert!(!is_hopeless(&Fault::Transient(String::new()), received));
            assert!(is_hopeless(&Fault::Malformed(String::new()), received));
            assert_eq!(
                is_hopeless(&Fault::Corrupt(String::new()), received),
                received > 1
            );
        }
    }
}
