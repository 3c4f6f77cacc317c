//! The bucket itself. An upload of any size holds one part of it in memory.

use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use domain::Fault;

use crate::{Body, Files, Object, Opened, Upload};

/// S3 wants 5 MB at least, but for the last part, and 10,000 parts at most: enough for 80 GB.
const PART_BYTES: usize = 8 * 1024 * 1024;

pub struct S3Files {
    pub client: aws_sdk_s3::Client,
}

struct S3Body {
    /// Nothing, behind the end of the object.
    stream: Option<ByteStream>,
    /// Bytes that were not asked for, and come all the same.
    skip: u64,
}

impl Body for S3Body {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        let Some(stream) = &mut self.stream else {
            return Ok(None);
        };
        loop {
            let bytes = stream
                .try_next()
                .await
                .map_err(|error| Fault::Transient(format!("reading the object: {error}")))?;
            let Some(bytes) = bytes else { return Ok(None) };
            // It fits: it is no longer than what is in memory.
            let skipped = self.skip.min(bytes.len() as u64) as usize;
            self.skip -= skipped as u64;
            if skipped < bytes.len() {
                return Ok(Some(bytes[skipped..].to_vec()));
            }
        }
    }
}

impl Files for S3Files {
    async fn open(&self, object: &Object, from: u64) -> Result<Opened<impl Body>, Fault> {
        let request = self
            .client
            .get_object()
            .bucket(&object.bucket)
            .key(&object.key)
            .version_id(&object.version)
            // A version never changes. Should a bucket forget that it keeps versions, this is what notices.
            .if_match(format!("\"{}\"", object.etag))
            .set_range((from > 0).then(|| format!("bytes={from}-")));
        match request.send().await {
            Ok(answer) => {
                // A server may answer with the whole object instead of a part: an emulator does, for versions.
                let is_part = answer.content_range.is_some();
                Ok(Opened::Body(S3Body {
                    stream: Some(answer.body),
                    skip: if is_part { 0 } else { from },
                }))
            }
            Err(error) => match error.code() {
                Some("NoSuchKey" | "NoSuchVersion" | "MethodNotAllowed") => Ok(Opened::Gone),
                Some("PreconditionFailed") => Ok(Opened::Replaced),
                Some("InvalidRange") => Ok(Opened::Body(S3Body {
                    stream: None,
                    skip: 0,
                })),
                _ => Err(transient(error)),
            },
        }
    }

    fn upload(&self, bucket: &str, key: &str) -> impl Upload {
        S3Upload {
            client: self.client.clone(),
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            buffer: Vec::new(),
            id: None,
            parts: Vec::new(),
        }
    }
}

struct S3Upload {
    client: aws_sdk_s3::Client,
    bucket: String,
    key: String,
    buffer: Vec<u8>,
    /// Set with the first part. An upload that is never finished is cleared away by the bucket's rules.
    id: Option<String>,
    parts: Vec<CompletedPart>,
}

impl Upload for S3Upload {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= PART_BYTES {
            self.send_part().await?;
        }
        Ok(())
    }

    async fn finish(mut self) -> Result<(), Fault> {
        if self.id.is_none() {
            let request = self.client.put_object().bucket(self.bucket).key(self.key);
            let body = self.buffer.into();
            let put = request.content_type("text/csv").body(body).send().await;
            return put.map(drop).map_err(transient);
        }
        if !self.buffer.is_empty() {
            self.send_part().await?;
        }
        let parts = CompletedMultipartUpload::builder().set_parts(Some(self.parts));
        let request = self
            .client
            .complete_multipart_upload()
            .bucket(self.bucket)
            .key(self.key)
            .set_upload_id(self.id)
            .multipart_upload(parts.build());
        request.send().await.map(drop).map_err(transient)
    }
}

impl S3Upload {
    async fn send_part(&mut self) -> Result<(), Fault> {
        if self.id.is_none() {
            let request = self.client.create_multipart_upload();
            let request = request.bucket(&self.bucket).key(&self.key);
            // Said at the start, with each part and at the end: S3 refuses an upload that changes its mind.
            let request = request.checksum_algorithm(ChecksumAlgorithm::Crc32);
            let created = request.content_type("text/csv").send().await;
            self.id = created.map_err(transient)?.upload_id;
        }
        let number = i32::try_from(self.parts.len() + 1).unwrap_or(i32::MAX);
        let request = self
            .client
            .upload_part()
            .bucket(&self.bucket)
            .key(&self.key)
            .set_upload_id(self.id.clone())
            .part_number(number)
            .checksum_algorithm(ChecksumAlgorithm::Crc32)
            .body(std::mem::take(&mut self.buffer).into());
        let sent = request.send().await.map_err(transient)?;
        let part = CompletedPart::builder().part_number(number);
        let part = part.set_checksum_crc32(sent.checksum_crc32);
        self.parts.push(part.set_e_tag(sent.e_tag).build());
        Ok(())
    }
}

fn transient<E: std::error::Error + Send + Sync + 'static>(error: SdkError<E>) -> Fault {
    Fault::Transient(DisplayErrorContext(error).to_string())
}
