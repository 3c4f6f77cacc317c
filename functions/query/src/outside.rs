//! What is asked besides the tables.

use aws_sdk_s3::error::DisplayErrorContext;
use domain::Fault;
use edge::queues::{Depth, Queues};
use futures::future::{BoxFuture, FutureExt, TryFutureExt};

pub trait Outside: Send + Sync + 'static {
    /// Every queue, and how much is in it.
    fn depths(&self) -> BoxFuture<'_, Result<Vec<Depth>, Fault>>;

    /// Whether the bucket of files answers.
    fn files(&self) -> BoxFuture<'_, Result<(), Fault>>;
}

pub struct Aws {
    pub queues: Queues,
    pub s3: aws_sdk_s3::Client,
    pub bucket: String,
}

impl Outside for Aws {
    fn depths(&self) -> BoxFuture<'_, Result<Vec<Depth>, Fault>> {
        self.queues.depths().boxed()
    }

    fn files(&self) -> BoxFuture<'_, Result<(), Fault>> {
        let asked = self.s3.head_bucket().bucket(&self.bucket).send();
        let answer = asked.map_err(|error| {
            let error = DisplayErrorContext(error);
            Fault::Transient(format!("the bucket of files: {error}"))
        });
        answer.map_ok(|_| ()).boxed()
    }
}
