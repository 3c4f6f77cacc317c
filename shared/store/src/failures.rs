//! Failures: messages that were put aside, whole, and what people did about them.
//!
//! A record opens when its message is put aside, again each time a retry of it is, and closes when somebody retries or
//! discards it. Knows no queue: who sends a message again claims its record first, and says afterwards that it was sent.

use std::fmt;

use domain::Fault;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::engine::Engine;
use crate::instant::sortable;
use crate::item::{item, record};
use crate::ops::{Change, Condition, Key, Query, Write, number, text};
use crate::retry::Store;
use crate::schema::{BY_QUEUE, Table};

/// Seconds for which it is remembered what became of a failure. An open one is kept until somebody decides.
const KEPT_SECONDS: i64 = 60 * 60 * 24 * 90;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum State {
    /// Nobody has decided yet.
    Open,
    /// Somebody is sending it, or died while doing so.
    Retrying,
    /// It was sent to its queue again. Should it fail once more, it opens again.
    Retried,
    Discarded,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            State::Open => "OPEN",
            State::Retrying => "RETRYING",
            State::Retried => "RETRIED",
            State::Discarded => "DISCARDED",
        }
    }

    /// Whether nothing says yet that it was sent again or is to be left.
    pub fn is_unresolved(self) -> bool {
        matches!(self, State::Open | State::Retrying)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureRecord {
    #[serde(flatten)]
    pub listed: Listed,
    /// The body of the message.
    pub payload: String,
    /// Its group, without which a retry would stand in line with strangers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Who claimed it last to send it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    claim: Option<String>,
    /// Who decided about it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<String>,
    /// When the table forgets it, in seconds of the epoch. Only what is resolved has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<i64>,
}

/// A failure as lists show it: everything but the message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    pub failure_id: String,
    pub queue: String,
    pub state: State,
    pub fault: String,
    pub reason: String,
    /// How often the message was put aside.
    pub attempts: u32,
    pub first_at: Timestamp,
    /// When it was put aside last.
    #[serde(with = "crate::instant")]
    pub buried_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retried_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discarded_at: Option<Timestamp>,
}

impl Listed {
    /// Since when it is in its state.
    pub fn since(&self) -> Timestamp {
        let since = match self.state {
            State::Open => None,
            State::Retrying | State::Retried => self.retried_at,
            State::Discarded => self.discarded_at,
        };
        since.unwrap_or(self.buried_at)
    }
}

/// A message that was put aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Buried {
    pub failure_id: String,
    pub queue: String,
    pub fault: String,
    pub reason: String,
    pub payload: String,
    pub group: Option<String>,
}

/// What a retry says of itself, and carries through its queue and into the dead-letter queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryOf {
    pub failure_id: String,
    /// How often the message had been put aside when it was sent again.
    pub attempt: u32,
}

/// What became of a wish to change a record.
#[derive(Debug, Clone, PartialEq)]
pub enum Changed {
    /// As the record is now.
    Done(Box<FailureRecord>),
    /// The record is in no state for it, and stays as it is.
    Refused(Box<FailureRecord>),
    Unknown,
}

impl<E: Engine> Store<E> {
    /// Puts a message on record. A repetition changes nothing, whatever was done about the record meanwhile.
    pub async fn bury(&self, buried: &Buried, now: Timestamp) -> Result<(), Fault> {
        let new = FailureRecord {
            listed: Listed {
                failure_id: buried.failure_id.clone(),
                queue: buried.queue.clone(),
                state: State::Open,
                fault: buried.fault.clone(),
                reason: buried.reason.clone(),
                attempts: 1,
                first_at: now,
                buried_at: now,
                retried_at: None,
                discarded_at: None,
            },
            payload: buried.payload.clone(),
            group: buried.group.clone(),
            claim: None,
            decided_by: None,
            expires: None,
        };
        let put = Write::Put {
            table: Table::Failures,
            item: item(&new)?,
            condition: Condition::Absent,
        };
        let _on_record = self.write(&put).await?;
        Ok(())
    }

    /// Opens the record of a message again whose retry was put aside. `false` where the record is gone or holds another
    /// message: what a message says of itself anyone could say, and nothing may be dropped for it.
    ///
    /// The record counts. A copy that was sent for an earlier count tells nothing new, and changes nothing; whatever
    /// people did meanwhile, a retry that failed stands open.
    pub async fn bury_again(
        &self,
        retry: &RetryOf,
        buried: &Buried,
        now: Timestamp,
    ) -> Result<bool, Fault> {
        let Some(found) = self.failure(&retry.failure_id).await? else {
            return Ok(false);
        };
        if found.listed.queue != buried.queue || found.payload != buried.payload {
            return Ok(false);
        }
        let attempts = retry.attempt.saturating_add(1);
        let update = Write::Update {
            key: key(&retry.failure_id),
            changes: vec![
                Change::Set("state", text(State::Open.name())),
                Change::Set("attempts", number(attempts)),
                Change::Set("fault", text(&buried.fault)),
                Change::Set("reason", text(&buried.reason)),
                Change::Set("buried_at", text(sortable(now))),
                Change::Remove("discarded_at"),
                Change::Remove("claim"),
                Change::Remove("expires"),
            ],
            // What is not there counts no attempts either: an update must not make half a record.
            condition: Condition::Below("attempts", attempts.into()),
        };
        // Refused, it was counted before, or is gone since it was read.
        Ok(self.write(&update).await? != Err(None))
    }

