//! A message that was put aside.

use edge::optout::without_tokens;
use jiff::Timestamp;
use serde::Serialize;
use store::failures::{FailureRecord, Listed, State};
use utoipa::ToSchema;

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Failure {
    pub failure_id: String,
    /// The queue that it came from.
    pub queue: String,
    /// `OPEN`, `RETRYING`, `RETRIED` or `DISCARDED`.
    #[schema(value_type = String)]
    pub state: State,
    /// `Transient`, `Refused`, `Malformed` or `Corrupt`.
    pub fault: String,
    pub reason: String,
    /// How often it was put aside.
    pub attempts: u32,
    #[schema(value_type = String, format = DateTime)]
    pub first_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub buried_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub retried_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub discarded_at: Option<Timestamp>,
}

impl From<&Listed> for Failure {
    fn from(failure: &Listed) -> Failure {
        Failure {
            failure_id: failure.failure_id.clone(),
            queue: failure.queue.clone(),
            state: failure.state,
            fault: failure.fault.clone(),
            reason: failure.reason.clone(),
            attempts: failure.attempts,
            first_at: failure.first_at,
            buried_at: failure.buried_at,
            retried_at: failure.retried_at,
            discarded_at: failure.discarded_at,
        }
    }
}

/// With the message itself.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct FailureWithMessage {
    #[serde(flatten)]
    pub failure: Failure,
    /// Who decided about it last.
    pub decided_by: Option<String>,
    /// As it was in the queue, but for the tokens of links in mails, with which anybody could change what their owner gets.
    pub payload: String,
}

impl From<&FailureRecord> for FailureWithMessage {
    fn from(record: &FailureRecord) -> FailureWithMessage {
        FailureWithMessage {
            failure: Failure::from(&record.listed),
            decided_by: record.decided_by.clone(),
            payload: without_tokens(&record.payload),
        }
    }
}
