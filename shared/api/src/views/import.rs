//! A file, and how far it is.

use domain::progress::ImportStatus;
use jiff::Timestamp;
use serde::Serialize;
use store::imports::Import as Record;
use utoipa::ToSchema;

use crate::base::link;

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Import {
    pub import_id: String,
    pub url: String,
    /// Its key in the bucket.
    pub file: String,
    /// `READING`, `PROCESSING`, `COMPLETED` or `FAILED`.
    #[schema(value_type = String)]
    pub status: ImportStatus,
    /// Why the file as a whole could not be taken.
    pub reason: Option<String>,
    /// Always the sum of rejected, continued, duplicates, conflicts, completed, failed and pending.
    pub rows: u64,
    pub rejected: u64,
    /// Rows that continue the order of the row above them.
    pub continued: u64,
    pub duplicates: u64,
    /// Rows that state other content than the existing order under their order id.
    pub conflicts: u64,
    pub completed: u64,
    pub failed: u64,
    /// Nothing, where the numbers do not add up.
    pub pending: Option<u64>,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub completed_at: Option<Timestamp>,
}

impl From<&Record> for Import {
    fn from(import: &Record) -> Import {
        let (record, progress) = (&import.record, import.progress);
        Import {
            import_id: record.import_id.clone(),
            url: link(&format!("/imports/{}", record.import_id)),
            file: record.key.clone(),
            status: import.status(),
            reason: record.reason.clone(),
            rows: progress.rows,
            rejected: progress.rejected,
            continued: progress.continued,
            duplicates: progress.duplicates,
            conflicts: progress.conflicts,
            completed: progress.completed,
            failed: progress.failed,
            pending: progress.pending(),
            created_at: record.created_at,
            completed_at: record.completed_at,
        }
    }
}
