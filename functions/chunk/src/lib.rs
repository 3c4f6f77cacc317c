//! Reads an uploaded file as a stream, and sends its orders in batches.
//!
//! The import's id, the rows' numbers and the batches are all derived from the object, so that reading it again, for a
//! repeated message or after a crash, sends the same batches again: and those are safe to repeat. How far everything
//! was sent stands in the import's record, so that seldom more than a few of them are.

mod import;
mod reading;

use std::time::Duration;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use domain::{Fault, ids};
use edge::Invocation;
use edge::batches::Batches;
use edge::messages::{self, Queue};
use files::{Files, arrivals};
use import::{Ended, Import};
use intake::Settings;
use store::{Engine, Store};
use tokio::time::Instant;

/// Which files a run reads. A large file takes minutes; single orders and small files do not wait for it.
pub enum Lane<'a, Q> {
    /// Files of at most so many bytes, and of less than one window of orders. Others are passed on to the queue `bulk`.
    Small { bytes: u64, bulk: &'a Q },
    /// Whatever was passed on.
    Bulk,
}

/// What a run needs of the outside.
pub struct Ports<'a, E, F, B, Q> {
    pub store: &'a Store<E>,
    pub files: &'a F,
    pub batches: &'a B,
    /// Where the messages about files come from.
    pub arrivals: &'a Q,
    pub lane: Lane<'a, Q>,
}

pub async fn handle<E: Engine, F: Files, B: Batches, Q: Queue>(
    ports: &Ports<'_, E, F, B, Q>,
    settings: &Settings,
    event: SqsEvent,
    invocation: Invocation,
) -> Result<SqsBatchResponse, Fault> {
    let started = Instant::now();
    let mut response = SqsBatchResponse::default();
    for message in &event.records {
        let outcome = read(ports, settings, message, invocation, started).await;
        let failures = match outcome {
            Ok(Ended::Over) => continue,
            // It comes back: at once where time ran out, and later where somebody else is at it.
            Ok(Ended::Paused) => come_back(ports.arrivals, message, Duration::ZERO).await?,
            Ok(Ended::Held) => come_back(ports.arrivals, message, messages::LEASE).await?,
            Ok(Ended::TooLarge) => match pass_on(ports, message).await {
                Ok(()) => continue,
                Err(fault) => messages::give_back(ports.arrivals, [(message, fault)]).await,
            },
            Err(fault) => messages::give_back(ports.arrivals, [(message, fault)]).await,
        };
        response.batch_item_failures.extend(failures);
    }
    Ok(response)
}

/// The message is sent before it is acknowledged. A run that dies in between leaves a second message, which finds the file
/// read, or being read.
async fn pass_on<E, F, B, Q: Queue>(
    ports: &Ports<'_, E, F, B, Q>,
    message: &SqsMessage,
) -> Result<(), Fault> {
    match ports.lane {
        Lane::Small { bulk, .. } => bulk.take_over(message).await,
        Lane::Bulk => Err(Fault::Corrupt(
            "no file is too large for its lane".to_owned(),
        )),
    }
}

async fn come_back(
    queue: &impl Queue,
    message: &SqsMessage,
    time: Duration,
) -> Result<Vec<aws_lambda_events::sqs::BatchItemFailure>, Fault> {
    queue.hold(vec![messages::hold(message, time)]).await?;
    Ok(vec![messages::failure(message)])
}

async fn read<E: Engine, F: Files, B: Batches, Q: Queue>(
    ports: &Ports<'_, E, F, B, Q>,
    settings: &Settings,
    message: &SqsMessage,
    invocation: Invocation,
    started: Instant,
) -> Result<Ended, Fault> {
    let run = ids::short_hash(&[&invocation.draw.to_string()]);
    let objects = arrivals(message.body.as_deref().unwrap_or_default())?;
    if let Lane::Small { bytes, .. } = ports.lane
        && objects.iter().any(|object| object.size > bytes)
    {
        return Ok(Ended::TooLarge);
    }
    for object in objects {
        let import = Import {
            ports,
            settings,
            object: &object,
            run: &run,
            invocation,
            started,
        };
        match messages::while_hidden(ports.arrivals, message, import.run()).await? {
            Ended::Over => import.end_if_settled().await?,
            ended => return Ok(ended),
        }
    }
    Ok(Ended::Over)
}
