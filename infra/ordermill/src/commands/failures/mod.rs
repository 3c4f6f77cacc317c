//! `failures`: what was put aside, and what people decide about it.

mod decide;
mod entry;
mod show;

use anyhow::{Result, bail};
use jiff::Timestamp;
use store::Store;
use store::dynamo::DynamoEngine;
use store::failures::{Listed, State};

use crate::cli::{Failures, Filter, Global, StateFilter};
use crate::cloud::Stack;
use crate::output;

/// Characters of a reason in a list. `show` has it all.
const REASON_SHOWN: usize = 100;

pub async fn run(global: &Global, stack: &Stack, command: &Failures) -> Result<bool> {
    match command {
        Failures::List { filter, state } => list(global, stack, filter, *state).await,
        Failures::Show { id } => show::run(global, stack, id).await,
        Failures::Retry { which, again } => decide::retry(global, stack, which, *again).await,
        Failures::Discard { which } => decide::discard(global, stack, which).await,
    }
}

async fn list(global: &Global, stack: &Stack, filter: &Filter, state: StateFilter) -> Result<bool> {
    let is_wanted = |failure: &Listed| match state {
        StateFilter::Open => failure.state.is_unresolved(),
        StateFilter::Retried => failure.state == State::Retried,
        StateFilter::Discarded => failure.state == State::Discarded,
        StateFilter::All => true,
    };
    let mut listed = found(&stack.store()?, stack, filter).await?;
    listed.retain(is_wanted);
    if global.json {
        output::json(&listed)?;
    } else if listed.is_empty() {
        outln!("No failure is like that{}.", hint(state));
    } else {
        outln!("{}", table(&listed, Timestamp::now()));
    }
    Ok(true)
}

fn hint(state: StateFilter) -> &'static str {
    match state {
        StateFilter::Open => ", or somebody saw to it: `--state all` shows those too",
        StateFilter::Retried | StateFilter::Discarded | StateFilter::All => "",
    }
}

/// What a filter finds, in whatever state, in the sequence in which it was put aside.
async fn found(store: &Store<DynamoEngine>, stack: &Stack, filter: &Filter) -> Result<Vec<Listed>> {
    let known: Vec<String> = stack.queues().into_keys().collect();
    let queues = match &filter.queue {
        Some(queue) => std::slice::from_ref(queue),
        None => &known[..],
    };
    let mut listed = Vec::new();
    for queue in queues.iter().filter(|queue| !queue.is_empty()) {
        listed.extend(store.failures_of(queue).await?);
    }
    if let Some(queue) = &filter.queue
        && listed.is_empty()
        && !known.contains(queue)
    {
        bail!(
            "there is no queue {}, there are {}",
            output::plain(queue),
            known.join(", ")
        );
    }
    listed.retain(|failure| {
        let fault = filter.fault.as_ref();
        fault.is_none_or(|fault| fault.eq_ignore_ascii_case(&failure.fault))
            && filter.since.is_none_or(|since| failure.buried_at >= since)
    });
    listed.sort_by(|one, other| {
        (one.buried_at, &one.failure_id).cmp(&(other.buried_at, &other.failure_id))
    });
    Ok(listed)
}

fn table(listed: &[Listed], now: Timestamp) -> comfy_table::Table {
    let header = [
        "failure",
        "queue",
        "state",
        "attempts",
        "put aside",
        "fault",
        "reason",
    ];
    let rows = listed.iter().map(|failure| {
        [
            output::plain(&failure.failure_id),
            output::plain(&failure.queue),
            failure.state.to_string(),
            failure.attempts.to_string(),
            ago(failure.buried_at, now),
            output::plain(&failure.fault),
            shortened(&output::plain(&failure.reason)),
        ]
    });
    output::table(&header, &[3], rows)
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(REASON_SHOWN) {
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
        None => text.to_owned(),
    }
}

/// How long ago, as people say it.
fn ago(then: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(then).as_secs().max(0);
    match seconds {
        0..60 => format!("{seconds} s ago"),
        60..3_600 => format!("{} min ago", seconds / 60),
        3_600..172_800 => format!("{} h ago", seconds / 3_600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_short() {
        let long = "ä".repeat(REASON_SHOWN + 1);
        assert_eq!(shortened(&long), format!("{}…", "ä".repeat(REASON_SHOWN)));
        assert_eq!(shortened(&long[2..]), long[2..]);
        let now = Timestamp::UNIX_EPOCH;
        let check = |seconds: i64, said: &str| {
            assert_eq!(
                ago(now - jiff::SignedDuration::from_secs(seconds), now),
                said
            );
        };
        check(0, "0 s ago");
        check(-5, "0 s ago");
        check(3_599, "59 min ago");
        check(100_000, "27 h ago");
        check(200_000, "2 days ago");
    }
}
