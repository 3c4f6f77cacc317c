//! Messages on their way into a dead-letter queue and back, without queues.

use std::sync::Mutex;

use aws_lambda_events::sqs::{SqsEvent, SqsMessage, SqsMessageAttribute};
use domain::Fault;
use edge::aside;
use edge::resend::{NotSent, Resent, Sources};

/// The queue that messages came from, in memory.
#[derive(Default)]
pub struct MemorySources {
    pub sent: Mutex<Vec<Resent>>,
    /// What to answer instead of taking the next message.
    pub refusals: Mutex<Vec<NotSent>>,
}

impl Sources for MemorySources {
    fn has(&self, queue: &str) -> bool {
        queue == "batches"
    }

    async fn send(&self, message: Resent) -> Result<(), NotSent> {
        tokio::task::yield_now().await;
        if let Some(refusal) = self.refusals.lock().expect("a lock").pop() {
            return Err(refusal);
        }
        self.sent.lock().expect("a lock").push(message);
        Ok(())
    }
}

impl MemorySources {
    pub fn take(&self) -> Vec<Resent> {
        std::mem::take(&mut self.sent.lock().expect("a lock"))
    }
}

pub fn message<'a>(
    id: &str,
    body: &str,
    attributes: impl IntoIterator<Item = (&'a str, String)>,
) -> SqsMessage {
    let mut message = SqsMessage::default();
    message.message_id = Some(id.to_owned());
    message.body = Some(body.to_owned());
    for (name, text) in attributes {
        let mut attribute = SqsMessageAttribute::default();
        attribute.string_value = Some(text);
        message
            .message_attributes
            .insert(name.to_owned(), attribute);
    }
    message
}

/// A retry as its queue hands it to the function.
pub fn received(id: &str, resent: &Resent) -> SqsMessage {
    message(id, &resent.body, aside::of_retry(&resent.retry))
}

/// The copy of a message that a function puts aside, as `bury` gets it.
pub fn put_aside(id: &str, of: &SqsMessage, fault: &Fault) -> SqsEvent {
    let body = of.body.as_deref().unwrap_or_default();
    let mut copy = message(id, body, aside::attributes(of, fault));
    copy.event_source_arn = Some("arn:aws:sqs:us-east-1:0:mill-batches-dead".to_owned());
    let mut event = SqsEvent::default();
    event.records.push(copy);
    event
}
