//! `failures retry` and `failures discard`: each failure answers for itself, and one that cannot be taken stops no other.

use anyhow::Result;
use domain::Fault;
use edge::queues;
use edge::resend::{self, Claim};
use futures::stream::{self, StreamExt};
use serde_json::{Value, json};
use store::Store;
use store::dynamo::DynamoEngine;
use store::failures::{Changed, Listed, State};

use super::found;
use crate::cli::{Global, Which};
use crate::cloud::Stack;
use crate::commands::{now, principal};
use crate::output;

/// Failures that are seen to at the same time.
const AT_ONCE: usize = 16;

type Answer = (String, Result<Changed, Fault>);

#[derive(Clone, Copy)]
enum Decision {
    Retry,
    Discard,
}

impl Decision {
    fn done(self) -> &'static str {
        match self {
            Decision::Retry => "retried",
            Decision::Discard => "discarded",
        }
    }
}

pub async fn retry(global: &Global, stack: &Stack, which: &Which, again: bool) -> Result<bool> {
    let store = stack.store()?;
    let takes = |state| match state {
        State::Open => true,
        State::Retrying | State::Retried => again,
        // Somebody decided, and a filter would not know why.
        State::Discarded => false,
    };
    let ids = chosen(&store, stack, which, takes).await?;
    let sources = stack.sources();
    let (token, now, by) = (format!("{:016x}", fastrand::u64(..)), now(), principal());
    let claim = Claim {
        token: &token,
        again,
        by: &by,
    };
    let answers: Vec<Answer> = stream::iter(ids)
        .map(async |id| {
            let answer = resend::retry(&store, &sources, &id, claim, now).await;
            (id, answer)
        })
        .buffered(AT_ONCE)
        .collect()
        .await;
    report(global, Decision::Retry, &answers)
}

pub async fn discard(global: &Global, stack: &Stack, which: &Which) -> Result<bool> {
    let store = stack.store()?;
    let ids = chosen(&store, stack, which, State::is_unresolved).await?;
    let (now, by) = (now(), principal());
    let answers: Vec<Answer> = stream::iter(ids)
        .map(async |id| {
            let answer = store.discard_failure(&id, &by, now).await;
            (id, answer)
        })
        .buffered(AT_ONCE)
        .collect()
        .await;
    let of_batches = |(_, answer): &Answer| matches!(answer, Ok(Changed::Done(record)) if queues::OF_BATCHES.contains(&record.listed.queue.as_str()));
    let unsettled = answers.iter().any(of_batches);
    let done = report(global, Decision::Discard, &answers)?;
    if unsettled && !global.json {
        outln!("What their batches did not settle stays pending in its import.");
    }
    Ok(done)
}

/// Ids are taken at their word, each once. A filter is for what can be taken.
async fn chosen(
    store: &Store<DynamoEngine>,
    stack: &Stack,
    which: &Which,
    takes: impl Fn(State) -> bool,
) -> Result<Vec<String>> {
    if !which.ids.is_empty() {
        let mut ids = Vec::new();
        for id in &which.ids {
            if !ids.contains(id) {
                ids.push(id.clone());
            }
        }
        return Ok(ids);
    }
    let listed = found(store, stack, &which.filter).await?;
    let taken = listed.into_iter().filter(|failure| takes(failure.state));
    Ok(taken.map(|failure| failure.failure_id).collect())
}

/// Whether everything that was asked for was done.
fn report(global: &Global, decision: Decision, answers: &[Answer]) -> Result<bool> {
    let is_done = |(_, answer): &&Answer| matches!(answer, Ok(Changed::Done(_)));
    let (done, verb) = (answers.iter().filter(is_done).count(), decision.done());
    if global.json {
        let documents: Vec<Value> = answers.iter().map(document).collect();
        output::json(&documents)?;
    } else if answers.is_empty() {
        outln!("There is nothing like that to be {verb}.");
    } else {
        for answer in answers.iter().filter(|answer| !is_done(answer)) {
            outln!("{}", refusal(decision, answer));
        }
        outln!("{done} of {} {verb}.", answers.len());
    }
    Ok(done == answers.len())
}

fn document((id, answer): &Answer) -> Value {
    let of = |done: bool, listed: &Listed| {
        json!({
            "failure_id": listed.failure_id, "done": done, "queue": listed.queue, "state": listed.state,
            "since": listed.since(), "attempts": listed.attempts,
        })
    };
    match answer {
        Ok(Changed::Done(record)) => of(true, &record.listed),
        Ok(Changed::Refused(record)) => of(false, &record.listed),
        Ok(Changed::Unknown) => {
            json!({"failure_id": id, "done": false, "reason": "there is no such failure"})
        }
        Err(fault) => json!({"failure_id": id, "done": false, "reason": fault.message()}),
    }
}

fn refusal(decision: Decision, (id, answer): &Answer) -> String {
    let id = output::plain(id);
    match answer {
        Ok(Changed::Done(record)) => format!("{id} is {}", record.listed.state),
        Ok(Changed::Refused(record)) => {
            let (state, since) = (record.listed.state, record.listed.since());
            format!("{id} is {state} since {since}{}", advice(decision, state))
        }
        Ok(Changed::Unknown) => format!("there is no failure {id}"),
        Err(fault) => format!("{id}: {}", output::plain(fault.message())),
    }
}

fn advice(decision: Decision, state: State) -> &'static str {
    match (decision, state) {
        (Decision::Retry, State::Retrying) => {
            ", and nobody said that it was sent: `retry --again` sends it"
        }
        (Decision::Retry, State::Retried) => {
            ", and opens if it fails once more: `retry --again` sends it all the same"
        }
        (Decision::Retry, State::Discarded) => ": `retry --again ID` sends it all the same",
        (Decision::Discard, State::Retried) => ": it was sent, and opens if it fails once more",
        (Decision::Discard, State::Retrying | State::Discarded) | (_, State::Open) => "",
    }
}
