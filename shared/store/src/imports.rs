//! Imports: which object, how far it was read, and how it ended. What became of the orders is counted from the journal.

use domain::order::TotalPolicy;
use domain::progress::{ImportStatus, Progress, Stage};
use domain::{Currency, Fault};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::engine::Engine;
use crate::item::{item, record};
use crate::ops::{Change, Condition, Key, Write, number, text};
use crate::retry::Store;
use crate::schema::Table;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImportRecord {
    pub import_id: String,
    pub bucket: String,
    pub key: String,
    pub version: String,
    pub size: u64,
    /// What the file is read with. Kept, so that reading it again, even after a deployment, gives the same orders.
    pub default_currency: Currency,
    pub total_policy: TotalPolicy,
    pub stage: Stage,
    pub rows: u64,
    pub rejected: u64,
    /// Why the file as a whole could not be taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub created_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_at: Option<Timestamp>,
}

/// An import with what the journal counts for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Import {
    pub record: ImportRecord,
    pub progress: Progress,
}

impl Import {
    pub fn status(&self) -> ImportStatus {
        self.progress.status(self.record.stage)
    }

    pub fn is_over(&self) -> bool {
        matches!(
            self.status(),
            ImportStatus::Completed | ImportStatus::Failed
        )
    }
}

impl<E: Engine> Store<E> {
    /// Puts a new import on record, or finds the one that is there: the same event may come twice.
    pub async fn begin_import(&self, new: &ImportRecord) -> Result<ImportRecord, Fault> {
        let put = Write::Put {
            table: Table::Imports,
            item: item(new)?,
            condition: Condition::Absent,
        };
        match self.write(&put).await? {
            Ok(()) => Ok(new.clone()),
            Err(Some(found)) => record(found),
            Err(None) => Err(Fault::Corrupt(
                "an item that is there was not shown".to_owned(),
            )),
        }
    }

    /// Says how many rows there are before they are sent, so that the counters never run ahead of them. A repetition
    /// from the start changes nothing until it gets further than the one before.
    pub async fn announce_rows(
        &self,
        import_id: &str,
        rows: u64,
        rejected: u64,
    ) -> Result<(), Fault> {
        let changes = vec![
            Change::Set("rows", number(rows)),
            Change::Set("rejected", number(rejected)),
        ];
        let further = Condition::Below("rows", rows);
        let _already_there = self
            .write(&Write::Update {
                key: key(import_id),
                changes,
                condition: further,
            })
            .await?;
        Ok(())
    }

    /// The file was read and sent to its end.
    pub async fn end_import(&self, import_id: &str, now: Timestamp) -> Result<(), Fault> {
        let changes = vec![
            Change::Set("stage", text("SENT")),
            Change::Set("read_at", text(now.to_string())),
        ];
        let _already_over = self
            .write(&Write::Update {
                key: key(import_id),
                changes,
                condition: reading(),
            })
            .await?;
        Ok(())
    }

    /// The file as a whole cannot be taken.
    pub async fn fail_import(
        &self,
        import_id: &str,
        reason: &str,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let changes = vec![
            Change::Set("stage", text("FAILED")),
            Change::Set("reason", text(reason)),
            Change::Set("read_at", text(now.to_string())),
        ];
        let _already_over = self
            .write(&Write::Update {
                key: key(import_id),
                changes,
                condition: reading(),
            })
            .await?;
        Ok(())
    }

    pub async fn import(&self, import_id: &str) -> Result<Option<Import>, Fault> {
        // First the counters, then the rows: rows are announced first, so what is read later is never behind.
        let mut progress = self.settled(import_id).await?;
        let Some(record) = self
            .get(&key(import_id))
            .await?
            .map(record::<ImportRecord>)
            .transpose()?
        else {
            return Ok(None);
        };
        (progress.rows, progress.rejected) = (record.rows, record.rejected);
        Ok(Some(Import { record, progress }))
    }

    pub async fn each_import(&self, mut each: impl FnMut(ImportRecord)) -> Result<(), Fault> {
        self.scan_all(Table::Imports, |item| record(item).map(&mut each))
            .await
    }
}

fn key(import_id: &str) -> Key {
    Key::new(Table::Imports, import_id)
}

fn reading() -> Condition {
    Condition::Is("stage", text("READING"))
}
