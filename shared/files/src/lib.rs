//! Files in the bucket: the messages that announce them, their bytes as a stream, and what could not be taken of them.
//!
//! Knows nothing of what a file says; that is `intake`.

mod arrivals;
mod rejected;
mod s3;

use domain::Fault;
use jiff::Timestamp;

pub use arrivals::arrivals;
pub use rejected::{RejectsFile, rejects_key};
pub use s3::S3Files;

/// A version of an object, which never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    pub bucket: String,
    pub key: String,
    pub version: String,
    pub etag: String,
    pub size: u64,
    pub uploaded_at: Timestamp,
}

pub enum Opened<B> {
    Body(B),
    /// There is no such object, or no longer.
    Gone,
    /// Something else is in its place.
    Replaced,
}

pub trait Body {
    /// Safe to drop before it is done: no piece gets lost.
    fn next(&mut self) -> impl Future<Output = Result<Option<Vec<u8>>, Fault>>;
}

pub trait Upload {
    fn write(&mut self, bytes: &[u8]) -> impl Future<Output = Result<(), Fault>>;

    /// There is nothing to be seen before this.
    fn finish(self) -> impl Future<Output = Result<(), Fault>>;
}

pub trait Files {
    /// The object from this byte on.
    fn open(
        &self,
        object: &Object,
        from: u64,
    ) -> impl Future<Output = Result<Opened<impl Body>, Fault>>;

    fn upload(&self, bucket: &str, key: &str) -> impl Upload;
}
