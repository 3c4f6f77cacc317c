//! Enters what the journal says in the figures: as it comes from the journal's stream, and again from a queue where that
//! failed.
//!
//! The stream waits for nobody: an entry that cannot be entered now is handed to the queue, which is patient, and gives up
//! on what no retry will mend. So one bad entry holds up no other.

mod ports;

use std::time::Duration;

use aws_lambda_events::dynamodb::EventRecord;
use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use domain::Fault;
use domain::journal::Entry;
use edge::Invocation;
use edge::entries;
use edge::figures::Rebuild;
use edge::messages::{self, Queue};
use jiff::SignedDuration;
use jiff::tz::TimeZone;
use store::tallies::Scope;
use store::{Engine, Store, journal};
use tokio::time::Instant;

pub use edge::entries::Event;
pub use ports::{Asked, Entries, EntryName, Named};

/// The last seconds of an invocation: what could not be entered by then is handed to the queue.
const TO_HAND_OVER: Duration = Duration::from_secs(15);

/// What tally needs of the outside.
pub struct Ports<'a, E, Q, N> {
    pub store: &'a Store<E>,
    /// Where messages about entries come from.
    pub queue: &'a Q,
    /// Where they are sent.
    pub entries: &'a N,
    pub zone: &'a TimeZone,
}

/// Both kinds of events are answered for in the same way.
pub async fn handle<E: Engine, Q: Queue, N: Entries>(
    ports: &Ports<'_, E, Q, N>,
    event: Event,
    invocation: Invocation,
) -> Result<SqsBatchResponse, Fault> {
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures = match event {
        Event::Stream(event) => stream(ports, &event.records, invocation).await?,
        Event::Entries(event) => queue(ports, &event, invocation).await?,
    };
    Ok(response)
}

async fn stream<E: Engine, Q: Queue, N: Entries>(
    ports: &Ports<'_, E, Q, N>,
    records: &[EventRecord],
    invocation: Invocation,
) -> Result<Vec<BatchItemFailure>, Fault> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut sent: Vec<Named> = Vec::new();
    // Entries are never changed, and leave the journal only by hand.
    for record in records
        .iter()
        .filter(|record| record.event_name == "INSERT")
    {
        match journal::entry(record.change.new_image.clone()) {
            Ok(entry) => entries.push(entry),
            Err((name, fault)) => sent.extend(put_off(&name, &fault)),
        }
    }
    let answers = ports
        .store
        .enter(&entries, ports.zone, invocation.now, time(invocation))
        .await?;
    for (entry, answer) in entries.iter().zip(answers) {
        if let Err(fault) = answer {
            sent.extend(put_off(&entry.name(), &fault));
        }
    }
    if sent.is_empty() {
        return Ok(Vec::new());
    }
    // Should the queue be away, the stream delivers all of these again: what was entered is left alone then.
    ports.entries.send(sent).await?;
    Ok(Vec::new())
}

fn put_off(name: &str, fault: &Fault) -> Option<Named> {
    tracing::warn!(
        entry.name = name,
        fault = fault.name(),
        reason = fault.message(),
        "an entry could not be entered at once"
    );
    Named::parse(name)
}

async fn queue<E: Engine, Q: Queue, N: Entries>(
    ports: &Ports<'_, E, Q, N>,
    event: &SqsEvent,
    invocation: Invocation,
) -> Result<Vec<BatchItemFailure>, Fault> {
    messages::hide_all(ports.queue, &event.records, invocation.remaining).await?;
    let mut failed: Vec<(&SqsMessage, Fault)> = Vec::new();
    let mut found: Vec<(&SqsMessage, Entry)> = Vec::new();
    for message in &event.records {
        match asked(ports, message, invocation).await {
            Ok(Some(entry)) => found.push((message, entry)),
            Ok(None) => {}
            Err(fault) => failed.push((message, fault)),
        }
    }
    let entries: Vec<Entry> = found.iter().map(|(_, entry)| entry.clone()).collect();
    let answers = ports
        .store
        .enter(&entries, ports.zone, invocation.now, time(invocation))
        .await?;
    let answered = found.into_iter().zip(answers);
    failed.extend(answered.filter_map(|((message, _), answer)| Some((message, answer.err()?))));
    Ok(messages::give_back(ports.queue, failed).await)
}

/// The entry that a message asks to be entered; nothing where it asked for more than one, that are sent by themselves, or
/// for figures to be added up anew, which was done.
async fn asked<E: Engine, Q: Queue, N: Entries>(
    ports: &Ports<'_, E, Q, N>,
    message: &SqsMessage,
    invocation: Invocation,
) -> Result<Option<Entry>, Fault> {
    match Asked::read(message.body.as_deref().unwrap_or_default())? {
        Asked::Entered(entries::Asked::Named(Named::Entry(name))) => {
            entries::named(ports.store, &name).await.map(Some)
        }
        Asked::Rebuild(rebuild) => {
            rebuilt(ports, rebuild, invocation).await?;
            Ok(None)
        }
        Asked::Entered(entries::Asked::Named(Named::Part(part))) => {
            let entries = entries::of_part(ports.store, &part).await?;
            ports.entries.send(entries).await?;
            Ok(None)
        }
        Asked::Entered(entries::Asked::GivenUp { first, last }) => {
            ports.entries.send(entries::given_up(first, last)).await?;
            Ok(None)
        }
    }
}

/// What takes longer than an invocation does so each time: then it is for somebody who has more time.
async fn rebuilt<E: Engine, Q: Queue, N: Entries>(
    ports: &Ports<'_, E, Q, N>,
    rebuild: Rebuild,
    invocation: Invocation,
) -> Result<(), Fault> {
    let scope = match rebuild {
        Rebuild::Everything => Scope::Everything,
        Rebuild::Day(day) => Scope::Day(day),
    };
    let begun = Instant::now();
    let now = || {
        let elapsed = SignedDuration::try_from(begun.elapsed()).unwrap_or_default();
        invocation
            .now
            .saturating_add(elapsed)
            .unwrap_or(invocation.now)
    };
    let rebuilding = ports.store.rebuild(scope, ports.zone, now, |_| ());
    let ended = tokio::time::timeout(time(invocation), rebuilding).await;
    let rebuilt = ended.map_err(|_| {
        let what = "this is too much for one invocation: `ordermill tally rebuild` has more time";
        Fault::Refused(what.to_owned())
    })??;
    tracing::info!(
        entries = rebuilt.entries,
        wrong = rebuilt.wrong.len(),
        "figures were added up anew"
    );
    Ok(())
}

/// What is handed over in the end has to be sent.
fn time(invocation: Invocation) -> Duration {
    invocation.remaining.saturating_sub(TO_HAND_OVER)
}
