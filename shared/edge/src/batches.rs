//! The queue of batches, for those who put something into it: a message for each batch.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_sqs::error::DisplayErrorContext;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use domain::limits::BYTES_PER_BATCH;
use domain::{Batch, Fault};
use futures::stream::{self, StreamExt, TryStreamExt};

pub trait Batches {
    /// Returns when every batch is in the queue.
    fn send(&self, batches: Vec<Batch>) -> impl Future<Output = Result<(), Fault>>;
}

pub struct SqsBatches {
    pub client: aws_sdk_sqs::Client,
    pub url: String,
}

/// The queue takes ten messages in a request, of 256 KB together; older emulators count exactly that.
const MESSAGES_PER_REQUEST: usize = 10;
const BYTES_PER_REQUEST: usize = 250_000;

/// Requests under way for one window.
const REQUESTS_AT_ONCE: usize = 4;

/// How often a message that the queue did not take is offered again.
const OFFERS: u32 = 6;

/// Before an offer is repeated, twice as long each time: six seconds in all.
const PAUSE: Duration = Duration::from_millis(100);

impl Batches for SqsBatches {
    async fn send(&self, batches: Vec<Batch>) -> Result<(), Fault> {
        let mut requests: Vec<Vec<(String, String)>> = Vec::new();
        let mut bytes = BYTES_PER_REQUEST;
        for batch in batches {
            let body = serde_json::to_string(&batch).map_err(|error| {
                Fault::Corrupt(format!("a batch could not be written: {error}"))
            })?;
            debug_assert!(
                body.len() <= BYTES_PER_BATCH + 1_000,
                "{} bytes in one batch",
                body.len()
            );
            let full = requests
                .last()
                .is_none_or(|request| request.len() == MESSAGES_PER_REQUEST);
            if full || bytes + body.len() > BYTES_PER_REQUEST {
                requests.push(Vec::new());
                bytes = 0;
            }
            bytes += body.len();
            let message = (batch.import_id, body);
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
}

impl SqsBatches {
    /// The answer is read entry by entry: some may be in the queue and others not.
    async fn offer(&self, messages: Vec<(String, String)>) -> Result<(), Fault> {
        let mut open: BTreeMap<String, (String, String)> = messages
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
                // The group makes the queue fair: a large import does not keep a small one waiting.
                .map(|(id, (import_id, body))| {
                    SendMessageBatchRequestEntry::builder()
                        .id(id)
                        .message_group_id(import_id)
                        .message_body(body)
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
