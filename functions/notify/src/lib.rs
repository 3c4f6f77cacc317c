//! Tells customers what the journal says of their orders, and whoever runs the mill which imports are over: one record for each
//! event, and a message to whoever mails it.
//!
//! Nothing here waits for a mail to go out. The streams wait for nobody either: what cannot be told now is handed to a queue,
//! by its name, and told from there.

mod plan;
mod ports;

use std::slice;
use std::time::Duration;

use aws_lambda_events::dynamodb::EventRecord;
use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use domain::Fault;
use domain::notification::{Name, Standing};
use domain::preferences::Channel;
use edge::Invocation;
use edge::entries::{self, Event, Named};
use edge::mail::{self, MailMessage, Mails};
use edge::messages::{self, Queue};
use notices::Notices;
use store::imports::id_of_ended;
use store::{Engine, Store, journal};

use plan::{Matter, Planned};
pub use ports::{Asked, ImportName, Subject, Subjects};

/// The last seconds of an invocation: what could not be told by then is handed to the queue.
const TO_HAND_OVER: Duration = Duration::from_secs(15);

/// What notify needs of the outside.
pub struct Ports<'a, E, Q, N, M> {
    pub store: &'a Store<E>,
    /// Where messages about what there is to tell come from.
    pub queue: &'a Q,
    /// Where they are sent.
    pub subjects: &'a N,
    pub mails: &'a M,
    pub notices: &'a Notices,
    pub language: &'a str,
    /// Whether there is a sender. Without one, everything goes to the log.
    pub by_mail: bool,
    /// Whether whoever runs the mill has an address.
    pub has_operator: bool,
}

