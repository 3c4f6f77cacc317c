//! The bucket of the simulation: files by their key, and streams that break.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use domain::Fault;
use files::{Body, Files, Object, Opened, Upload};

use super::chance::Chance;

pub const BUCKET: &str = "files";

pub struct SimFiles {
    chance: Rc<Chance>,
    files: RefCell<BTreeMap<String, Rc<[u8]>>>,
    /// When each file was put, by its key.
    pub uploads: RefCell<BTreeMap<String, jiff::Timestamp>>,
}

impl SimFiles {
    pub fn new(chance: Rc<Chance>) -> SimFiles {
        SimFiles {
            chance,
            files: RefCell::default(),
            uploads: RefCell::default(),
        }
    }

    /// Puts a file there, and returns the message that announces it.
    pub fn put(&self, key: &str, content: &str, at: jiff::Timestamp) -> String {
        self.files
            .borrow_mut()
            .insert(key.to_owned(), content.as_bytes().into());
        self.uploads.borrow_mut().insert(key.to_owned(), at);
        let mut event: serde_json::Value =
            serde_json::from_slice(&crate::support::read("events/chunk.json")).expect("json");
        let body = event["Records"][0]["body"].take();
        let mut body: serde_json::Value =
            serde_json::from_str(body.as_str().expect("a body")).expect("json");
        let record = &mut body["Records"][0];
        record["eventTime"] = at.to_string().into();
        record["s3"]["bucket"]["name"] = BUCKET.into();
        record["s3"]["object"]["key"] = key.into();
        record["s3"]["object"]["size"] = content.len().into();
        record["s3"]["object"]["versionId"] = "1".into();
        body.to_string()
    }
}

struct Pieces {
    chance: Rc<Chance>,
    content: Rc<[u8]>,
    at: usize,
}

impl Body for Pieces {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        tokio::task::yield_now().await;
        let breaks = self.chance.plan().function.dies / 4;
        if self.chance.hits(breaks, "stream broke") {
            return Err(Fault::Transient("the connection broke".to_owned()));
        }
        let end = self.content.len().min(self.at + 1_000);
        let piece = self.content[self.at.min(end)..end].to_vec();
        self.at = end;
        Ok(Some(piece).filter(|piece| !piece.is_empty()))
    }
}

struct Uploading<'a> {
    files: &'a SimFiles,
    key: String,
    bytes: Vec<u8>,
}

impl Upload for Uploading<'_> {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        tokio::task::yield_now().await;
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    async fn finish(self) -> Result<(), Fault> {
        tokio::task::yield_now().await;
        self.files
            .files
            .borrow_mut()
            .insert(self.key, self.bytes.into());
        Ok(())
    }
}

impl Files for SimFiles {
    async fn open(&self, object: &Object, from: u64) -> Result<Opened<impl Body>, Fault> {
        tokio::task::yield_now().await;
        let content = self.files.borrow().get(&object.key).cloned();
        Ok(match content {
            None => Opened::Gone,
            Some(content) => Opened::Body(Pieces {
                chance: self.chance.clone(),
                content,
                at: from as usize,
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
