//! What the functions reach outside of the tables: kept in memory, and looked at by tests.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use command::outside::Stored;
use domain::{Batch, Fault};
use edge::figures::Rebuild;
use edge::mail::MailMessage;
use edge::optout::LinkKey;
use edge::queues::{Depth, Pulse};
use edge::refunds::RefundMessage;
use edge::resend::{NotSent, Resent, Sources};
use futures::future::{BoxFuture, FutureExt, ready};
use payments::SigningKey;
use query::outside::Rejected;

use super::guarded::Away;
use crate::support::failed::MemorySources;

/// What the functions did besides in the tables.
#[derive(Default)]
pub struct Done {
    pub refunds: Mutex<Vec<String>>,
    pub mails: Mutex<Vec<MailMessage>>,
    pub batches: Mutex<Vec<Batch>>,
    pub rebuilds: Mutex<Vec<Rebuild>>,
    /// Files by their keys. A version is how often one was put.
    pub files: Mutex<BTreeMap<String, (Vec<u8>, u32)>>,
    /// What was not taken of any file.
    pub rejects: Mutex<Vec<u8>>,
    /// Bytes that are read of it at a time.
    pub piece: Mutex<u64>,
    pub paused: Mutex<bool>,
    pub sources: MemorySources,
    /// Whether the queues answer.
    pub is_down: Mutex<bool>,
    /// A table that does not.
    pub away: Away,
}

pub struct Outside(pub Arc<Done>);

impl Outside {
    fn answer<T: Send + 'static>(&self, answer: T) -> BoxFuture<'static, Result<T, Fault>> {
        let answer = match *self.0.is_down.lock().expect("a lock") {
            true => Err(Fault::Transient("no answer".to_owned())),
            false => Ok(answer),
        };
        ready(answer).boxed()
    }
}

fn depth() -> Depth {
    Depth {
        name: "batches",
        waiting: 3,
        in_flight: 2,
        dead: 1,
    }
}

fn bulk_depth() -> Depth {
    Depth {
        name: "bulk_batches",
        waiting: 40,
        in_flight: 20,
        dead: 0,
    }
}

impl Outside {
    fn pulse(&self) -> Pulse {
        match *self.0.paused.lock().expect("a lock") {
            true => Pulse::Paused,
            false => Pulse::Working,
        }
    }

    fn file(&self, key: &str, file: Vec<u8>, again: bool) -> (bool, String) {
        let mut files = self.0.files.lock().expect("a lock");
        let known = files.get(key).map_or(0, |(_, version)| *version);
        if known > 0 && !again {
            return (false, known.to_string());
        }
        files.insert(key.to_owned(), (file, known + 1));
        (true, (known + 1).to_string())
    }
}

impl query::outside::Outside for Outside {
    fn depths(&self) -> BoxFuture<'_, Result<Vec<Depth>, Fault>> {
        self.answer(vec![depth(), bulk_depth()])
    }

    fn queues(&self) -> BoxFuture<'_, Result<Vec<(Depth, Pulse)>, Fault>> {
        self.answer(vec![
            (depth(), self.pulse()),
            (bulk_depth(), Pulse::Working),
        ])
    }

    fn names(&self) -> Vec<&'static str> {
        vec!["batches", "refunds"]
    }

    fn rejects<'a>(
        &'a self,
        _import_id: &'a str,
        from: u64,
    ) -> BoxFuture<'a, Result<Option<Rejected>, Fault>> {
        let rejects = self.0.rejects.lock().expect("a lock");
        let piece = *self.0.piece.lock().expect("a lock");
        let offset = |at: u64| usize::try_from(at).expect("an offset").min(rejects.len());
        let (from, end) = (offset(from), offset(from.saturating_add(piece)));
        let piece = rejects.get(from..end).filter(|piece| !piece.is_empty());
        self.answer(piece.map(|piece| Rejected {
            bytes: piece.to_vec(),
            is_all: end == rejects.len(),
        }))
    }

    fn files(&self) -> BoxFuture<'_, Result<(), Fault>> {
        ready(Ok(())).boxed()
    }

    fn link_key(&self) -> BoxFuture<'_, Result<LinkKey, Fault>> {
        self.answer(LinkKey::new("ours"))
    }
}

impl command::outside::Outside for Outside {
    fn send_refunds(&self, refunds: Vec<RefundMessage>) -> BoxFuture<'_, Result<(), Fault>> {
        let ids = refunds.into_iter().map(|message| message.refund_id);
        self.0.refunds.lock().expect("a lock").extend(ids);
        self.answer(())
    }

    fn send_batches(&self, batches: Vec<Batch>) -> BoxFuture<'_, Result<(), Fault>> {
        self.0.batches.lock().expect("a lock").extend(batches);
        self.answer(())
    }

    fn send_rebuild(&self, rebuild: Rebuild) -> BoxFuture<'_, Result<(), Fault>> {
        self.0.rebuilds.lock().expect("a lock").push(rebuild);
        self.answer(())
    }

    fn send_mails(&self, mails: Vec<MailMessage>) -> BoxFuture<'_, Result<(), Fault>> {
        self.0.mails.lock().expect("a lock").extend(mails);
        self.answer(())
    }

    fn payment_key(&self, _fresh: bool) -> BoxFuture<'_, Result<SigningKey, Fault>> {
        self.answer(SigningKey::new("ours"))
    }

    fn link_key(&self) -> BoxFuture<'_, Result<LinkKey, Fault>> {
        self.answer(LinkKey::new("ours"))
    }

    fn put<'a>(&'a self, key: &'a str, file: Vec<u8>) -> BoxFuture<'a, Result<String, Fault>> {
        self.answer(self.file(key, file, true).1)
    }

    fn put_new<'a>(
        &'a self,
        key: &'a str,
        file: Vec<u8>,
    ) -> BoxFuture<'a, Result<Option<String>, Fault>> {
        let (is_new, version) = self.file(key, file, false);
        self.answer(is_new.then_some(version))
    }

    fn stored<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Stored>, Fault>> {
        let files = self.0.files.lock().expect("a lock");
        self.answer(files.get(key).map(|(file, version)| Stored {
            version: version.to_string(),
            file: file.clone(),
        }))
    }

    fn import_id(&self, key: &str, version: &str) -> String {
        domain::ids::import_id("files", key, version)
    }

    fn upload_url<'a>(
        &'a self,
        key: &'a str,
        _lasts: Duration,
    ) -> BoxFuture<'a, Result<String, Fault>> {
        self.answer(format!("https://files.example/{key}"))
    }

    fn set_queue<'a>(
        &'a self,
        name: &'a str,
        works: bool,
    ) -> BoxFuture<'a, Result<Option<Pulse>, Fault>> {
        if name != "batches" {
            return self.answer(None);
        }
        *self.0.paused.lock().expect("a lock") = !works;
        self.answer(Some(self.pulse()))
    }

    fn has_queue(&self, name: &str) -> bool {
        self.0.sources.has(name)
    }

    fn resend(&self, message: Resent) -> BoxFuture<'_, Result<(), NotSent>> {
        self.0.sources.send(message).boxed()
    }
}
