//! How far an import is: numbers that add up at every moment.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Orders that come one by one are put here, each as a file of its own.
pub const SINGLE_ORDERS: &str = "imports/api/";

/// What an import's record says of itself. Whether its orders are settled is counted, not written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Stage {
    /// Rows are being read. `rows` is announced before the rows are sent, so it is never behind the counters.
    Reading,
    /// The whole file was read and sent.
    Sent,
    /// The file could not be taken, or not to its end. `reason` says whether anything of it was sent.
    Failed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ImportStatus {
    Reading,
    Processing,
    Completed,
    Failed,
}

impl fmt::Display for ImportStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ImportStatus::Reading => "READING",
            ImportStatus::Processing => "PROCESSING",
            ImportStatus::Completed => "COMPLETED",
            ImportStatus::Failed => "FAILED",
        })
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    pub rows: u64,
    pub rejected: u64,
    /// Rows that continue the order of the row above them.
    pub continued: u64,
    pub duplicates: u64,
    /// Rows that state other content than the existing order under their order id.
    pub conflicts: u64,
    pub completed: u64,
    pub failed: u64,
}

impl Progress {
    /// Rows that are still on their way. Nothing where the counters claim more than the rows: then the books do
    /// not balance, and `verify` says so.
    pub fn pending(&self) -> Option<u64> {
        self.accounted_for()
            .iter()
            .try_fold(self.rows, |pending, count| pending.checked_sub(*count))
    }

    /// Rows of which nothing more will be heard.
    pub fn over(&self) -> u64 {
        self.accounted_for()
            .iter()
            .fold(0, |sum, count| sum.saturating_add(*count))
    }

    fn accounted_for(&self) -> [u64; 6] {
        [
            self.rejected,
            self.continued,
            self.duplicates,
            self.conflicts,
            self.completed,
            self.failed,
        ]
    }

    pub fn status(&self, stage: Stage) -> ImportStatus {
        match stage {
            Stage::Failed => ImportStatus::Failed,
            Stage::Reading => ImportStatus::Reading,
            Stage::Sent if self.pending() == Some(0) => ImportStatus::Completed,
            Stage::Sent => ImportStatus::Processing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_is_completed_when_the_last_row_is_accounted_for() {
        let mut progress = Progress {
            rows: 10,
            rejected: 1,
            continued: 1,
            duplicates: 0,
            conflicts: 1,
            completed: 4,
            failed: 2,
        };
        assert_eq!((progress.pending(), progress.over()), (Some(1), 9));
        assert_eq!(progress.status(Stage::Sent), ImportStatus::Processing);
        progress.completed = 5;
        assert_eq!(progress.status(Stage::Reading), ImportStatus::Reading);
        assert_eq!(progress.status(Stage::Sent), ImportStatus::Completed);
        progress.completed = 6;
        assert_eq!(progress.pending(), None);
        assert_ne!(progress.status(Stage::Sent), ImportStatus::Completed);
    }
}
