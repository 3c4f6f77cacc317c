//! What `dispatch` needs of the outside: to run a saga to its end, and to say how long a message stays hidden.

use std::time::Duration;

use aws_lambda_events::sqs::SqsMessage;
use aws_sdk_sfn::error::{DisplayErrorContext, ProvideErrorMetadata};
use aws_sdk_sfn::types::SyncExecutionStatus;
use aws_sdk_sqs::types::{ChangeMessageVisibilityBatchRequestEntry, MessageAttributeValue};
use domain::{Batch, Fault};

pub trait Saga {
    /// Returns when all orders of the batch are settled.
    fn run(&self, batch: &Batch) -> impl Future<Output = Result<(), Fault>>;
}

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
}

pub struct StateMachine {
    pub client: aws_sdk_sfn::Client,
    pub arn: String,
}

impl Saga for StateMachine {
    async fn run(&self, batch: &Batch) -> Result<(), Fault> {
        let input = serde_json::to_string(batch)
            .map_err(|error| Fault::Corrupt(format!("a batch could not be written: {error}")))?;
        let started = self
            .client
            .start_sync_execution()
            .state_machine_arn(&self.arn)
            .name(&batch.batch_id)
            .input(input)
            .send()
            .await;
        let answer = match started {
            Ok(answer) => answer,
            Err(error)
                if matches!(
                    error.code(),
                    Some(
                        "InvalidExecutionInput"
                            | "InvalidName"
                            | "InvalidArn"
                            | "StateMachineDoesNotExist"
                    )
                ) =>
            {
                return Err(Fault::Corrupt(DisplayErrorContext(error).to_string()));
            }
            Err(error) => return Err(Fault::Transient(DisplayErrorContext(error).to_string())),
        };
        let reason = || {
            let (error, cause) = (
                answer.error().unwrap_or("no error"),
                answer.cause().unwrap_or("no cause"),
            );
            format!("the saga of batch {}: {error}: {cause}", batch.batch_id)
        };
        match answer.status() {
            SyncExecutionStatus::Succeeded => Ok(()),
            SyncExecutionStatus::Failed => Err(match answer.error() {
                Some("Malformed") => Fault::Malformed(reason()),
                Some("Corrupt") => Fault::Corrupt(reason()),
                _ => Fault::Transient(reason()),
            }),
            _ => Err(Fault::Transient(reason())),
        }
    }
}

pub struct SqsQueue {
    pub client: aws_sdk_sqs::Client,
    pub url: String,
    /// The dead-letter queue.
    pub dead_url: String,
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
        let attribute = |text: &str| {
            MessageAttributeValue::builder()
                .data_type("String")
                .string_value(text)
                .build()
        };
        let attribute =
            |text: &str| attribute(text).map_err(|error| Fault::Corrupt(error.to_string()));
        let request = self
            .client
            .send_message()
            .queue_url(&self.dead_url)
            .message_body(message.body.as_deref().unwrap_or_default())
            .message_attributes("fault", attribute(fault.name())?)
            .message_attributes("reason", attribute(fault.message())?);
        request
            .send()
            .await
            .map_err(|error| Fault::Transient(DisplayErrorContext(error).to_string()))?;
        Ok(())
    }
}
