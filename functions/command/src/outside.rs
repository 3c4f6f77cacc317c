//! What is done besides in the tables.

use std::time::Duration;

use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata};
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use domain::{Batch, Fault, ids};
use edge::batches::Batches;
use edge::figures::Rebuild;
use edge::mail::{MailMessage, Mails};
use edge::optout::LinkKey;
use edge::outbox::SqsOutbox;
use edge::payments::PaymentKey;
use edge::queues::{Pulse, Queues};
use edge::refunds::{RefundMessage, Refunds};
use edge::resend::{NotSent, Resent, Sources, SqsSources};
use edge::secrets::Secret;
use futures::future::{BoxFuture, FutureExt};
use payments::{Keys, SigningKey};

/// A file as it lies in the bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub version: String,
    pub file: Vec<u8>,
}

pub trait Outside: Send + Sync + 'static {
    fn send_refunds(&self, refunds: Vec<RefundMessage>) -> BoxFuture<'_, Result<(), Fault>>;

    fn send_batches(&self, batches: Vec<Batch>) -> BoxFuture<'_, Result<(), Fault>>;

    fn send_rebuild(&self, rebuild: Rebuild) -> BoxFuture<'_, Result<(), Fault>>;

    fn send_mails(&self, mails: Vec<MailMessage>) -> BoxFuture<'_, Result<(), Fault>>;

    fn payment_key(&self, fresh: bool) -> BoxFuture<'_, Result<SigningKey, Fault>>;

    /// What links in mails are signed with.
    fn link_key(&self) -> BoxFuture<'_, Result<LinkKey, Fault>>;

    /// Puts a file into the bucket. Returns its version.
    fn put<'a>(&'a self, key: &'a str, file: Vec<u8>) -> BoxFuture<'a, Result<String, Fault>>;

    /// The same, where there is no file of that key. Nothing, where there is one.
    fn put_new<'a>(
        &'a self,
        key: &'a str,
        file: Vec<u8>,
    ) -> BoxFuture<'a, Result<Option<String>, Fault>>;

    fn stored<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Stored>, Fault>>;

    /// Under which name a file that was put is known.
    fn import_id(&self, key: &str, version: &str) -> String;

    /// Where whoever knows this URL may put a file, for so long.
    fn upload_url<'a>(
        &'a self,
        key: &'a str,
        lasts: Duration,
    ) -> BoxFuture<'a, Result<String, Fault>>;

    /// Has a queue worked on, or not. Nothing, where there is no such queue.
    fn set_queue<'a>(
        &'a self,
        name: &'a str,
        works: bool,
    ) -> BoxFuture<'a, Result<Option<Pulse>, Fault>>;

    fn has_queue(&self, name: &str) -> bool;

    /// Sends a message to the queue that it came from.
    fn resend(&self, message: Resent) -> BoxFuture<'_, Result<(), NotSent>>;
}

pub struct Aws {
    pub batches: SqsOutbox,
    pub refunds: SqsOutbox,
    pub entries: SqsOutbox,
    pub mails: SqsOutbox,
    pub payment_key: PaymentKey,
    pub link_key: Secret,
    pub sources: SqsSources,
    pub queues: Queues,
    pub s3: aws_sdk_s3::Client,
    pub bucket: String,
}

