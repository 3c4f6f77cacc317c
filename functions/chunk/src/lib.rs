//! Reads an uploaded file as a stream, and sends its orders in batches.
//!
//! The import's id, the rows' numbers and the batches are all derived from the object, so that reading it again, for a
//! repeated event or after a crash, sends the same batches again: and those are safe to repeat.

mod import;
pub mod ports;

use aws_lambda_events::s3::{S3Event, S3EventRecord};
use domain::Fault;
use edge::Invocation;
use intake::Settings;
use ports::{Files, Object, Queue};
use store::{Engine, Store};

pub async fn handle<E: Engine>(
    store: &Store<E>,
    files: &impl Files,
    queue: &impl Queue,
    settings: &Settings,
    event: S3Event,
    invocation: Invocation,
) -> Result<(), Fault> {
    for record in event.records {
        import::import(
            store,
            files,
            queue,
            settings,
            &object(record)?,
            invocation.now,
        )
        .await?;
    }
    Ok(())
}

fn object(record: S3EventRecord) -> Result<Object, Fault> {
    let missing = |what: &str| Fault::Malformed(format!("the event names no {what}"));
    let object = record.s3.object;
    // Keys come form-encoded.
    let key = object
        .url_decoded_key
        .or(object.key)
        .ok_or_else(|| missing("key"))?;
    let version = object
        .version_id
        .ok_or_else(|| missing("version: the bucket has to be versioned"))?;
    let bucket = record.s3.bucket.name.ok_or_else(|| missing("bucket"))?;
    let size = object
        .size
        .and_then(|size| u64::try_from(size).ok())
        .unwrap_or_default();
    Ok(Object {
        bucket,
        key,
        version,
        size,
    })
}
