//! Imports: which object, how far it was read, and how it ended. What became of the orders is counted from the journal.

use domain::notification::ImportTold;
use domain::order::TotalPolicy;
use domain::progress::{ImportStatus, Progress, Stage};
use domain::{Currency, Fault};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::engine::Engine;
use crate::item::{item, record};
use crate::lists::imports::Source;
use crate::ops::{Change, Condition, Item, Key, Query, Value, Write, number, text};
use crate::pending::attribute;
use crate::retry::Store;
use crate::schema::{BY_CREATED, Table};
use crate::tallies::Books;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImportRecord {
    pub import_id: String,
    pub bucket: String,
    pub key: String,
    pub version: String,
    pub etag: String,
    pub size: u64,
    /// What the file is read with. Kept, so that reading it again, even after a deployment, gives the same orders.
    pub default_currency: Currency,
    pub total_policy: TotalPolicy,
    pub stage: Stage,
    /// The name of its content, where orders are named by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// What was read of the file. It runs ahead of what was sent.
    #[serde(flatten)]
    pub read: Read,
    /// Up to here every batch was sent, and a run of the reader may go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<Checkpoint>,
    /// The run that reads the file, and until when it may be believed to live.
    pub lease_run: String,
    pub lease_until_ms: u64,
    /// Why the file as a whole could not be taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(with = "crate::instant")]
    pub created_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_at: Option<Timestamp>,
    /// When the last row was accounted for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,
    /// There until the import is over: by it those that are not are found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running: Option<Source>,
}

/// Rows of a file so far, and bytes of its text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Read {
    pub rows: u64,
    pub rejected: u64,
    /// Rows that continue the order of the row above them.
    pub continued: u64,
    pub offset: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    #[serde(flatten)]
    pub read: Read,
    /// The number of the next batch.
    pub batches: u32,
    /// Where the reader was, in its own words.
    pub mark: String,
}

/// Who reads a file: one run at a time. A run that lost its lease to another one may change nothing more.
#[derive(Debug, Clone, Copy)]
pub struct Lease<'a> {
    pub import_id: &'a str,
    /// Drawn anew for every run.
    pub run: &'a str,
}

/// What a run that wants to read a file finds.
#[derive(Debug, Clone, PartialEq)]
pub enum Taken {
    Mine(Box<ImportRecord>),
    /// The file was read to its end, or cannot be.
    Over,
    /// Another run reads it, and may be believed to live until then.
    Held {
        until_ms: u64,
    },
}

/// An import with what the journal counts for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Import {
    pub record: ImportRecord,
    pub progress: Progress,
}

impl ImportRecord {
    /// When it ended, if it did: nothing runs then any more, and nothing else is said of it.
    pub fn ended_at(&self) -> Option<Timestamp> {
        match self.running {
            Some(_) => None,
            None => self.completed_at.or(self.read_at),
        }
    }
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

    /// What there is to tell of it; nothing before its end is on record.
    pub fn told(&self) -> Option<ImportTold> {
        let record = &self.record;
        let ended_at = record.ended_at().filter(|_| self.is_over())?;
        Some(ImportTold {
            import_id: record.import_id.clone(),
            file: record.key.clone(),
            status: self.status(),
            reason: record.reason.clone(),
            progress: self.progress,
            created_at: record.created_at,
            ended_at,
        })
    }
}

impl<E: Engine> Store<E> {
    /// Takes the lease on an import, that is put on record if it is not there: the same event may come twice.
    pub async fn take_import(&self, new: &ImportRecord, now: Timestamp) -> Result<Taken, Fault> {
        let (import_id, run) = (new.import_id.as_str(), new.lease_run.as_str());
        let mut put = item(new)?;
        let listed = Source::of(&new.key).name();
        put.insert(BY_CREATED.partition.to_owned(), text(listed));
        let put = Write::Put {
            table: Table::Imports,
            item: put,
            condition: Condition::Absent,
        };
        if self.write(&put).await?.is_ok() {
            return Ok(Taken::Mine(Box::new(new.clone())));
        }
        let take = Write::Update {
            key: key(import_id),
            changes: vec![
                Change::Set("lease_run", text(run)),
                Change::Set("lease_until_ms", number(new.lease_until_ms)),
            ],
            condition: Condition::All(vec![
                reading(),
                Condition::Below("lease_until_ms", milliseconds(now)),
            ]),
        };
        // Whether it was taken or not, and by which attempt, the record says.
        let _taken = self.write(&take).await?;
        let found: Option<ImportRecord> =
            self.get(&key(import_id)).await?.map(record).transpose()?;
        let found = found.ok_or_else(|| Fault::Corrupt(format!("import {import_id} is gone")))?;
        Ok(if found.stage != Stage::Reading {
            Taken::Over
        } else if found.lease_run == run {
            Taken::Mine(Box::new(found))
        } else {
            Taken::Held {
                until_ms: found.lease_until_ms,
            }
        })
    }

    /// The run lives, and goes on until then. Zero gives the lease back.
    pub async fn keep_import(&self, lease: Lease<'_>, until_ms: u64) -> Result<(), Fault> {
        let until = Change::Set("lease_until_ms", number(until_ms));
        self.as_reader(lease, vec![until]).await
    }

    pub async fn name_content(&self, lease: Lease<'_>, content: &str) -> Result<(), Fault> {
        let content = Change::Set("content", text(content));
        self.as_reader(lease, vec![content]).await
    }

