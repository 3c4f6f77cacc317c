//! A queue that messages are sent to, many at a time.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_sqs::error::DisplayErrorContext;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use domain::Fault;
use futures::stream::{self, StreamExt, TryStreamExt};

/// A message on its way.
pub struct Outgoing {
    /// Makes the queue fair: whoever sends many messages of one group does not keep those of others waiting.
    pub group: String,
    pub body: String,
}

pub struct SqsOutbox {
    pub client: aws_sdk_sqs::Client,
    pub url: String,
}

/// The queue takes ten messages in a request, of 256 KB together; older emulators count exactly that.
const MESSAGES_PER_REQUEST: usize = 10;
const BYTES_PER_REQUEST: usize = 250_000;

/// Requests under way for one lot of messages.
const REQUESTS_AT_ONCE: usize = 4;

/// How often a message that the queue did not take is offered again.
const OFFERS: u32 = 6;

/// Before an offer is repeated, twice as long each time: six seconds in all.
const PAUSE: Duration = Duration::from_millis(100);

impl SqsOutbox {
    /// Returns when every message is in the queue.
    pub async fn send(&self, messages: Vec<Outgoing>) -> Result<(), Fault> {
        let mut requests: Vec<Vec<Outgoing>> = Vec::new();
        let mut bytes = BYTES_PER_REQUEST;
        for message in messages {
            let full = requests
                .last()
                .is_none_or(|request| request.len() == MESSAGES_PER_REQUEST);
            if full || bytes + message.body.len() > BYTES_PER_REQUEST {
                requests.push(Vec::new());
                bytes = 0;
            }
            bytes += message.body.len();
            if let Some(request) = requests.last_mut() {
                request.push(message);
            }
        }
        stream::iter(requests)
            .map(|request| self.offer(request))
            .buffer_unordered(REQUESTS_AT_ONCE)
            .try_collect()
            .await
    }

    /// The answer is read entry by entry: some may be in the queue and others not.
    async fn offer(&self, messages: Vec<Outgoing>) -> Result<(), Fault> {
        let mut open: BTreeMap<String, Outgoing> = messages
            .into_iter()
            .enumerate()
            .map(|(at, message)| (at.to_string(), message))
            .collect();
        let mut reason = String::new();
        for offer in 0..OFFERS {
            if offer > 0 {
                tokio::time::sleep(PAUSE * (1 << offer)).await;
            }
            let entries: Result<Vec<_>, _> = open
                .iter()
                .map(|(id, message)| {
                    SendMessageBatchRequestEntry::builder()
                        .id(id)
                        .message_group_id(&message.group)
                        .message_body(&message.body)
                        .build()
                })
                .collect();
            let entries = entries.map_err(|error| Fault::Corrupt(error.to_string()))?;
            let request = self
                .client
                .send_message_batch()
                .queue_url(&self.url)
                .set_entries(Some(entries));
            let answer = request
                .send()
                .await
                .map_err(|error| Fault::Transient(DisplayErrorContext(error).to_string()))?;
            for sent in answer.successful() {
                open.remove(sent.id());
            }
            if open.is_empty() {
                return Ok(());
            }
            reason = answer
                .failed()
                .iter()
                .map(|failed| failed.code())
                .collect::<Vec<_>>()
                .join(", ");
        }
        Err(Fault::Transient(format!(
            "the queue did not take {} messages: {reason}",
            open.len()
        )))
    }
}
