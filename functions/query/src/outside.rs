//! What is asked besides the tables.

use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata};
use domain::Fault;
use edge::optout::LinkKey;
use edge::queues::{Depth, Gauge, Pulse};
use edge::secrets::Secret;
use files::rejects_key;
use futures::future::{BoxFuture, FutureExt, TryFutureExt};

pub trait Outside: Send + Sync + 'static {
    /// Every queue, and how much is in it.
    fn depths(&self) -> BoxFuture<'_, Result<Vec<Depth>, Fault>>;

    /// The same, with whether they are worked on.
    fn queues(&self) -> BoxFuture<'_, Result<Vec<(Depth, Pulse)>, Fault>>;

    /// Their short names.
    fn names(&self) -> Vec<&'static str>;

    /// What could not be taken of a file, from a byte on. Nothing, where all of it was.
    fn rejects<'a>(
        &'a self,
        import_id: &'a str,
        from: u64,
    ) -> BoxFuture<'a, Result<Option<Rejected>, Fault>>;

    /// Whether the bucket of files answers.
    fn files(&self) -> BoxFuture<'_, Result<(), Fault>>;

    /// What links in mails are signed with.
    fn link_key(&self) -> BoxFuture<'_, Result<LinkKey, Fault>>;
}

/// A piece of a file of rejects.
pub struct Rejected {
    pub bytes: Vec<u8>,
    /// Whether the file ends with it.
    pub is_all: bool,
}

/// Bytes that are read for one page. A row has a quarter of a megabyte at most.
const PIECE: u64 = 2 * 1024 * 1024;

pub struct Aws {
    pub gauge: Gauge,
    pub s3: aws_sdk_s3::Client,
    pub bucket: String,
    pub link_key: Secret,
}

impl Outside for Aws {
    fn depths(&self) -> BoxFuture<'_, Result<Vec<Depth>, Fault>> {
        self.gauge.depths().boxed()
    }

    fn queues(&self) -> BoxFuture<'_, Result<Vec<(Depth, Pulse)>, Fault>> {
        self.gauge.all().boxed()
    }

    fn names(&self) -> Vec<&'static str> {
        self.gauge.queues.names()
    }

    fn rejects<'a>(
        &'a self,
        import_id: &'a str,
        from: u64,
    ) -> BoxFuture<'a, Result<Option<Rejected>, Fault>> {
        self.piece(rejects_key(import_id), from).boxed()
    }

    fn files(&self) -> BoxFuture<'_, Result<(), Fault>> {
        let asked = self.s3.head_bucket().bucket(&self.bucket).send();
        let answer = asked.map_err(|error| {
            let error = DisplayErrorContext(error);
            Fault::Transient(format!("the bucket of files: {error}"))
        });
        answer.map_ok(|_| ()).boxed()
    }

    fn link_key(&self) -> BoxFuture<'_, Result<LinkKey, Fault>> {
        LinkKey::of(&self.link_key).boxed()
    }
}

impl Aws {
    async fn piece(&self, key: String, from: u64) -> Result<Option<Rejected>, Fault> {
        let unread = |error: &dyn std::error::Error| {
            let error = DisplayErrorContext(error);
            Fault::Transient(format!("reading {key}: {error}"))
        };
        let last = from.saturating_add(PIECE - 1);
        let request = self.s3.get_object().bucket(&self.bucket).key(&key);
        let object = match request.range(format!("bytes={from}-{last}")).send().await {
            Ok(object) => object,
            // There is no such file, or nothing of it is left.
            Err(error) if matches!(error.code(), Some("NoSuchKey" | "InvalidRange")) => {
                return Ok(None);
            }
            Err(error) => return Err(unread(&error)),
        };
        let whole = object
            .content_range()
            .and_then(|range| range.rsplit('/').next());
        let whole = whole.and_then(|whole| whole.parse::<u64>().ok());
        let bytes = object
            .body
            .collect()
            .await
            .map_err(|error| unread(&error))?;
        let bytes = bytes.to_vec();
        let end = from.saturating_add(bytes.len() as u64);
        let is_all = whole.is_none_or(|whole| end >= whole);
        Ok(Some(Rejected { bytes, is_all }))
    }
}
