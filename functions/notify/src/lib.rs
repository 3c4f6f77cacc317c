//! Tells customers what the journal says of their orders: one record for each event, and a message to whoever mails it.
//!
//! Nothing here waits for a mail to go out. The stream waits for nobody either: what cannot be told now is handed to a queue,
//! by the name of its entry, and told from there.

mod plan;

use std::time::Duration;

use aws_lambda_events::dynamodb::EventRecord;
use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use domain::Fault;
use domain::journal::Entry;
use domain::notification::{Name, Standing};
use domain::preferences::Channel;
use edge::Invocation;
use edge::entries::{self, Entries, EntryName, Event, Named};
use edge::mail::{MailMessage, Mails};
use edge::messages::{self, Queue};
use notices::Notices;
use store::{Engine, Store, journal};

use plan::Planned;

/// The last seconds of an invocation: what could not be told by then is handed to the queue.
const TO_HAND_OVER: Duration = Duration::from_secs(15);

/// What notify needs of the outside.
pub struct Ports<'a, E, Q, N, M> {
    pub store: &'a Store<E>,
    /// Where messages about entries come from.
    pub queue: &'a Q,
    /// Where they are sent.
    pub entries: &'a N,
    pub mails: &'a M,
    pub notices: &'a Notices,
    pub language: &'a str,
    /// Whether there is a sender. Without one, everything goes to the log.
    pub by_mail: bool,
}

/// Both kinds of events are answered for in the same way.
pub async fn handle<E: Engine, Q: Queue, N: Entries, M: Mails>(
    ports: &Ports<'_, E, Q, N, M>,
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

async fn stream<E: Engine, Q: Queue, N: Entries, M: Mails>(
    ports: &Ports<'_, E, Q, N, M>,
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
    let answers = tell(ports, &entries, invocation).await;
    for (entry, answer) in entries.iter().zip(answers) {
        if let Err(fault) = answer {
            sent.extend(put_off(&entry.name(), &fault));
        }
    }
    if !sent.is_empty() {
        // Should the queue be away, the stream delivers all of these again: what is on record stays as it is then.
        ports.entries.send(sent).await?;
    }
    Ok(Vec::new())
}

fn put_off(name: &str, fault: &Fault) -> Option<EntryName> {
    tracing::warn!(
        entry.name = name,
        fault = fault.name(),
        reason = fault.message(),
        "an entry could not be told of at once"
    );
    EntryName::parse(name)
}

async fn queue<E: Engine, Q: Queue, N: Entries, M: Mails>(
    ports: &Ports<'_, E, Q, N, M>,
    event: &SqsEvent,
    invocation: Invocation,
) -> Result<Vec<BatchItemFailure>, Fault> {
    messages::hide_all(ports.queue, &event.records, invocation.remaining).await?;
    let mut failed: Vec<(&SqsMessage, Fault)> = Vec::new();
    let mut found: Vec<(&SqsMessage, Entry)> = Vec::new();
    for message in &event.records {
        match named(ports, message).await {
            Ok(Some(entry)) => found.push((message, entry)),
            Ok(None) => {}
            Err(fault) => failed.push((message, fault)),
        }
    }
    let entries: Vec<Entry> = found.iter().map(|(_, entry)| entry.clone()).collect();
    let answers = tell(ports, &entries, invocation).await;
    let answered = found.into_iter().zip(answers);
    failed.extend(answered.filter_map(|((message, _), answer)| Some((message, answer.err()?))));
    Ok(messages::give_back(ports.queue, failed).await)
}

/// The entry that a message names; nothing where it named many, that are sent by themselves.
async fn named<E: Engine, Q, N: Entries, M>(
    ports: &Ports<'_, E, Q, N, M>,
    message: &SqsMessage,
) -> Result<Option<Entry>, Fault> {
    match Named::read(message.body.as_deref().unwrap_or_default())? {
        Named::Entry(name) => {
            let found = ports.store.entry(&name.partition, &name.entry_id).await?;
            let missing = || Fault::Malformed(format!("the journal has no entry {name}"));
            let entry = found.ok_or_else(missing)?;
            entry.map(Some).map_err(|(_, fault)| fault)
        }
        Named::GivenUp { first, last } => {
            let names = entries::given_up(ports.store, first, last).await?;
            ports.entries.send(names).await?;
            Ok(None)
        }
    }
}

/// One answer for each entry. What befalls all of them alike is the answer of each.
async fn tell<E: Engine, Q, N, M: Mails>(
    ports: &Ports<'_, E, Q, N, M>,
    entries: &[Entry],
    invocation: Invocation,
) -> Vec<Result<(), Fault>> {
    let time = invocation.remaining.saturating_sub(TO_HAND_OVER);
    let told = tokio::time::timeout(time, tell_all(ports, entries, invocation)).await;
    let told = told.unwrap_or_else(|_| Err(Fault::Transient("time ran out".to_owned())));
    told.unwrap_or_else(|fault| vec![Err(fault); entries.len()])
}

async fn tell_all<E: Engine, Q, N, M: Mails>(
    ports: &Ports<'_, E, Q, N, M>,
    entries: &[Entry],
    invocation: Invocation,
) -> Result<Vec<Result<(), Fault>>, Fault> {
    let plan = plan::of(ports, entries, invocation.now).await?;
    let new = ports.store.put_notifications(&plan.records).await?;
    let mut mails: Vec<Name> = Vec::new();
    let mut known: Vec<Name> = Vec::new();
    for (planned, new) in plan.planned.iter().zip(new) {
        match (new, planned.channel) {
            (true, Channel::Log) => log(planned),
            (true, Channel::Email) => mails.push(planned.name.clone()),
            (false, _) => known.push(planned.name.clone()),
        }
    }
    // Whoever put these on record may have died before they were sent on. A read that is behind finds nothing yet.
    let found = ports.store.notifications(&known).await?;
    let unsent = known.into_iter().zip(found).filter(|(_, found)| {
        let standing = found.as_ref().map(|found| found.status);
        standing.is_none_or(|standing| standing == Standing::Pending)
    });
    mails.extend(unsent.map(|(name, _)| name));
    if !mails.is_empty() {
        let mails = mails.iter().map(MailMessage::of).collect();
        ports.mails.send(mails).await?;
    }
    Ok(plan.answers)
}

fn log(planned: &Planned) {
    tracing::info!(
        notification.id = planned.name.id(),
        order.id = planned.name.order_id,
        subject = planned.notice.subject,
        text = planned.notice.text,
        "notified"
    );
}
