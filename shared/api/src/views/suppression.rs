//! An address that gets no mail any more.

use domain::suppression::Cause;
use jiff::Timestamp;
use serde::Serialize;
use store::suppressions::SuppressionRecord;
use utoipa::ToSchema;

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Suppression {
    pub address: String,
    /// `bounce`, `complaint`, or `manual`: somebody put it on the list.
    #[schema(value_type = String)]
    pub cause: Cause,
    /// In the words of the mail service, or of whoever put it on the list.
    pub reason: Option<String>,
    /// The notification that came back, or was called unwanted.
    pub notification_id: Option<String>,
    /// By which the mail service knows that mail.
    pub message_id: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// Who put it on the list, where it was a person.
    pub requested_by: Option<String>,
}

impl From<&SuppressionRecord> for Suppression {
    fn from(record: &SuppressionRecord) -> Suppression {
        Suppression {
            address: record.address.to_string(),
            cause: record.cause,
            reason: record.reason.clone(),
            notification_id: record.notification_id.clone(),
            message_id: record.message_id.clone(),
            since: record.since,
            requested_by: record.requested_by.clone(),
        }
    }
}
