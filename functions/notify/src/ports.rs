//! What there is to tell of, by its name: as messages of the queue have it.

use std::fmt;

use domain::Fault;
use edge::entries::{self, Named};
use edge::outbox::{Outgoing, SqsOutbox};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What there is to tell of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// One entry, or those of a part of the journal.
    Named(Named),
    /// An import that is over.
    Import(ImportName),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportName {
    pub import_id: String,
}

impl Subject {
    pub fn import(import_id: &str) -> Subject {
        Subject::Import(ImportName {
            import_id: import_id.to_owned(),
        })
    }

    pub fn body(&self) -> Result<String, Fault> {
        match self {
            Subject::Named(named) => named.body(),
            Subject::Import(name) => {
                serde_json::to_string(name).map_err(|error| Fault::Corrupt(error.to_string()))
            }
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Named(named) => named.fmt(f),
            Subject::Import(name) => f.pad(&name.import_id),
        }
    }
}

/// What a message of the queue asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    Subject(Subject),
    /// Records of a stream, the journal's or the imports', that arrived from then to then.
    GivenUp {
        first: Timestamp,
        last: Timestamp,
    },
}

impl Asked {
    pub fn read(body: &str) -> Result<Asked, Fault> {
        if let Ok(name) = edge::objects::from_str::<ImportName>(body) {
            return match name.import_id.is_empty() {
                true => Err(Fault::Malformed("an import without a name".to_owned())),
                false => Ok(Asked::Subject(Subject::Import(name))),
            };
        }
        Ok(match entries::Asked::read(body)? {
            entries::Asked::Named(named) => Asked::Subject(Subject::Named(named)),
            entries::Asked::GivenUp { first, last } => Asked::GivenUp { first, last },
        })
    }
}

pub trait Subjects {
    /// Returns when all of them are in the queue.
    fn send(&self, subjects: Vec<Subject>) -> impl Future<Output = Result<(), Fault>>;
}

impl Subjects for SqsOutbox {
    async fn send(&self, subjects: Vec<Subject>) -> Result<(), Fault> {
        let messages = subjects.iter().map(|subject| {
            Ok(Outgoing {
                group: match subject {
                    Subject::Named(named) => named.partition().to_owned(),
                    Subject::Import(name) => name.import_id.clone(),
                },
                body: subject.body()?,
            })
        });
        SqsOutbox::send(self, messages.collect::<Result<_, Fault>>()?).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_what_there_is_to_tell_of() {
        let entry = Named::parse("2026-03-01#05/im_x-000001-finalize-3").expect("a name");
        let entry = Subject::Named(entry);
        for subject in [entry, Subject::import("im_1")] {
            let body = subject.body().expect("json");
            assert_eq!(Asked::read(&body), Ok(Asked::Subject(subject)));
        }
        for wrong in ["", "{}", r#"{"import_id": ""}"#, r#"{"import_id": 1}"#] {
            let read = Asked::read(wrong);
            assert!(matches!(read, Err(Fault::Malformed(_))), "{wrong}");
        }
    }
}
