//! Enters what the journal says in the figures: as it comes from the journal's stream, and again from a queue where that
//! failed.
//!
//! The stream waits for nobody: an entry that cannot be entered now is handed to the queue, which is patient, and gives up
//! on what no retry will mend. So one bad entry holds up no other.

mod event;
mod ports;

use aws_lambda_events::dynamodb::EventRecord;
use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use domain::Fault;
use domain::journal::Entry;
use edge::Invocation;
use edge::messages::{self, Queue};
use jiff::tz::TimeZone;
use store::{Engine, Store, journal};

pub use event::Event;
pub use ports::{Entries, EntryName};

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
        Event::Journal(event) => stream(ports, &event.records, invocation).await?,
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
    let mut sent: Vec<EntryName> = Vec::new();
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
        .enter(&entries, ports.zone, invocation.now)
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

fn put_off(name: &str, fault: &Fault) -> Option<EntryName> {
    tracing::warn!(
        entry.name = name,
        fault = fault.name(),
        reason = fault.message(),
        "an entry could not be entered at once"
    );
    EntryName::parse(name)
}

async fn queue<E: Engine, Q: Queue, N: Entries>(
    ports: &Ports<'_, E, Q, N>,
    event: &SqsEvent,
    invocation: Invocation,
) -> Result<Vec<BatchItemFailure>, Fault> {
    let lease = invocation.remaining + messages::GRACE;
    let hidden = event
        .records
        .iter()
        .map(|message| messages::hold(message, lease));
    ports.queue.hold(hidden.collect()).await?;
    let mut failed: Vec<(&SqsMessage, Fault)> = Vec::new();
    for message in &event.records {
        if let Err(fault) = one(ports, message, invocation).await {
            failed.push((message, fault));
        }
    }
    Ok(messages::give_back(ports.queue, failed).await)
}

async fn one<E: Engine, Q: Queue, N: Entries>(
    ports: &Ports<'_, E, Q, N>,
    message: &SqsMessage,
    invocation: Invocation,
) -> Result<(), Fault> {
    let name = EntryName::read(message.body.as_deref().unwrap_or_default())?;
    let found = ports.store.entry(&name.partition, &name.entry_id).await?;
    let Some(found) = found else {
        return Err(Fault::Malformed(format!("the journal has no entry {name}")));
    };
    let entry = found.map_err(|(_, fault)| fault)?;
    let answers = ports
        .store
        .enter(&[entry], ports.zone, invocation.now)
        .await?;
    answers.into_iter().collect()
}
