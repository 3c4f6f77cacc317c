//! Takes batches off the queue, and acknowledges each when the saga has settled all of its orders.
//!
//! Whatever else happens brings the message back: a failed step, a timeout, a dead process. No second way of recovery
//! exists, for every step is safe to repeat.

pub mod ports;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use domain::{Batch, Fault};
use edge::Invocation;
use edge::messages::{self, Queue};
use futures::future::join_all;
use ports::Saga;

pub async fn handle(
    saga: &impl Saga,
    queue: &impl Queue,
    event: SqsEvent,
    invocation: Invocation,
) -> Result<SqsBatchResponse, Fault> {
    messages::hide_all(queue, &event.records, invocation.remaining).await?;
    let outcomes = join_all(event.records.iter().map(|message| settle(saga, message))).await;

    let messages = event.records.iter().zip(outcomes);
    let failed = messages.filter_map(|(message, outcome)| Some((message, outcome.err()?)));
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures = messages::give_back(queue, failed).await;
    Ok(response)
}

async fn settle(saga: &impl Saga, message: &SqsMessage) -> Result<(), Fault> {
    let body = message.body.as_deref().unwrap_or_default();
    let batch: Batch = edge::objects::from_str(body)
        .map_err(|error| Fault::unreadable("not a batch", error.line(), error.column()))?;
    batch.check()?;
    saga.run(&batch).await
}
