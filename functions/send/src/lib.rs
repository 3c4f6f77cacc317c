//! Hands mails to the mail service, each as often as its record says, and no faster than the account may.
//!
//! An attempt is counted before the service is asked, and its end is put on record after. Who dies in between leaves a
//! notification that is pending, and is sent again: the one way in which a customer may get a mail twice. Its attempts, and the
//! reference in both mails, tell so.

mod known;
mod pace;
mod post;
mod refusal;

use std::collections::BTreeMap;
use std::time::Duration;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use domain::Fault;
use domain::notification::{Name, Standing};
use domain::preferences::Channel;
use edge::Invocation;
use edge::mail::{self, MailMessage};
use edge::messages::{self, Queue};
use edge::optout::{Links, Subject};
use futures::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use notices::Notices;
use store::notifications::{Begun, Ended, NotificationRecord};
use store::{Engine, Store};
use tokio::time::Instant;

use known::Known;

pub use pace::Pace;
pub use post::{Letter, Post, Posted, Ses};

/// What is left of a run when no mail is begun any more: the service may take its time, and its answer has to be put on record.
const MARGIN: Duration = Duration::from_secs(12);

/// How often a mail may find no answer, and how long nobody tries again after each time but the last: each may have gone out.
const UNANSWERED: [SignedDuration; 4] = [
    SignedDuration::from_mins(1),
    SignedDuration::from_mins(5),
    SignedDuration::from_mins(15),
    SignedDuration::from_mins(60),
];

/// Mails of a process that are on their way at the same time: as many as a batch has. The rate is for `Pace` to keep.
const MAILS_AT_ONCE: usize = 10;

/// How long to wait with what could not be put on record.
const AGAIN: Duration = Duration::from_millis(200);

/// A mail that was too much at once is handed over again after these, before its message goes back to the queue: there it
/// would wait for longer each time, as if something were broken.
const PATIENCE: [Duration; 4] = [
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
];

/// What send needs of the outside.
pub struct Ports<'a, E, Q, P> {
    pub store: &'a Store<E>,
    /// Where messages come from.
    pub queue: &'a Q,
    pub post: &'a P,
    pub pace: &'a Pace,
    pub notices: &'a Notices,
    pub language: &'a str,
    /// The address of whoever runs the mill, if there is one.
    pub operator: Option<&'a str>,
    pub links: &'a Links,
}

pub async fn handle<E: Engine, Q: Queue, P: Post>(
    ports: &Ports<'_, E, Q, P>,
    event: SqsEvent,
    invocation: Invocation,
) -> Result<SqsBatchResponse, Fault> {
    let run = Run {
        begun: Instant::now(),
        invocation,
    };
    messages::hide_all(ports.queue, &event.records, invocation.remaining).await?;
    let mut failed: Vec<(&SqsMessage, Fault)> = Vec::new();
    // Two messages of one mail are no harm one after the other. At once, the second would find the first at it.
    let mut named: BTreeMap<Name, Vec<&SqsMessage>> = BTreeMap::new();
    for message in &event.records {
        match MailMessage::read(message.body.as_deref().unwrap_or_default()) {
            Ok(name) => named.entry(name).or_default().push(message),
            Err(fault) => failed.push((message, fault)),
        }
    }
    match Known::of(ports.store, named.keys()).await {
        Ok(known) => {
            let (known, run) = (&known, &run);
            let mut mails = stream::iter(named)
                .map(async |(name, messages)| {
                    let outcome = work_off(ports, known, &name, run).await;
                    (messages, outcome)
                })
                .buffer_unordered(MAILS_AT_ONCE);
            while let Some((messages, outcome)) = mails.next().await {
                if let Err(fault) = outcome {
                    failed.extend(messages.into_iter().map(|one| (one, fault.clone())));
                }
            }
        }
        Err(fault) => {
            let all = named.into_values().flatten();
            failed.extend(all.map(|message| (message, fault.clone())));
        }
    }
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures = messages::give_back(ports.queue, failed).await;
    Ok(response)
}

struct Run {
    begun: Instant,
    invocation: Invocation,
}

impl Run {
    fn now(&self) -> Timestamp {
        let elapsed = SignedDuration::try_from(self.begun.elapsed()).unwrap_or_default();
        after(self.invocation.now, elapsed)
    }

    fn last_call(&self) -> Instant {
        self.begun + self.invocation.remaining.saturating_sub(MARGIN)
    }

    fn is_time_left(&self) -> bool {
        self.begun.elapsed() + AGAIN < self.invocation.remaining
    }

    /// When this process is dead, whatever it does.
    fn end(&self) -> Timestamp {
        let remaining = SignedDuration::try_from(self.invocation.remaining);
        after(self.invocation.now, remaining.unwrap_or_default())
    }
}

fn after(at: Timestamp, time: SignedDuration) -> Timestamp {
    at.saturating_add(time).unwrap_or(at)
}

