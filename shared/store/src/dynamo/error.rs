//! What the service's errors mean: classified here, once.

use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::error::TransactionCanceledException;
use domain::Fault;

use crate::ops::{Item, TransactError, Verdict};

/// No answer is never a "no": whatever did not reach us as an answer of the service may have been done.
pub fn fault<E>(error: SdkError<E>) -> Fault
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    match error.code() {
        Some(
            "ThrottlingException"
            | "ProvisionedThroughputExceededException"
            | "RequestLimitExceeded"
            | "InternalServerError"
            | "ServiceUnavailable"
            | "TransactionConflictException"
            | "TransactionInProgressException"
            | "LimitExceededException",
        ) => Fault::Transient(describe(&error)),
        Some("ValidationException" | "SerializationException") => {
            Fault::Malformed(describe(&error))
        }
        // A fault of the service, whatever it calls it.
        Some(_) if is_of_service(&error) => Fault::Transient(describe(&error)),
        Some(_) => Fault::Corrupt(describe(&error)),
        None => Fault::Transient(describe(&error)),
    }
}

fn is_of_service<E>(error: &SdkError<E>) -> bool {
    let answer = error.raw_response();
    answer.is_some_and(|answer| answer.status().is_server_error())
}

fn describe<E>(error: &SdkError<E>) -> String
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    match (error.code(), error.message()) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        _ => DisplayErrorContext(error).to_string(),
    }
}

/// A cancelled transaction says of each item why: condition failures and conflicts come under the same name.
pub fn cancelled(cancelled: &TransactionCanceledException) -> TransactError {
    let mut verdicts = Vec::new();
    for reason in cancelled.cancellation_reasons() {
        verdicts.push(match reason.code() {
            None | Some("None") => Verdict::Fine,
            Some("ConditionalCheckFailed") => {
                Verdict::Condition(reason.item.clone().map(Item::from))
            }
            Some("TransactionConflict") => Verdict::Conflict,
            Some("ThrottlingError" | "ProvisionedThroughputExceeded") => Verdict::Throttled,
            Some(code) => {
                let why = format!("{code}: {}", reason.message().unwrap_or_default());
                return TransactError::Fault(match code {
                    "ValidationError" | "ItemCollectionSizeLimitExceeded" => Fault::Malformed(why),
                    // Denied, and what nobody knows of yet: it is not what was asked for that is wrong.
                    _ => Fault::Corrupt(why),
                });
            }
        });
    }
    TransactError::Cancelled(verdicts)
}
