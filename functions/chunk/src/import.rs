//! One run over one object: takes the lease, reads from the last checkpoint to the end, and says how it ended.

use std::time::Duration;

use domain::limits::FILE_BYTES;
use domain::progress::Stage;
use domain::{Fault, ids};
use edge::Invocation;
use edge::messages::{BEAT, LEASE};
use files::{Body, Files, Object, Opened, RejectsFile, rejects_key};
use intake::{End, FileError, Reader, Row, Settings, Step};
use jiff::Timestamp;
use store::Engine;
use store::imports::{ImportRecord, Lease, Read, Taken};
use store::lists::imports::Source;
use tokio::time::Instant;

use crate::reading::{Pause, Reading};
use crate::{Lane, Ports};
use edge::batches::Batches;

/// What is under way when time runs out takes this long at most, to be sent and put on record.
const MARGIN: Duration = Duration::from_secs(30);

/// Rejected rows that are held before they are written: a small piece of a compressed file may hold millions.
const REJECTS_HELD: usize = 1_000;

/// Characters of a reason that are kept: the import's record is one small item.
const REASON_LENGTH: usize = 1_000;

/// How a run ended that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The file was read to its end, or cannot be.
    Over,
    /// The time ran out. The next run goes on.
    Paused,
    /// Another run is reading the file.
    Held,
    /// The file is too large for this lane. Nothing of it was sent.
    TooLarge,
}

pub struct Import<'a, E, F, B, Q> {
    pub ports: &'a Ports<'a, E, F, B, Q>,
    pub settings: &'a Settings,
    pub object: &'a Object,
    pub run: &'a str,
    pub invocation: Invocation,
    pub started: Instant,
}

