//! The messages in which the bucket announces files.

use aws_lambda_events::s3::{S3Event, S3EventRecord};
use domain::Fault;
use serde::Deserialize;

use crate::Object;

/// The objects that a message announces. None, where the bucket only tries whether its messages arrive.
pub fn arrivals(body: &str) -> Result<Vec<Object>, Fault> {
    #[derive(Deserialize)]
    struct Trial {
        #[serde(rename = "Event")]
        event: String,
    }
    if serde_json::from_str::<Trial>(body).is_ok_and(|trial| trial.event == "s3:TestEvent") {
        return Ok(Vec::new());
    }
    let event: S3Event = serde_json::from_str(body).map_err(|error| {
        Fault::unreadable("not an event of a bucket", error.line(), error.column())
    })?;
    let objects = event.records.into_iter().map(object);
    // What the console makes for a folder is no file.
    let is_file = |object: &Object| !(object.key.ends_with('/') && object.size == 0);
    objects
        .filter(|object| object.as_ref().map_or(true, is_file))
        .collect()
}

fn object(record: S3EventRecord) -> Result<Object, Fault> {
    let missing = |what: &str| Fault::Malformed(format!("the event names no {what}"));
    let object = record.s3.object;
    let uploaded_ms = record.event_time.timestamp_millis();
    Ok(Object {
        key: decoded(&object.key.ok_or_else(|| missing("key"))?)?,
        bucket: record.s3.bucket.name.ok_or_else(|| missing("bucket"))?,
        version: object
            .version_id
            .ok_or_else(|| missing("version: the bucket has to be versioned"))?,
        etag: object.e_tag.ok_or_else(|| missing("etag"))?,
        size: object
            .size
            .and_then(|size| u64::try_from(size).ok())
            .unwrap_or_default(),
        uploaded_at: jiff::Timestamp::from_millisecond(uploaded_ms)
            .map_err(|error| Fault::Malformed(format!("the event's time: {error}")))?,
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

    #[test]
    fn a_trial_announces_nothing_and_what_is_no_event_is_malformed() {
        let trial = r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"b"}"#;
        assert_eq!(arrivals(trial), Ok(Vec::new()));
        for body in [
            "",
            "hello",
            "{}",
            r#"{"Records":[{}]}"#,
            r#"{"Event":"s3:Other"}"#,
        ] {
            assert!(matches!(arrivals(body), Err(Fault::Malformed(_))), "{body}");
        }
    }
}