    /// Claims a failure for whoever sends it again. `again` takes it whatever was done about it before.
    pub async fn claim_failure(
        &self,
        failure_id: &str,
        claim: &str,
        again: bool,
        by: &str,
        now: Timestamp,
    ) -> Result<Changed, Fault> {
        let from: &[State] = if again {
            &[
                State::Open,
                State::Retrying,
                State::Retried,
                State::Discarded,
            ]
        } else {
            &[State::Open]
        };
        let changes = vec![
            Change::Set("state", text(State::Retrying.name())),
            Change::Set("claim", text(claim)),
            Change::Set("decided_by", text(by)),
            Change::Set("retried_at", text(now.to_string())),
            Change::Remove("discarded_at"),
            Change::Remove("expires"),
        ];
        self.change(failure_id, changes, among(from), |found| {
            // This very claim, whose answer was lost.
            found.listed.state == State::Retrying && found.claim.as_deref() == Some(claim)
        })
        .await
    }

    /// The message was sent again. Where it has failed once more already, or somebody else claimed it, the record says
    /// what is newer, and keeps it.
    pub async fn failure_was_sent(
        &self,
        failure_id: &str,
        claim: &str,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let update = Write::Update {
            key: key(failure_id),
            changes: vec![
                Change::Set("state", text(State::Retried.name())),
                Change::Set("expires", number(now.as_second() + KEPT_SECONDS)),
                // Whoever discarded it meanwhile came too late.
                Change::Remove("discarded_at"),
                Change::Remove("claim"),
            ],
            condition: Condition::Is("claim", text(claim)),
        };
        let _newer = self.write(&update).await?;
        Ok(())
    }

    /// The message was surely not sent: the record opens again, unless somebody else claimed or discarded it.
    pub async fn failure_was_not_sent(&self, failure_id: &str, claim: &str) -> Result<(), Fault> {
        let update = Write::Update {
            key: key(failure_id),
            changes: vec![
                Change::Set("state", text(State::Open.name())),
                Change::Remove("retried_at"),
                Change::Remove("claim"),
            ],
            condition: Condition::All(vec![
                Condition::Is("claim", text(claim)),
                among(&[State::Retrying]),
            ]),
        };
        let _newer = self.write(&update).await?;
        Ok(())
    }

    /// Nothing more is to be done about it. What was retried already is out of reach.
    pub async fn discard_failure(
        &self,
        failure_id: &str,
        by: &str,
        now: Timestamp,
    ) -> Result<Changed, Fault> {
        let changes = vec![
            Change::Set("state", text(State::Discarded.name())),
            Change::Set("decided_by", text(by)),
            Change::Set("discarded_at", text(now.to_string())),
            Change::Set("expires", number(now.as_second() + KEPT_SECONDS)),
        ];
        let from = among(&[State::Open, State::Retrying]);
        self.change(failure_id, changes, from, |found| {
            found.listed.state == State::Discarded && found.listed.discarded_at == Some(now)
        })
        .await
    }

    async fn change(
        &self,
        failure_id: &str,
        changes: Vec<Change>,
        condition: Condition,
        is_done: impl Fn(&FailureRecord) -> bool,
    ) -> Result<Changed, Fault> {
        if failure_id.is_empty() {
            return Ok(Changed::Unknown);
        }
        let update = Write::Update {
            key: key(failure_id),
            changes,
            condition,
        };
        let refused = self.write(&update).await?.is_err();
        Ok(match self.failure(failure_id).await?.map(Box::new) {
            None => Changed::Unknown,
            Some(found) if refused && !is_done(&found) => Changed::Refused(found),
            Some(found) => Changed::Done(found),
        })
    }

    pub async fn failure(&self, failure_id: &str) -> Result<Option<FailureRecord>, Fault> {
        if failure_id.is_empty() {
            return Ok(None);
        }
        let found = self.get(&key(failure_id)).await?;
        found.map(record).transpose()
    }

    /// The failures of a queue, the oldest burial first.
    pub async fn failures_of(&self, queue: &str) -> Result<Vec<Listed>, Fault> {
        let query = Query::of(Table::Failures, Some(&BY_QUEUE), queue);
        let items = self.query_all(query).await?;
        items.into_iter().map(record).collect()
    }
}

fn key(failure_id: &str) -> Key {
    Key::new(Table::Failures, failure_id)
}

fn among(states: &[State]) -> Condition {
    let names = states.iter().map(|state| text(state.name()));
    Condition::AnyOf("state", names.collect())
}
