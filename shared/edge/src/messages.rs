//! Messages of a queue that a function works on: kept away from others meanwhile, and answered for one by one.
//!
//! A message comes back until what it asks for is done. What no retry will mend is put aside, where people look. There is
//! no third way.

use std::time::Duration;

use aws_lambda_events::sqs::{BatchItemFailure, SqsEvent, SqsMessage};
use aws_sdk_sqs::error::DisplayErrorContext;
use aws_sdk_sqs::types::ChangeMessageVisibilityBatchRequestEntry;
use domain::Fault;

use crate::aside;

/// What a dead process leaves behind is taken up again so long after its deadline, rather than after the queue's own
/// timeout, which has to be several times as long.
const GRACE: Duration = Duration::from_secs(2);

/// How long a run that tells that it lives is believed to, after it was last heard of.
pub const LEASE: Duration = Duration::from_secs(15);

/// Between two signs of life: one may be late or lost.
pub const BEAT: Duration = Duration::from_secs(5);

/// A failed message waits 2, 4, 8 … seconds, and never longer than this.
const LONGEST_BACK_OFF: Duration = Duration::from_secs(300);

/// Deliveries after which `Corrupt` is believed.
const LOOKS_AT_BROKEN_BOOKS: u32 = 4;

/// How long a message is to stay hidden from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    pub receipt: String,
    pub time: Duration,
}

pub trait Queue {
    fn hold(&self, holds: Vec<Hold>) -> impl Future<Output = Result<(), Fault>>;

    /// Puts a copy of the message where people look, with what is wrong with it.
    fn bury(&self, message: &SqsMessage, fault: &Fault) -> impl Future<Output = Result<(), Fault>>;

    /// Takes over the message of another queue. The copy is a new message: if it fails, it is a failure of this queue.
    fn take_over(&self, message: &SqsMessage) -> impl Future<Output = Result<(), Fault>>;
}

pub fn hold(message: &SqsMessage, time: Duration) -> Hold {
    Hold {
        receipt: message.receipt_handle.clone().unwrap_or_default(),
        time,
    }
}

/// Hides messages until this invocation has ended, however it does.
pub async fn hide_all(
    queue: &impl Queue,
    messages: &[SqsMessage],
    remaining: Duration,
) -> Result<(), Fault> {
    let holds = messages.iter();
    let holds = holds.map(|message| hold(message, remaining + GRACE));
    queue.hold(holds.collect()).await
}

/// Does the work that a message asks for while others do not see the message. Should this process die, it comes back
/// when it was last heard of a lease ago, rather than after the queue's own timeout, which is longer than any run. A
/// second later, in fact, so that it does not find a lease still held.
pub async fn while_hidden<T>(
    queue: &impl Queue,
    message: &SqsMessage,
    work: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    let hide = || queue.hold(vec![hold(message, LEASE + Duration::from_secs(1))]);
    hide().await?;
    let live = async {
        loop {
            tokio::time::sleep(BEAT).await;
            if let Err(fault) = hide().await {
                tracing::warn!(reason = fault.message(), "the message may come back early");
            }
        }
    };
    tokio::select! {
        biased;
        outcome = work => outcome,
        () = live => Err(Fault::Corrupt("an endless loop ended".to_owned())),
    }
}

/// Answers for the messages whose work failed: the failures to report, so that they come back after a while.
pub async fn give_back(
    queue: &impl Queue,
    failed: impl IntoIterator<Item = (&SqsMessage, Fault)>,
) -> Vec<BatchItemFailure> {
    let mut failures = Vec::new();
    let mut holds = Vec::new();
    for (message, fault) in failed {
        let received = receive_count(message);
        tracing::error!(
            message.id = message.message_id,
            message.received = received,
            fault = fault.name(),
            reason = fault.message(),
            "a message was not worked off"
        );
        if is_hopeless(&fault, received) {
            match queue.bury(message, &fault).await {
                Ok(()) => continue,
                Err(fault) => tracing::warn!(
                    reason = fault.message(),
                    "a hopeless message comes back, for it could not be put aside"
                ),
            }
        }
        holds.push(hold(message, back_off(received)));
        failures.push(failure(message));
    }
    // Should this fail, they come back when the time runs out for which they are held already.
    if let Err(fault) = queue.hold(holds).await {
        tracing::warn!(
            reason = fault.message(),
            "failed messages keep the hold they had instead of a back-off"
        );
    }
    failures
}

