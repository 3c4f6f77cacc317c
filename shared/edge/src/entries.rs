//! The journal's stream, and that of the imports, and the queues whose messages name entries of the journal: what could not be
//! worked off as it came from the stream.

use std::fmt;

use aws_lambda_events::{dynamodb, sqs};
use domain::Fault;
use domain::journal::{Entry, of_duplicates, partitions};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{Engine, Store};

use crate::objects;
use crate::outbox::{Outgoing, SqsOutbox};

/// Between an entry's date and its arrival in the stream.
const MARGIN: SignedDuration = SignedDuration::from_mins(10);

/// What comes to whoever reads a stream: told apart by where it says it is from.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Value")]
pub enum Event {
    /// Records of a stream.
    Stream(dynamodb::Event),
    /// Messages that name what could not be worked off.
    Entries(sqs::SqsEvent),
}

impl TryFrom<Value> for Event {
    type Error = serde_json::Error;

    fn try_from(event: Value) -> Result<Event, serde_json::Error> {
        match event["Records"][0]["eventSource"].as_str() {
            Some("aws:dynamodb") => serde_json::from_value(event).map(Event::Stream),
            _ => serde_json::from_value(event).map(Event::Entries),
        }
    }
}

/// An entry of the journal, by its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryName {
    pub partition: String,
    pub entry_id: String,
}

/// The entries of one partition that may have been in the stream from then to then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    pub partition: String,
    pub first: Timestamp,
    pub last: Timestamp,
}

/// What a message names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    Entry(EntryName),
    Part(Part),
}

/// What a message asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    Named(Named),
    /// Records of the stream that the service gave up, for the function never answered for them: those that arrived from
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
        if let Ok(Undelivered { records }) = objects::from_str(body) {
            return Ok(Asked::GivenUp {
                first: records.approximate_arrival_of_first_record,
                last: records.approximate_arrival_of_last_record,
            });
        }
        if let Ok(part) = objects::from_str(body) {
            return Ok(Asked::Named(Named::Part(part)));
        }
        let name: EntryName = objects::from_str(body).map_err(|error| {
            Fault::unreadable("not the name of an entry", error.line(), error.column())
        })?;
        match name.partition.is_empty() || name.entry_id.is_empty() {
            true => Err(Fault::Malformed("an entry without a name".to_owned())),
            false => Ok(Asked::Named(Named::Entry(name))),
        }
    }
}

impl Named {
    /// An entry, by the name that logs have.
    pub fn parse(name: &str) -> Option<Named> {
        EntryName::parse(name).map(Named::Entry)
    }

    pub fn body(&self) -> Result<String, Fault> {
        let body = match self {
            Named::Entry(name) => serde_json::to_string(name),
            Named::Part(part) => serde_json::to_string(part),
        };
        body.map_err(|error| Fault::Corrupt(error.to_string()))
    }

    pub fn partition(&self) -> &str {
        match self {
            Named::Entry(name) => &name.partition,
            Named::Part(part) => &part.partition,
        }
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Named::Entry(name) => name.fmt(f),
            Named::Part(part) => f.pad(&part.partition),
        }
    }
}

/// The entry that a message names.
pub async fn named<E: Engine>(store: &Store<E>, name: &EntryName) -> Result<Entry, Fault> {
    let found = store.entry(&name.partition, &name.entry_id).await?;
    let missing = || Fault::Malformed(format!("the journal has no entry {name}"));
    found.ok_or_else(missing)?.map_err(|(_, fault)| fault)
}

/// Whether what is dated so may have been in the stream from then to then: it is dated by the invocation that wrote it.
pub fn may_have_arrived(at: Timestamp, first: Timestamp, last: Timestamp) -> bool {
    at >= first - MARGIN && at <= last + MARGIN
}

/// Where the entries of records lie that the stream gave up. Each part is sent, and looked at, by itself: a day may have
/// more entries than one run can read.
pub fn given_up(first: Timestamp, last: Timestamp) -> Vec<Named> {
    let day = |at: Timestamp| at.to_zoned(TimeZone::UTC).date();
    let days = day(first).saturating_sub(1.day()).series(1.day());
    let end = day(last).saturating_add(1.day());
    let days = days.take_while(|day| *day <= end);
    let part = |partition| Part {
        partition,
        first,
        last,
    };
    let all = days.flat_map(partitions).chain(of_duplicates());
    all.map(|partition| Named::Part(part(partition))).collect()
}

/// The entries of a part: each of them has to be sent by its name.
pub async fn of_part<E: Engine>(store: &Store<E>, part: &Part) -> Result<Vec<Named>, Fault> {
    let wanted = |at| may_have_arrived(at, part.first, part.last);
    let ids = store.entries_when(&part.partition, wanted).await?;
    if !ids.is_empty() {
        tracing::warn!(
            partition = part.partition,
            entries = ids.len(),
            "entries that the stream gave up are taken by name"
        );
    }
    let name = |entry_id| EntryName {
        partition: part.partition.clone(),
        entry_id,
    };
    Ok(ids.into_iter().map(name).map(Named::Entry).collect())
}

pub trait Entries {
    /// Returns when all of them are in the queue.
    fn send(&self, entries: Vec<Named>) -> impl Future<Output = Result<(), Fault>>;
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
}

impl fmt::Display for EntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.partition, self.entry_id)
    }
}

impl Entries for SqsOutbox {
    async fn send(&self, entries: Vec<Named>) -> Result<(), Fault> {
        let messages = entries.iter().map(|entry| {
            Ok(Outgoing {
                group: entry.partition().to_owned(),
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
        let part = Part {
            partition: name.partition.clone(),
            first: Timestamp::MIN,
            last: Timestamp::MAX,
        };
        for named in [Named::Entry(name), Named::Part(part)] {
            let body = named.body().expect("json");
            assert_eq!(Asked::read(&body), Ok(Asked::Named(named)));
        }
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
        let parts = given_up(first, last);
        let days: std::collections::BTreeSet<&str> = parts
            .iter()
            .filter_map(|part| Some(part.partition().split_once('#')?.0))
            .collect();
        let days: Vec<&str> = days.into_iter().collect();
        assert_eq!(
            days,
            ["2026-02-28", "2026-03-01", "2026-03-02", "duplicates"]
        );
    }
}
