//! Files and queues in memory, for the functions that read files.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use domain::{Batch, Fault};
use edge::batches::Batches;
use edge::messages::{Hold, Queue};
use files::{Body, Files, Object, Opened, Upload};

use crate::support::read;

/// What becomes of the object while it is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Fate {
    #[default]
    Stays,
    Goes,
    IsReplaced,
}

#[derive(Default)]
pub struct MemoryFiles {
    pub content: Vec<u8>,
    /// Bytes in one piece of the stream.
    pub piece: usize,
    /// The stream breaks off after so many pieces.
    pub breaks_after: Option<usize>,
    pub fate: Fate,
    /// Bytes that were asked for, over all streams.
    pub read: AtomicUsize,
    pub uploads: Mutex<BTreeMap<String, Vec<u8>>>,
}

struct Pieces<'a> {
    files: &'a MemoryFiles,
    at: usize,
    left: Option<usize>,
}

impl Body for Pieces<'_> {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        match &mut self.left {
            Some(0) => return Err(Fault::Transient("the connection broke".to_owned())),
            Some(left) => *left -= 1,
            None => {}
        }
        let content = &self.files.content;
        let end = content
            .len()
            .min(self.at.saturating_add(self.files.piece.max(1)));
        let piece = content[self.at.min(end)..end].to_vec();
        self.at = end;
        self.files.read.fetch_add(piece.len(), Ordering::Relaxed);
        Ok(Some(piece).filter(|piece| !piece.is_empty()))
    }
}

impl Files for MemoryFiles {
    async fn open(&self, _object: &Object, from: u64) -> Result<Opened<impl Body>, Fault> {
        Ok(match self.fate {
            Fate::Goes => Opened::Gone,
            Fate::IsReplaced => Opened::Replaced,
            Fate::Stays => Opened::Body(Pieces {
                files: self,
                at: usize::try_from(from).expect("an offset"),
                left: self.breaks_after,
            }),
        })
    }

    fn upload(&self, _bucket: &str, key: &str) -> impl Upload {
        Uploading {
            files: self,
            key: key.to_owned(),
            bytes: Vec::new(),
        }
    }
}

struct Uploading<'a> {
    files: &'a MemoryFiles,
    key: String,
    bytes: Vec<u8>,
}

impl Upload for Uploading<'_> {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    async fn finish(self) -> Result<(), Fault> {
        let mut uploads = self.files.uploads.lock().expect("a lock");
        uploads.insert(self.key, self.bytes);
        Ok(())
    }
}

#[derive(Default)]
pub struct MemoryBatches {
    pub batches: Mutex<Vec<Batch>>,
    /// How long sending takes.
    pub takes_ms: u64,
}

impl Batches for MemoryBatches {
    async fn send(&self, batches: Vec<Batch>) -> Result<(), Fault> {
        tokio::time::sleep(std::time::Duration::from_millis(self.takes_ms)).await;
        self.batches.lock().expect("a lock").extend(batches);
        Ok(())
    }
}

/// The queue that messages came from: what was asked of it.
#[derive(Default)]
pub struct MemoryInbox {
    pub holds: Mutex<Vec<Hold>>,
    pub buried: Mutex<Vec<Fault>>,
    /// The bodies of what it took over from another queue.
    pub taken_over: Mutex<Vec<String>>,
    /// It takes nothing over.
    pub is_away: bool,
}

impl Queue for MemoryInbox {
    async fn hold(&self, holds: Vec<Hold>) -> Result<(), Fault> {
        self.holds.lock().expect("a lock").extend(holds);
        Ok(())
    }

    async fn bury(&self, _message: &SqsMessage, fault: &Fault) -> Result<(), Fault> {
        self.buried.lock().expect("a lock").push(fault.clone());
        Ok(())
    }

    async fn take_over(&self, message: &SqsMessage) -> Result<(), Fault> {
        if self.is_away {
            return Err(Fault::Transient("no answer".to_owned()));
        }
        let body = message.body.clone().expect("a body");
        self.taken_over.lock().expect("a lock").push(body);
        Ok(())
    }
}

/// A sample event, as it is delivered for the nth time.
pub fn delivered(name: &str, delivery: usize) -> SqsEvent {
    let mut event: SqsEvent =
        serde_json::from_slice(&read(&format!("events/{name}.json"))).expect("an event of a queue");
    for message in &mut event.records {
        message.receipt_handle = Some(format!("receipt-{delivery}"));
    }
    event
}