    /// Says how many rows there are before they are sent, so that the counters never run ahead of them; and how far
    /// everything before is sent.
    pub async fn announce_rows(
        &self,
        lease: Lease<'_>,
        read: Read,
        checkpoint: Option<&Checkpoint>,
    ) -> Result<(), Fault> {
        let mut changes = vec![
            Change::Set("rows", number(read.rows)),
            Change::Set("rejected", number(read.rejected)),
            Change::Set("continued", number(read.continued)),
            Change::Set("offset", number(read.offset)),
        ];
        if let Some(checkpoint) = checkpoint {
            changes.push(Change::Set(
                "checkpoint",
                Value::M(item(checkpoint)?.into()),
            ));
        }
        // An attempt whose answer was lost may arrive late: it takes nothing back.
        let ahead = Condition::Below("rows", read.rows.saturating_add(1));
        self.as_reader_if(lease, changes, vec![ahead]).await
    }

    /// The file was read and sent to its end.
    pub async fn end_import(&self, lease: Lease<'_>, now: Timestamp) -> Result<(), Fault> {
        let changes = vec![
            Change::Set("stage", text("SENT")),
            Change::Set("read_at", text(now.to_string())),
        ];
        self.as_reader(lease, changes).await
    }

    /// The file cannot be taken, or not to its end.
    pub async fn fail_import(
        &self,
        lease: Lease<'_>,
        reason: &str,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let changes = vec![
            Change::Set("stage", text("FAILED")),
            Change::Set("reason", text(reason)),
            Change::Set("read_at", text(now.to_string())),
            Change::Remove("running"),
        ];
        self.as_reader(lease, changes).await
    }

    async fn as_reader(&self, lease: Lease<'_>, changes: Vec<Change>) -> Result<(), Fault> {
        self.as_reader_if(lease, changes, Vec::new()).await
    }

    async fn as_reader_if(
        &self,
        lease: Lease<'_>,
        changes: Vec<Change>,
        also: Vec<Condition>,
    ) -> Result<(), Fault> {
        let mut conditions = also;
        conditions.extend([reading(), Condition::Is("lease_run", text(lease.run))]);
        let update = Write::Update {
            key: key(lease.import_id),
            changes,
            condition: Condition::All(conditions),
        };
        let Err(found) = self.write(&update).await? else {
            return Ok(());
        };
        let found: Option<ImportRecord> = found.map(record).transpose()?;
        match found {
            // This very run ended it, and the answer was lost.
            Some(found) if found.lease_run == lease.run => Ok(()),
            _ => Err(Fault::Transient(format!(
                "another run reads {} now",
                lease.import_id
            ))),
        }
    }

    /// Every row is accounted for: said once.
    pub(crate) async fn complete_import(
        &self,
        import_id: &str,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let update = Write::Update {
            key: key(import_id),
            changes: vec![
                Change::Set("completed_at", text(now.to_string())),
                Change::Remove("running"),
            ],
            condition: Condition::All(vec![
                Condition::Is("stage", text("SENT")),
                Condition::Missing("completed_at"),
            ]),
        };
        let _said_before = self.write(&update).await?;
        Ok(())
    }

    pub async fn import(&self, import_id: &str) -> Result<Option<Import>, Fault> {
        self.import_in(&self.books().await?, import_id).await
    }

    pub(crate) async fn import_in(
        &self,
        books: &Books,
        import_id: &str,
    ) -> Result<Option<Import>, Fault> {
        // First the counters, then the rows: rows are announced first, so what is read later is never behind.
        let mut progress = self.settled_in(books, import_id).await?;
        let Some(record) = self
            .get(&key(import_id))
            .await?
            .map(record::<ImportRecord>)
            .transpose()?
        else {
            return Ok(None);
        };
        progress.rows = record.read.rows;
        progress.rejected = record.read.rejected;
        progress.continued = record.read.continued;
        Ok(Some(Import { record, progress }))
    }

    /// The files whose end the caller wants: of orders that came by themselves, nobody is told.
    pub async fn files_ended(
        &self,
        wanted: impl Fn(Timestamp) -> bool,
    ) -> Result<Vec<String>, Fault> {
        let mut files = Query::of(Table::Imports, Some(&BY_CREATED), Source::File.name());
        let mut found = Vec::new();
        loop {
            let page = self.query(&files).await?;
            let ids = page.items.iter().map(|item| attribute(item, "import_id"));
            let ids: Vec<String> = ids.collect::<Result<_, Fault>>()?;
            let keys: Vec<Key> = ids.iter().map(|id| key(id)).collect();
            for item in self.get_many(&keys).await?.into_iter().flatten() {
                let import: ImportRecord = record(item)?;
                if import.ended_at().is_some_and(&wanted) {
                    found.push(import.import_id);
                }
            }
            match page.next {
                Some(next) => files.start = Some(next),
                None => return Ok(found),
            }
        }
    }

    pub async fn each_import(&self, mut each: impl FnMut(ImportRecord)) -> Result<(), Fault> {
        self.scan_all(Table::Imports, |item| record(item).map(&mut each))
            .await
    }
}

/// Which import this item of the table stands for, if it is one that is over. Nothing else is said of it after that.
pub fn id_of_ended(item: &Item) -> Option<&str> {
    match (
        item.get("import_id"),
        item.get("stage"),
        item.get("running"),
    ) {
        (Some(Value::S(import_id)), Some(_), None) => Some(import_id),
        _ => None,
    }
}

fn key(import_id: &str) -> Key {
    Key::new(Table::Imports, import_id)
}

pub(crate) fn milliseconds(at: Timestamp) -> u64 {
    u64::try_from(at.as_millisecond()).unwrap_or_default()
}

fn reading() -> Condition {
    Condition::Is("stage", text("READING"))
}