/// Both kinds of events are answered for in the same way.
pub async fn handle<E: Engine, Q: Queue, N: Subjects, M: Mails>(
    ports: &Ports<'_, E, Q, N, M>,
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

async fn stream<E: Engine, Q: Queue, N: Subjects, M: Mails>(
    ports: &Ports<'_, E, Q, N, M>,
    records: &[EventRecord],
    invocation: Invocation,
) -> Result<Vec<BatchItemFailure>, Fault> {
    let mut matters: Vec<Matter> = Vec::new();
    let mut sent: Vec<Subject> = Vec::new();
    for record in records {
        let image = record.change.new_image.clone();
        if let Some(import_id) = id_of_ended(&image) {
            matters.push(Matter::Import(import_id.to_owned()));
        } else if record.event_name == "INSERT" {
            // Entries are never changed, and leave the journal only by hand.
            match journal::entry(image) {
                Ok(entry) => matters.push(Matter::Entry(entry)),
                Err((name, fault)) => {
                    let subject = Named::parse(&name).map(Subject::Named);
                    sent.extend(subject.inspect(|subject| put_off(subject, &fault)));
                }
            }
        }
    }
    let answers = tell(ports, &matters, invocation).await;
    for (matter, answer) in matters.iter().zip(answers) {
        if let Err(fault) = answer {
            let subject = matter.subject();
            sent.extend(subject.inspect(|subject| put_off(subject, &fault)));
        }
    }
    if !sent.is_empty() {
        // Should the queue be away, the stream delivers all of these again: what is on record stays as it is then.
        ports.subjects.send(sent).await?;
    }
    Ok(Vec::new())
}

fn put_off(subject: &Subject, fault: &Fault) {
    tracing::warn!(
        subject = %subject,
        fault = fault.name(),
        reason = fault.message(),
        "nobody could be told at once"
    );
}

async fn queue<E: Engine, Q: Queue, N: Subjects, M: Mails>(
    ports: &Ports<'_, E, Q, N, M>,
    event: &SqsEvent,
    invocation: Invocation,
) -> Result<Vec<BatchItemFailure>, Fault> {
    messages::hide_all(ports.queue, &event.records, invocation.remaining).await?;
    let mut failed: Vec<(&SqsMessage, Fault)> = Vec::new();
    let (mut found, mut matters): (Vec<&SqsMessage>, Vec<Matter>) = Default::default();
    for message in &event.records {
        match asked(ports, message).await {
            Ok(Some(matter)) => {
                found.push(message);
                matters.push(matter);
            }
            Ok(None) => {}
            Err(fault) => failed.push((message, fault)),
        }
    }
    let answers = tell(ports, &matters, invocation).await;
    let answered = found.into_iter().zip(answers);
    failed.extend(answered.filter_map(|(message, answer)| Some((message, answer.err()?))));
    Ok(messages::give_back(ports.queue, failed).await)
}

/// What a message names; nothing where it named many, that are sent by themselves.
async fn asked<E: Engine, Q, N: Subjects, M>(
    ports: &Ports<'_, E, Q, N, M>,
    message: &SqsMessage,
) -> Result<Option<Matter>, Fault> {
    match Asked::read(message.body.as_deref().unwrap_or_default())? {
        Asked::Subject(Subject::Named(Named::Entry(name))) => {
            let entry = entries::named(ports.store, &name).await?;
            Ok(Some(Matter::Entry(entry)))
        }
        Asked::Subject(Subject::Import(name)) => Ok(Some(Matter::Import(name.import_id))),
        Asked::Subject(Subject::Named(Named::Part(part))) => {
            let entries = entries::of_part(ports.store, &part).await?;
            let subjects = entries.into_iter().map(Subject::Named).collect();
            ports.subjects.send(subjects).await?;
            Ok(None)
        }
        // Which stream they were of is not asked: to tell what was told is harmless.
        Asked::GivenUp { first, last } => {
            let parts = entries::given_up(first, last).into_iter();
            let mut subjects: Vec<Subject> = parts.map(Subject::Named).collect();
            let wanted = |at| entries::may_have_arrived(at, first, last);
            let imports = ports.store.files_ended(wanted).await?;
            subjects.extend(imports.iter().map(|id| Subject::import(id)));
            ports.subjects.send(subjects).await?;
            Ok(None)
        }
    }
}

/// One answer for each of them. What befalls all of them alike is the answer of each.
async fn tell<E: Engine, Q, N, M: Mails>(
    ports: &Ports<'_, E, Q, N, M>,
    matters: &[Matter],
    invocation: Invocation,
) -> Vec<Result<(), Fault>> {
    let time = invocation.remaining.saturating_sub(TO_HAND_OVER);
    let told = tokio::time::timeout(time, tell_together(ports, matters, invocation)).await;
    told.unwrap_or_else(|_| {
        let late = Fault::Transient("time ran out".to_owned());
        vec![Err(late); matters.len()]
    })
}

/// All at once; and each by itself where something one of them names is beyond repair, which is not the fault of the others.
async fn tell_together<E: Engine, Q, N, M: Mails>(
    ports: &Ports<'_, E, Q, N, M>,
    matters: &[Matter],
    invocation: Invocation,
) -> Vec<Result<(), Fault>> {
    let fault = match tell_all(ports, matters, invocation).await {
        Ok(answers) => return answers,
        Err(fault) => fault,
    };
    if matches!(fault, Fault::Transient(_)) || matters.len() == 1 {
        return vec![Err(fault); matters.len()];
    }
    let mut answers = Vec::new();
    for matter in matters {
        let told = tell_all(ports, slice::from_ref(matter), invocation).await;
        answers.extend(told.unwrap_or_else(|fault| vec![Err(fault)]));
    }
    answers
}

async fn tell_all<E: Engine, Q, N, M: Mails>(
    ports: &Ports<'_, E, Q, N, M>,
    matters: &[Matter],
    invocation: Invocation,
) -> Result<Vec<Result<(), Fault>>, Fault> {
    let plan = plan::of(ports, matters, invocation.now).await?;
    let new = ports.store.put_notifications(&plan.records).await?;
    let (new, known): (Vec<_>, Vec<_>) = plan.planned.iter().zip(new).partition(|(_, new)| *new);
    let names: Vec<Name> = known
        .iter()
        .map(|(planned, _)| planned.name.clone())
        .collect();
    let found = ports.store.notifications(&names).await?;
    let mut mails: Vec<&Name> = Vec::new();
    for (planned, _) in new {
        match planned.channel {
            Channel::Log => log(planned),
            Channel::Email => mails.push(&planned.name),
        }
    }
    // Whoever put these on record, which may have been this run whose answer was lost, may have come no further than that. How
    // is on record: the customer may have been read differently then.
    for ((planned, _), found) in known.into_iter().zip(found) {
        let found = match found {
            Some(found) => found,
            // That read was behind.
            None => ports
                .store
                .notification(&planned.name)
                .await?
                .ok_or_else(|| {
                    let id = planned.name.id();
                    Fault::Transient(format!("{id} is on record, and is not found"))
                })?,
        };
        match found.channel {
            Channel::Log => log(planned),
            Channel::Email if found.status == Standing::Pending => mails.push(&planned.name),
            Channel::Email => {}
        }
    }
    if !mails.is_empty() {
        let mails = mails.into_iter().map(MailMessage::of).collect();
        ports.mails.send(mails).await?;
    }
    Ok(plan.answers)
}

fn log(planned: &Planned) {
    let notice = &planned.notice;
    mail::log(&planned.name, &notice.subject, &notice.text);
}