impl<E: Engine, F: Files, B: Batches, Q> Import<'_, E, F, B, Q> {
    pub async fn run(&self) -> Result<Ended, Fault> {
        let new = self.new_record();
        let record = match self.ports.store.take_import(&new, self.now()).await? {
            Taken::Mine(record) => record,
            Taken::Over => return Ok(Ended::Over),
            Taken::Held { until_ms } => {
                tracing::info!(import.id = new.import_id, until_ms, "another run reads it");
                return Ok(Ended::Held);
            }
        };
        let lease = Lease {
            import_id: &new.import_id,
            run: self.run,
        };
        // Whoever lost the lease stops at once.
        let ended = tokio::select! {
            biased;
            lost = self.live(lease) => Err(lost),
            ended = self.read(lease, *record) => ended,
        };
        match ended {
            // No retry mends it. It is told where people look for the import.
            Err(fault @ (Fault::Corrupt(_) | Fault::Malformed(_) | Fault::Refused(_))) => {
                tracing::error!(import.id = lease.import_id, %fault, "the import was given up");
                self.fail(lease, &fault.to_string(), Read::default()).await
            }
            ended => ended,
        }
    }

    /// All of its rows may have been settled before its end was on record; whoever entered the last one could not say so.
    pub async fn end_if_settled(&self) -> Result<(), Fault> {
        let object = self.object;
        let id = ids::import_id(&object.bucket, &object.key, &object.version);
        let store = self.ports.store;
        store.end_import_if_settled(&id, self.now()).await
    }

    async fn read(&self, lease: Lease<'_>, mut record: ImportRecord) -> Result<Ended, Fault> {
        let store = self.ports.store;
        if self.object.size > FILE_BYTES {
            let error = FileError::too_large(self.object.size);
            return self.fail(lease, &error.to_string(), Read::default()).await;
        }
        let settings = Settings {
            default_currency: record.default_currency,
            total_policy: record.total_policy,
        };
        let deadline = self.started + self.invocation.remaining.saturating_sub(MARGIN);
        let uploaded_at = self.object.uploaded_at;
        let batches = self.ports.batches;
        let mut reading = Reading::new(store, batches, lease, &record, uploaded_at, deadline);
        reading.stops_at_a_window = matches!(self.ports.lane, Lane::Small { .. });
        let ended = loop {
            let mut reader = Reader::new(settings, record.content.clone());
            if let Some(checkpoint) = &record.checkpoint {
                let mark = serde_json::from_str(&checkpoint.mark)
                    .map_err(|error| Fault::Corrupt(format!("a mark of a reader: {error}")))?;
                reader.resume(mark);
            }
            match reading.read(self.ports.files, self.object, reader).await? {
                Ok(End::Rows) => break Ok(()),
                Ok(End::Content(name)) => {
                    store.name_content(lease, &name).await?;
                    record.content = Some(name);
                }
                Err(Pause::TimeIsUp) => {
                    store.keep_import(lease, 0).await?;
                    tracing::info!(import.id = lease.import_id, "the time is up");
                    return Ok(Ended::Paused);
                }
                Err(Pause::TooLarge) => {
                    store.keep_import(lease, 0).await?;
                    tracing::info!(
                        import.id = lease.import_id,
                        "the file goes to the lane of large ones"
                    );
                    return Ok(Ended::TooLarge);
                }
                Err(Pause::Unreadable(reason)) => break Err(reason),
            }
        };
        let read = reading.read_so_far();
        if read.rejected > 0 {
            let reader = Reader::new(settings, record.content);
            let count = self.write_rejects(lease, reader).await?;
            // A file that could not be read to its end may have lost more of it since.
            if ended.is_ok() && count != read.rejected {
                let rejected = read.rejected;
                return Err(Fault::Corrupt(format!(
                    "{rejected} rows were rejected at first, and {count} then"
                )));
            }
        }
        tracing::info!(
            import.id = lease.import_id,
            rows = read.rows,
            rejected = read.rejected,
            "the file was read"
        );
        match ended {
            Ok(()) => store.end_import(lease, self.now()).await?,
            Err(reason) => return self.fail(lease, &reason, read).await,
        }
        Ok(Ended::Over)
    }

    /// What is rejected follows from the file alone. So nothing of it is kept while the orders are read; the file is
    /// read once more instead, for its rejects alone, and they pass through memory as the orders did.
    async fn write_rejects(&self, lease: Lease<'_>, mut reader: Reader) -> Result<u64, Fault> {
        let Opened::Body(mut body) = self.ports.files.open(self.object, 0).await? else {
            return Ok(0);
        };
        let key = rejects_key(lease.import_id);
        let mut file = RejectsFile::new(self.ports.files.upload(&self.object.bucket, &key));
        let (mut rows, mut rejects) = (Vec::new(), Vec::new());
        loop {
            let step = reader.step(&mut rows);
            rejects.extend(rows.drain(..).filter_map(|row| match row {
                Row::Reject(reject) => Some(reject),
                Row::Order { .. } => None,
            }));
            if rejects.len() >= REJECTS_HELD || matches!(step, Ok(Step::More)) {
                file.add(&std::mem::take(&mut rejects)).await?;
            }
            match step {
                Ok(Step::Row) => {}
                Ok(Step::More) => match body.next().await? {
                    Some(piece) => reader.push(&piece),
                    None => reader.end(),
                },
                // A file that cannot be read to its end has the rejects up to there.
                Ok(Step::Over(_)) | Err(_) => break,
            }
        }
        file.add(&rejects).await?;
        file.finish().await
    }

    async fn fail(&self, lease: Lease<'_>, reason: &str, read: Read) -> Result<Ended, Fault> {
        let sent = match read.rows {
            0 => String::new(),
            rows => format!(" ({rows} rows before that were taken)"),
        };
        let reason: String = reason.chars().take(REASON_LENGTH).collect();
        let reason = format!("{reason}{sent}");
        let store = self.ports.store;
        store.fail_import(lease, &reason, self.now()).await?;
        Ok(Ended::Over)
    }

    /// Goes on until the lease is lost, which should not happen.
    async fn live(&self, lease: Lease<'_>) -> Fault {
        loop {
            tokio::time::sleep(BEAT).await;
            let until_ms = milliseconds(self.now(), LEASE);
            if let Err(fault) = self.ports.store.keep_import(lease, until_ms).await {
                return fault;
            }
        }
    }

    fn now(&self) -> Timestamp {
        self.invocation.now + self.started.elapsed()
    }

    fn new_record(&self) -> ImportRecord {
        let object = self.object;
        ImportRecord {
            import_id: ids::import_id(&object.bucket, &object.key, &object.version),
            bucket: object.bucket.clone(),
            key: object.key.clone(),
            version: object.version.clone(),
            etag: object.etag.clone(),
            size: object.size,
            default_currency: self.settings.default_currency,
            total_policy: self.settings.total_policy,
            stage: Stage::Reading,
            content: None,
            read: Read::default(),
            checkpoint: None,
            lease_run: self.run.to_owned(),
            lease_until_ms: milliseconds(self.now(), LEASE),
            reason: None,
            created_at: self.invocation.now,
            read_at: None,
            completed_at: None,
            running: Some(Source::of(&object.key)),
        }
    }
}

fn milliseconds(now: Timestamp, after: Duration) -> u64 {
    u64::try_from((now + after).as_millisecond()).unwrap_or_default()
}