impl Outside for Aws {
    fn send_refunds(&self, refunds: Vec<RefundMessage>) -> BoxFuture<'_, Result<(), Fault>> {
        Refunds::send(&self.refunds, refunds).boxed()
    }

    fn send_batches(&self, batches: Vec<Batch>) -> BoxFuture<'_, Result<(), Fault>> {
        Batches::send(&self.batches, batches).boxed()
    }

    fn send_rebuild(&self, rebuild: Rebuild) -> BoxFuture<'_, Result<(), Fault>> {
        rebuild.send(&self.entries).boxed()
    }

    fn send_mails(&self, mails: Vec<MailMessage>) -> BoxFuture<'_, Result<(), Fault>> {
        Mails::send(&self.mails, mails).boxed()
    }

    fn payment_key(&self, fresh: bool) -> BoxFuture<'_, Result<SigningKey, Fault>> {
        self.payment_key.key(fresh).boxed()
    }

    fn link_key(&self) -> BoxFuture<'_, Result<LinkKey, Fault>> {
        LinkKey::of(&self.link_key).boxed()
    }

    fn put<'a>(&'a self, key: &'a str, file: Vec<u8>) -> BoxFuture<'a, Result<String, Fault>> {
        async move {
            let request = self.s3.put_object().bucket(&self.bucket).key(key);
            let put = request.body(ByteStream::from(file)).send().await;
            let put = put.map_err(|error| unanswered(key, &error))?;
            version(key, put.version_id)
        }
        .boxed()
    }

    fn put_new<'a>(
        &'a self,
        key: &'a str,
        file: Vec<u8>,
    ) -> BoxFuture<'a, Result<Option<String>, Fault>> {
        async move {
            let request = self.s3.put_object().bucket(&self.bucket).key(key);
            let request = request.if_none_match("*").body(ByteStream::from(file));
            match request.send().await {
                Ok(put) => version(key, put.version_id).map(Some),
                Err(error) if error.code() == Some("PreconditionFailed") => Ok(None),
                Err(error) => Err(unanswered(key, &error)),
            }
        }
        .boxed()
    }

    fn stored<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Stored>, Fault>> {
        async move {
            let request = self.s3.get_object().bucket(&self.bucket).key(key);
            let found = match request.send().await {
                Ok(found) => found,
                Err(error) if error.code() == Some("NoSuchKey") => return Ok(None),
                Err(error) => return Err(unanswered(key, &error)),
            };
            let file = found.body.collect().await;
            let file = file.map_err(|error| unanswered(key, &error))?;
            Ok(Some(Stored {
                version: version(key, found.version_id)?,
                file: file.to_vec(),
            }))
        }
        .boxed()
    }

    fn import_id(&self, key: &str, version: &str) -> String {
        ids::import_id(&self.bucket, key, version)
    }

    fn upload_url<'a>(
        &'a self,
        key: &'a str,
        lasts: Duration,
    ) -> BoxFuture<'a, Result<String, Fault>> {
        async move {
            let lasts = PresigningConfig::expires_in(lasts);
            let lasts = lasts.map_err(|error| Fault::Corrupt(error.to_string()))?;
            let request = self.s3.put_object().bucket(&self.bucket).key(key);
            let signed = request.presigned(lasts).await;
            let signed = signed.map_err(|error| unanswered(key, &error))?;
            Ok(signed.uri().to_owned())
        }
        .boxed()
    }

    fn set_queue<'a>(
        &'a self,
        name: &'a str,
        works: bool,
    ) -> BoxFuture<'a, Result<Option<Pulse>, Fault>> {
        self.queues.set(name, works).boxed()
    }

    fn has_queue(&self, name: &str) -> bool {
        self.sources.has(name)
    }

    fn resend(&self, message: Resent) -> BoxFuture<'_, Result<(), NotSent>> {
        self.sources.send(message).boxed()
    }
}

fn unanswered(key: &str, error: &dyn std::error::Error) -> Fault {
    let error = DisplayErrorContext(error);
    Fault::Transient(format!("the file {key}: {error}"))
}

fn version(key: &str, version: Option<String>) -> Result<String, Fault> {
    version.ok_or_else(|| Fault::Corrupt(format!("the bucket keeps no versions of {key}")))
}

// What the rest of the program asks of a queue or a keeper of keys, asked of whatever is outside.

impl Refunds for Box<dyn Outside + '_> {
    async fn send(&self, refunds: Vec<RefundMessage>) -> Result<(), Fault> {
        self.send_refunds(refunds).await
    }
}

impl Batches for Box<dyn Outside + '_> {
    async fn send(&self, batches: Vec<Batch>) -> Result<(), Fault> {
        self.send_batches(batches).await
    }
}

impl Mails for Box<dyn Outside + '_> {
    async fn send(&self, mails: Vec<MailMessage>) -> Result<(), Fault> {
        self.send_mails(mails).await
    }
}

impl Keys for Box<dyn Outside + '_> {
    async fn key(&self, fresh: bool) -> Result<SigningKey, Fault> {
        self.payment_key(fresh).await
    }
}

impl Sources for Box<dyn Outside + '_> {
    fn has(&self, queue: &str) -> bool {
        self.has_queue(queue)
    }

    async fn send(&self, message: Resent) -> Result<(), NotSent> {
        self.resend(message).await
    }
}
