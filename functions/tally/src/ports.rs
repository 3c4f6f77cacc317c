//! The queue of entries that could not be entered at once, and what its messages say.

use std::fmt;

use domain::Fault;
use edge::figures::Rebuild;
use edge::outbox::{Outgoing, SqsOutbox};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// An entry of the journal, by its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryName {
    pub partition: String,
    pub entry_id: String,
}

/// What a message of the queue asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    Entry(EntryName),
    /// Figures are to be added up anew.
    Rebuild(Rebuild),
    /// Records of the stream that the service gave up, for this function never answered for them: those that arrived from
    /// then to then.
    GivenUp {
        first: Timestamp,
        last: Timestamp,
    },
}

/// In the service's own words, of which most is about where records stood in the stream.
#[derive(Deserialize)]
struct Undelivered {
    #[serde(rename = "DDBStreamBatchInfo")]
    records: Arrived,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Arrived {
    approximate_arrival_of_first_record: Timestamp,
    approximate_arrival_of_last_record: Timestamp,
}

impl Asked {
    pub fn read(body: &str) -> Result<Asked, Fault> {
        if let Ok(Undelivered { records }) = serde_json::from_str(body) {
            return Ok(Asked::GivenUp {
                first: records.approximate_arrival_of_first_record,
                last: records.approximate_arrival_of_last_record,
            });
        }
        if let Some(rebuild) = Rebuild::read(body) {
            return Ok(Asked::Rebuild(rebuild));
        }
        let name: EntryName = serde_json::from_str(body).map_err(|error| {
            Fault::unreadable("not the name of an entry", error.line(), error.column())
        })?;
        match name.partition.is_empty() || name.entry_id.is_empty() {
            true => Err(Fault::Malformed("an entry without a name".to_owned())),
            false => Ok(Asked::Entry(name)),
        }
    }
}

pub trait Entries {
    /// Returns when all of them are in the queue.
    fn send(&self, entries: Vec<EntryName>) -> impl Future<Output = Result<(), Fault>>;
}

impl EntryName {
    /// As entries are named in logs, and by people.
    pub fn parse(name: &str) -> Option<EntryName> {
        let (partition, entry_id) = name.split_once('/')?;
        let of = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Some(EntryName {
            partition: of(partition)?,
            entry_id: of(entry_id)?,
        })
    }

    pub fn body(&self) -> Result<String, Fault> {
        serde_json::to_string(self).map_err(|error| Fault::Corrupt(error.to_string()))
    }
}

impl fmt::Display for EntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.partition, self.entry_id)
    }
}

impl Entries for SqsOutbox {
    async fn send(&self, entries: Vec<EntryName>) -> Result<(), Fault> {
        let messages = entries.iter().map(|entry| {
            Ok(Outgoing {
                group: entry.partition.clone(),
                body: entry.body()?,
            })
        });
        SqsOutbox::send(self, messages.collect::<Result<_, Fault>>()?).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_has_one_name() {
        let name = EntryName::parse("2026-03-01#05/im_x-000001-finalize-3").expect("a name");
        assert_eq!(name.partition, "2026-03-01#05");
        assert_eq!(name.to_string(), "2026-03-01#05/im_x-000001-finalize-3");
        let body = name.body().expect("json");
        assert_eq!(Asked::read(&body), Ok(Asked::Entry(name)));
        for wrong in ["", "/", "a/", "/b", "ab"] {
            assert_eq!(EntryName::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_names_no_entry_is_malformed() {
        let empty = r#"{"partition": "", "entry_id": "x"}"#;
        for body in ["", "hello", "{}", empty] {
            assert!(
                matches!(Asked::read(body), Err(Fault::Malformed(_))),
                "{body}"
            );
        }
    }

    #[test]
    fn records_that_were_given_up_are_known_by_their_time() {
        let body = r#"{
            "requestContext": {"condition": "RetryAttemptsExhausted", "approximateInvokeCount": 101},
            "DDBStreamBatchInfo": {
                "shardId": "shardId-00000001573689847184-864758bb",
                "startSequenceNumber": "800000000003126276362", "endSequenceNumber": "800000000003126276362",
                "approximateArrivalOfFirstRecord": "2026-03-01T00:13:19Z",
                "approximateArrivalOfLastRecord": "2026-03-01T00:14:19Z", "batchSize": 1,
                "streamArn": "arn:aws:dynamodb:us-east-2:123456789012:table/journal/stream/x"
            }
        }"#;
        let at = |text: &str| text.parse().expect("an instant");
        let (first, last) = (at("2026-03-01T00:13:19Z"), at("2026-03-01T00:14:19Z"));
        assert_eq!(Asked::read(body), Ok(Asked::GivenUp { first, last }));
    }
}
