//! What `dispatch` needs of the outside besides its queue: to run a saga to its end.

use aws_sdk_sfn::error::{DisplayErrorContext, ProvideErrorMetadata};
use aws_sdk_sfn::operation::start_sync_execution::StartSyncExecutionInput;
use aws_sdk_sfn::types::SyncExecutionStatus;
use domain::{Batch, Fault};
use edge::leave::{Input, Leave};

pub trait Saga {
    /// Returns when all orders of the batch are settled.
    fn run(&self, batch: &Batch) -> impl Future<Output = Result<(), Fault>>;
}

/// What leave its requests take.
pub fn leave(input: &Input) -> Vec<Leave> {
    let started = input.downcast_ref::<StartSyncExecutionInput>();
    let saga = started.and_then(|started| started.state_machine_arn.clone());
    saga.map(|saga| ("states:StartSyncExecution", saga))
        .into_iter()
        .collect()
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
            // Of this attempt alone: the batch may be under way twice.
            .name(format!("{}-{:08x}", batch.batch_id, fastrand::u32(..)))
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
            let (id, status) = (&batch.batch_id, answer.status());
            format!("the saga of batch {id} {status}: {error}: {cause}")
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