async fn work_off<E: Engine, Q, P: Post>(
    ports: &Ports<'_, E, Q, P>,
    known: &Known,
    name: &Name,
    run: &Run,
) -> Result<(), Fault> {
    let unknown = || {
        let id = name.id();
        // It is on record before its message is sent.
        Fault::Malformed(format!("there is no notification {id}"))
    };
    let record = known.notification(ports.store, name, run.now()).await?;
    let record = record.ok_or_else(unknown)?;
    if record.status != Standing::Pending {
        return Ok(());
    }
    let held = || Fault::Transient("another run is at it, or it has to wait".to_owned());
    // What is not to be tried yet takes no turn from those that are.
    if record.is_held(run.now()) {
        return Err(held());
    }
    let is_mail = record.channel == Channel::Email;
    if is_mail && !ports.pace.turn(run.last_call()).await {
        let waits = "too many mails are before this one";
        return Err(Fault::Transient(waits.to_owned()));
    }
    let begun = ports.store.begin_sending(&record, run.now(), run.end());
    let record = match begun.await? {
        Begun::Yours(record) => record,
        Begun::Over(_) => return Ok(()),
        Begun::Held => return Err(held()),
        Begun::Unknown => return Err(unknown()),
    };
    let (ended, fault) = match posted(ports, known, &record, run).await {
        Ok(ended) => (ended, None),
        Err(fault) => (Ended::NotYet(fault.message().to_owned()), Some(fault)),
    };
    let fault = match &ended {
        Ended::Unanswered { why, .. } => Some(Fault::Transient(why.clone())),
        _ => fault,
    };
    if let Ended::Failed(reason) | Ended::Suppressed(reason) = &ended {
        tracing::warn!(
            notification.id = name.id(),
            order.id = name.order_id,
            reason,
            "a mail was not sent"
        );
    }
    put_on_record(ports.store, &record, &ended, run).await?;
    fault.map_or(Ok(()), Err)
}

/// As long as there is time: what the service took and nobody wrote down is mailed again.
async fn put_on_record<E: Engine>(
    store: &Store<E>,
    record: &NotificationRecord,
    ended: &Ended,
    run: &Run,
) -> Result<(), Fault> {
    loop {
        let put = store.end_sending(record, ended, run.now()).await;
        match put {
            Err(Fault::Transient(_)) if run.is_time_left() => tokio::time::sleep(AGAIN).await,
            put => return put,
        }
    }
}

/// Nobody knows whether it went out. After so many times nobody tries again.
fn unanswered(record: &NotificationRecord, why: String, now: Timestamp) -> Ended {
    let times = usize::try_from(record.unanswered).unwrap_or(usize::MAX);
    match UNANSWERED.get(times) {
        Some(wait) => Ended::Unanswered {
            why,
            until: after(now, *wait),
        },
        None => {
            let times = UNANSWERED.len() + 1;
            Ended::Failed(format!(
                "no answer {times} times, so it may have gone out: {why}"
            ))
        }
    }
}

/// What was for the log, and is told once more.
async fn logged<E: Engine, Q, P>(
    ports: &Ports<'_, E, Q, P>,
    known: &Known,
    record: &NotificationRecord,
) -> Result<Ended, Fault> {
    let name = record.name();
    let customer = match record.customer_id() {
        Some(id) => {
            let addressee = known.addressee(ports.store, id, name.kind).await?;
            addressee.contact.name
        }
        None => None,
    };
    let (notices, customer) = (ports.notices, customer.as_deref());
    let notice = notices.told(ports.language, &record.told, customer, None)?;
    mail::log(&name, &notice.subject, &notice.text);
    Ok(Ended::Sent { message_id: None })
}

async fn posted<E: Engine, Q, P: Post>(
    ports: &Ports<'_, E, Q, P>,
    known: &Known,
    record: &NotificationRecord,
    run: &Run,
) -> Result<Ended, Fault> {
    let (name, last_call) = (record.name(), run.last_call());
    if record.channel == Channel::Log {
        return logged(ports, known, record).await;
    }
    let (address, customer, subject) = match record.customer_id() {
        Some(customer_id) => {
            // As it is now: the customer may have said something since.
            let addressee = known.addressee(ports.store, customer_id, name.kind).await?;
            let Some(address) = addressee.contact.email.clone() else {
                return Ok(Ended::Failed("the customer has no mail address".to_owned()));
            };
            if addressee.channel_of(name.kind) != Channel::Email {
                let why = "the customer does not want to be told of this by mail";
                return Ok(Ended::Suppressed(why.to_owned()));
            }
            let subject = Subject {
                customer_id: customer_id.to_owned(),
                kind: name.kind,
            };
            (address, addressee.contact.name, Some(subject))
        }
        None => match ports.operator {
            Some(address) => (address.to_owned(), None, None),
            None => return Ok(Ended::Failed("there is no OperatorMail".to_owned())),
        },
    };
    if let Some(listed) = known.suppression(ports.store, &address).await? {
        return Ok(Ended::Suppressed(listed.refusal()));
    }
    let optout = match &subject {
        Some(subject) => Some(ports.links.link(subject).await?),
        None => None,
    };
    let (notices, optout) = (ports.notices, optout.as_deref());
    let notice = notices.told(ports.language, &record.told, customer.as_deref(), optout)?;
    let letter = Letter {
        address: &address,
        notification_id: &name.id(),
        notice: &notice,
        optout,
    };
    let mut waits = PATIENCE.into_iter();
    loop {
        // What was read until here may have taken its time.
        if Instant::now() > last_call {
            return Err(Fault::Transient("no time is left for an answer".to_owned()));
        }
        let why = match ports.post.mail(&letter).await? {
            Posted::Accepted { message_id } => {
                let message_id = Some(message_id);
                return Ok(Ended::Sent { message_id });
            }
            Posted::Refused { why } => return Ok(Ended::Failed(why)),
            Posted::Throttled { why } => why,
            Posted::Unanswered { why } => return Ok(unanswered(record, why, run.now())),
        };
        match waits.next().map(|wait| Instant::now() + wait) {
            Some(again) if again <= last_call => tokio::time::sleep_until(again).await,
            _ => return Err(Fault::Transient(why)),
        }
        // A mail once more counts as one more.
        if !ports.pace.turn(last_call).await {
            return Err(Fault::Transient(why));
        }
    }
}
