//! The SDK's errors as faults.

use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::error::TransactionCanceledException;
use domain::Fault;

use super::codes;
use crate::ops::{Item, TransactError};

/// A request without a response of the service may have been executed: its fault is transient.
pub fn fault<E>(error: SdkError<E>) -> Fault
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let why = describe(&error);
    match error.code() {
        None => Fault::Transient(why),
        Some(code) => match codes::fault(code, why) {
            // The service failed, whatever name it gives to that.
            Fault::Corrupt(why) if is_of_service(&error) => Fault::Transient(why),
            fault => fault,
        },
    }
}

fn is_of_service<E>(error: &SdkError<E>) -> bool {
    let response = error.raw_response();
    response.is_some_and(|response| response.status().is_server_error())
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

pub fn cancelled(cancelled: &TransactionCanceledException) -> TransactError {
    let verdicts = cancelled.cancellation_reasons().iter().map(|reason| {
        codes::verdict(
            reason.code().unwrap_or_default(),
            reason.message().unwrap_or_default(),
            reason.item.clone().map(Item::from),
        )
    });
    match verdicts.collect() {
        Ok(verdicts) => TransactError::Cancelled(verdicts),
        Err(fault) => TransactError::Fault(fault),
    }
}
