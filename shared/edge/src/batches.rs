//! The queues of batches, for those who put something into one: a message for each batch.

use domain::limits::BYTES_PER_BATCH;
use domain::{Batch, Fault};

use crate::outbox::{Outgoing, SqsOutbox};

pub trait Batches {
    /// Returns when every batch is in the queue.
    fn send(&self, batches: Vec<Batch>) -> impl Future<Output = Result<(), Fault>>;
}

impl Batches for SqsOutbox {
    async fn send(&self, batches: Vec<Batch>) -> Result<(), Fault> {
        let mut messages = Vec::with_capacity(batches.len());
        for batch in batches {
            let body = serde_json::to_string(&batch).map_err(|error| {
                Fault::Corrupt(format!("a batch could not be written: {error}"))
            })?;
            debug_assert!(
                body.len() <= BYTES_PER_BATCH + 1_000,
                "{} bytes in one batch",
                body.len()
            );
            // A large import does not keep another one of its lane waiting.
            let group = batch.import_id;
            messages.push(Outgoing { group, body });
        }
        SqsOutbox::send(self, messages).await
    }
}