pub fn failure(message: &SqsMessage) -> BatchItemFailure {
    let mut failure = BatchItemFailure::default();
    failure.item_identifier = message.message_id.clone().unwrap_or_default();
    failure
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

pub struct SqsQueue {
    pub client: aws_sdk_sqs::Client,
    pub url: String,
    /// The dead-letter queue.
    pub dead_url: String,
}

impl SqsQueue {
    /// Whether the messages of an invocation come from this queue. All of them come from one.
    pub fn is_source_of(&self, event: &SqsEvent) -> bool {
        let arn = event.records.first();
        let arn = arn.and_then(|message| message.event_source_arn.as_deref());
        let name = arn.and_then(|arn| arn.rsplit(':').next());
        name.is_some() && name == self.url.rsplit('/').next()
    }
}

impl Queue for SqsQueue {
    async fn hold(&self, holds: Vec<Hold>) -> Result<(), Fault> {
        if holds.is_empty() {
            return Ok(());
        }
        let mut request = self
            .client
            .change_message_visibility_batch()
            .queue_url(&self.url);
        for (id, hold) in holds.into_iter().enumerate() {
            let entry = ChangeMessageVisibilityBatchRequestEntry::builder()
                .id(id.to_string())
                .receipt_handle(hold.receipt)
                .visibility_timeout(i32::try_from(hold.time.as_secs()).unwrap_or(i32::MAX))
                .build()
                .map_err(|error| Fault::Corrupt(error.to_string()))?;
            request = request.entries(entry);
        }
        let answer = request
            .send()
            .await
            .map_err(|error| Fault::Transient(DisplayErrorContext(error).to_string()))?;
        // An entry that failed is a message that somebody else holds by now, or that is gone: nothing is left to hold.
        for failed in answer.failed() {
            tracing::warn!(
                code = failed.code(),
                "a message's visibility was not changed"
            );
        }
        Ok(())
    }

    async fn bury(&self, message: &SqsMessage, fault: &Fault) -> Result<(), Fault> {
        let mut request = self
            .client
            .send_message()
            .queue_url(&self.dead_url)
            .message_body(message.body.as_deref().unwrap_or_default())
            .set_message_group_id(aside::group(message).map(str::to_owned));
        for (name, text) in aside::attributes(message, fault) {
            request = request.message_attributes(name, aside::text_attribute(&text)?);
        }
        request
            .send()
            .await
            .map_err(|error| Fault::Transient(DisplayErrorContext(error).to_string()))?;
        Ok(())
    }

    async fn take_over(&self, message: &SqsMessage) -> Result<(), Fault> {
        let request = self
            .client
            .send_message()
            .queue_url(&self.url)
            .message_body(message.body.as_deref().unwrap_or_default())
            .set_message_group_id(aside::group(message).map(str::to_owned));
        request
            .send()
            .await
            .map_err(|error| Fault::Transient(DisplayErrorContext(error).to_string()))?;
        Ok(())
    }
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
    #[test]
    fn an_event_is_of_the_queue_that_its_messages_name() {
        let config = aws_sdk_sqs::Config::builder()
            .behavior_version(aws_sdk_sqs::config::BehaviorVersion::latest())
            .build();
        let queue = SqsQueue {
            client: aws_sdk_sqs::Client::from_conf(config),
            url: "https://sqs.eu-central-1.amazonaws.com/123456789012/my-mill-bulk_imports"
                .to_owned(),
            dead_url: String::new(),
        };
        let from = |arn: Option<&str>| {
            let mut event = SqsEvent::default();
            let mut message = SqsMessage::default();
            message.event_source_arn = arn.map(str::to_owned);
            event.records.push(message);
            queue.is_source_of(&event)
        };
        let arn = |name: &str| format!("arn:aws:sqs:eu-central-1:123456789012:{name}");
        assert!(from(Some(&arn("my-mill-bulk_imports"))));
        assert!(!from(Some(&arn("my-mill-imports"))));
        assert!(!from(Some(&arn("bulk_imports"))));
        assert!(!from(None));
        assert!(!queue.is_source_of(&SqsEvent::default()));
    }
}
