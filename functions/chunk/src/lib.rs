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
    let key = decoded(&object.key.ok_or_else(|| missing("key"))?)?;
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

/// Keys come form-encoded.
fn decoded(key: &str) -> Result<String, Fault> {
    let spaced = key.replace('+', " ");
    match percent_encoding::percent_decode_str(&spaced).decode_utf8() {
        Ok(key) => Ok(key.into_owned()),
        Err(_) => Err(Fault::Malformed(format!("the key {key:?} is not UTF-8"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_form_encoded() {
        for (encoded, key) in [
            ("imports/a.csv", "imports/a.csv"),
            (
                "imports/orders+of+march+%281%29%2B%C3%A4.csv",
                "imports/orders of march (1)+\u{e4}.csv",
            ),
            ("imports/50%25.csv", "imports/50%.csv"),
        ] {
            assert_eq!(decoded(encoded), Ok(key.to_owned()));
        }
        assert!(decoded("imports/%ff").is_err());
    }
}
