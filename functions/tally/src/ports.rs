//! The queue of entries that could not be entered at once, and what its messages say.

use std::fmt;

use domain::Fault;
use edge::outbox::{Outgoing, SqsOutbox};
use serde::{Deserialize, Serialize};

/// An entry of the journal, by its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryName {
    pub partition: String,
    pub entry_id: String,
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

    pub fn read(body: &str) -> Result<EntryName, Fault> {
        // What the service says of records that this function never answered for.
        if body.contains("DDBStreamBatchInfo") {
            return Err(Fault::Malformed(
                "entries of the stream were given up: `ordermill verify` shows what is missing, and \
                 `ordermill tally rebuild` adds it up anew"
                    .to_owned(),
            ));
        }
        let name: EntryName = serde_json::from_str(body).map_err(|error| {
            Fault::unreadable("not the name of an entry", error.line(), error.column())
        })?;
        match name.partition.is_empty() || name.entry_id.is_empty() {
            true => Err(Fault::Malformed("an entry without a name".to_owned())),
            false => Ok(name),
        }
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
        assert_eq!(EntryName::read(&body), Ok(name));
        for wrong in ["", "/", "a/", "/b", "ab"] {
            assert_eq!(EntryName::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_names_no_entry_is_malformed() {
        let lost = r#"{"requestContext": {}, "DDBStreamBatchInfo": {"shardId": "s"}}"#;
        let empty = r#"{"partition": "", "entry_id": "x"}"#;
        for body in ["", "hello", "{}", empty, lost] {
            assert!(
                matches!(EntryName::read(body), Err(Fault::Malformed(_))),
                "{body}"
            );
        }
    }
}
