//! One object, from its first byte to the last batch.

use domain::limits::ORDERS_PER_WINDOW;
use domain::progress::Stage;
use domain::{Batch, Contact, Fault, Order, batch, ids};
use futures::stream::{FuturesUnordered, StreamExt};
use intake::{Reader, Reject, Row, Settings, rejects};
use jiff::Timestamp;
use store::imports::ImportRecord;
use store::{Engine, Store};

use crate::ports::{Body, Files, Object, Queue};

/// Windows whose batches are being sent while the next one is read. Two keep the reader busy; more would only hold
/// more of the file in memory.
const WINDOWS_UNDER_WAY: usize = 2;

pub async fn import<E: Engine>(
    store: &Store<E>,
    files: &impl Files,
    queue: &impl Queue,
    settings: &Settings,
    object: &Object,
    now: Timestamp,
) -> Result<(), Fault> {
    let new = record(object, settings, now);
    let import_id = new.import_id.as_str();
    let begun = store.begin_import(&new).await?;
    if begun.stage != Stage::Reading {
        tracing::info!(import.id = import_id, "this object was read before");
        return Ok(());
    }
    let mut import = Import {
        store,
        queue,
        import_id,
        window: Vec::new(),
        rejects: Vec::new(),
        rows: 0,
        batches: 0,
    };
    let settings = Settings {
        default_currency: begun.default_currency,
        total_policy: begun.total_policy,
    };
    let Some(body) = files.open(object).await? else {
        let reason = match begun.rows {
            0 => "the object is gone".to_owned(),
            rows => format!("the object went while it was read: up to {rows} rows were sent"),
        };
        return store.fail_import(import_id, &reason, now).await;
    };
    match import.read(body, Reader::new(settings)).await? {
        Err(reason) => store.fail_import(import_id, &reason, now).await,
        Ok(()) => {
            if !import.rejects.is_empty() {
                files
                    .put_rejects(&object.bucket, import_id, rejects_file(&import.rejects)?)
                    .await?;
            }
            tracing::info!(
                import.id = import_id,
                rows = import.rows,
                rejected = import.rejects.len(),
                batches = import.batches,
                "the file was read"
            );
            store.end_import(import_id, now).await
        }
    }
}

fn record(object: &Object, settings: &Settings, now: Timestamp) -> ImportRecord {
    ImportRecord {
        import_id: ids::import_id(&object.bucket, &object.key, &object.version),
        bucket: object.bucket.clone(),
        key: object.key.clone(),
        version: object.version.clone(),
        size: object.size,
        default_currency: settings.default_currency,
        total_policy: settings.total_policy,
        stage: Stage::Reading,
        rows: 0,
        rejected: 0,
        reason: None,
        created_at: now,
        read_at: None,
    }
}

struct Import<'a, E, Q> {
    store: &'a Store<E>,
    queue: &'a Q,
    import_id: &'a str,
    window: Vec<(Order, Contact)>,
    rejects: Vec<Reject>,
    rows: u64,
    batches: u32,
}

impl<E: Engine, Q: Queue> Import<'_, E, Q> {
    /// `Ok(Err(reason))` where the file as a whole cannot be taken; nothing was sent then.
    async fn read(
        &mut self,
        mut body: impl Body,
        mut reader: Reader,
    ) -> Result<Result<(), String>, Fault> {
        let queue = self.queue;
        let mut sending = FuturesUnordered::new();
        let mut rows = Vec::new();
        loop {
            // Sending goes on while the next piece of the file is on its way.
            let piece = tokio::select! {
                piece = body.next() => piece?,
                Some(sent) = sending.next() => { sent?; continue }
            };
            let ended = piece.is_none();
            let outcome = match piece {
                Some(bytes) => reader.feed(&bytes, &mut rows),
                None => reader.finish(&mut rows),
            };
            if let Err(error) = outcome {
                return Ok(Err(error.to_string()));
            }
            for row in rows.drain(..) {
                self.rows += 1;
                match row {
                    Row::Order { order, contact } => self.window.push((order, contact)),
                    Row::Reject(reject) => self.rejects.push(reject),
                }
                if self.window.len() == ORDERS_PER_WINDOW {
                    sending.push(queue.send(self.cut().await?));
                    while sending.len() > WINDOWS_UNDER_WAY {
                        sending.next().await.transpose()?;
                    }
                }
            }
            if ended {
                sending.push(queue.send(self.cut().await?));
                while sending.next().await.transpose()?.is_some() {}
                return Ok(Ok(()));
            }
        }
    }

    /// The batches of what was read so far. The rows are announced before any of them is sent.
    async fn cut(&mut self) -> Result<Vec<Batch>, Fault> {
        self.store
            .announce_rows(self.import_id, self.rows, self.rejects.len() as u64)
            .await?;
        let batches = batch::cut(
            self.import_id,
            self.batches,
            std::mem::take(&mut self.window),
        );
        self.batches += u32::try_from(batches.len()).unwrap_or(u32::MAX);
        Ok(batches)
    }
}

fn rejects_file(rejected: &[Reject]) -> Result<Vec<u8>, Fault> {
    let mut file = Vec::new();
    rejects::write_header(&mut file)
        .and_then(|()| rejects::write(rejected, &mut file))
        .map_err(|error| Fault::Corrupt(format!("the rejects could not be written: {error}")))?;
    Ok(file)
}
