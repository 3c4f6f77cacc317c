//! The functions `notify` and `send` at work in memory, and a mail service that does as it is told.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::io::{self, Write};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use aws_lambda_events::dynamodb::{self, EventRecord};
use aws_lambda_events::sqs::SqsEvent;
use domain::journal::Entry;
use domain::notification::Name;
use domain::{Contact, Fault};
use edge::Invocation;
use edge::entries::Event;
use edge::mail::{MailMessage, Mails};
use edge::optout::{LinkKey, Links};
use jiff::Timestamp;
use notices::Notices;
use notify::{Subject, Subjects};
use send::{Letter, Pace, Post, Posted};
use serde_json::Value;
use store::imports::ImportRecord;
use store::lists::imports::Source;
use store::memory::MemoryEngine;
use store::notifications::NotificationRecord;
use store::ops::Item;
use store::schema::Table;
use store::{Engine, Store};
use tracing_subscriber::util::SubscriberInitExt;

use crate::support::failed::message;
use crate::support::memory::MemoryInbox;
use crate::support::stack::{Deployed, deployed_with};
use crate::support::{now, undated};

pub const OPERATOR: &str = "mill@shop.example";

/// Messages on their way.
#[derive(Default)]
pub struct Outbox {
    pub subjects: Mutex<Vec<Subject>>,
    pub mails: Mutex<Vec<MailMessage>>,
    /// The queue takes nothing.
    pub away: bool,
}

impl Outbox {
    async fn taken(&self) -> Result<(), Fault> {
        tokio::task::yield_now().await;
        match self.away {
            true => Err(Fault::Transient("the queue is away".to_owned())),
            false => Ok(()),
        }
    }

    /// As the queue delivers them.
    pub fn mail_event(&self) -> SqsEvent {
        let mails = std::mem::take(&mut *self.mails.lock().expect("a lock"));
        let mut event = SqsEvent::default();
        for (at, mail) in mails.iter().enumerate() {
            let body = serde_json::to_string(mail).expect("json");
            event.records.push(message(&at.to_string(), &body, []));
        }
        event
    }

    pub fn subjects_event(&self) -> SqsEvent {
        let subjects = std::mem::take(&mut *self.subjects.lock().expect("a lock"));
        let mut event = SqsEvent::default();
        for (at, subject) in subjects.iter().enumerate() {
            let body = subject.body().expect("json");
            event.records.push(message(&at.to_string(), &body, []));
        }
        event
    }
}

impl Subjects for Outbox {
    async fn send(&self, subjects: Vec<Subject>) -> Result<(), Fault> {
        self.taken().await?;
        self.subjects.lock().expect("a lock").extend(subjects);
        Ok(())
    }
}

impl Mails for Outbox {
    async fn send(&self, mails: Vec<MailMessage>) -> Result<(), Fault> {
        self.taken().await?;
        self.mails.lock().expect("a lock").extend(mails);
        Ok(())
    }
}

/// What went out: for each notification, the addresses.
#[derive(Default)]
pub struct Office {
    pub sent: Mutex<BTreeMap<String, Vec<String>>>,
    /// What it says instead, the last one first.
    pub says: Mutex<Vec<Result<Posted, Fault>>>,
}

impl Office {
    pub fn saying(says: impl IntoIterator<Item = Result<Posted, Fault>>) -> Office {
        let mut says: Vec<_> = says.into_iter().collect();
        says.reverse();
        Office {
            says: Mutex::new(says),
            ..Office::default()
        }
    }

    pub fn count(&self) -> usize {
        let sent = self.sent.lock().expect("a lock");
        sent.values().map(Vec::len).sum()
    }
}

impl Post for Office {
    async fn mail(&self, letter: &Letter<'_>) -> Result<Posted, Fault> {
        tokio::task::yield_now().await;
        if let Some(said) = self.says.lock().expect("a lock").pop() {
            return said;
        }
        let id = letter.notification_id.to_owned();
        assert!(letter.notice.text.contains(&id), "{}", letter.notice.text);
        {
            let mut sent = self.sent.lock().expect("a lock");
            sent.entry(id.clone())
                .or_default()
                .push(letter.address.to_owned());
        }
        tokio::task::yield_now().await;
        Ok(Posted::Accepted {
            message_id: format!("ses-{id}"),
        })
    }
}

/// The work's outcome, unless it dies first: when it waits for so many times.
pub async fn mortal<T>(work: impl Future<Output = T>, waits: u32) -> Option<T> {
    let (mut work, mut left) = (pin!(work), waits);
    poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

pub fn at(now: Timestamp) -> Invocation {
    Invocation {
        now,
        remaining: Duration::from_secs(60),
        draw: 1,
    }
}

/// The whole journal, as its stream brings it.
pub fn stream(engine: &MemoryEngine) -> Event {
    stream_of(engine.items(Table::Journal))
}

/// These items, as a stream brings them.
pub fn stream_of(items: Vec<Item>) -> Event {
    let record = |item: Item| {
        let mut record = EventRecord::default();
        record.event_name = "INSERT".to_owned();
        record.change.new_image = item;
        record
    };
    let mut event = dynamodb::Event::default();
    event.records = items.into_iter().map(record).collect();
    Event::Stream(event)
}

/// One run of `notify`. What it put aside is returned.
pub async fn told<E: Engine>(
    store: &Store<E>,
    outbox: &Outbox,
    event: Event,
) -> Result<(usize, Vec<Fault>), Fault> {
    let queue = MemoryInbox::default();
    let notices = Notices::new().expect("texts");
    let ports = notify::Ports {
        store,
        queue: &queue,
        subjects: outbox,
        mails: outbox,
        notices: &notices,
        language: "en",
        by_mail: true,
        has_operator: true,
    };
    let response = notify::handle(&ports, event, at(now())).await?;
    let buried = queue.buried.into_inner().expect("a lock");
    Ok((response.batch_item_failures.len(), buried))
}

/// One run of `send`: how many messages come back, and what it put aside.
pub async fn mailed<E: Engine>(
    store: &Store<E>,
    office: &Office,
    event: SqsEvent,
    now: Timestamp,
) -> Result<(usize, Vec<Fault>), Fault> {
    mailed_at(&Pace::shared(1_000_000, 1), store, office, event, now).await
}

/// The same, no faster than that.
pub async fn mailed_at<E: Engine>(
    pace: &Pace,
    store: &Store<E>,
    office: &Office,
    event: SqsEvent,
    now: Timestamp,
) -> Result<(usize, Vec<Fault>), Fault> {
    let queue = MemoryInbox::default();
    let notices = Notices::new().expect("texts");
    let ports = send::Ports {
        store,
        queue: &queue,
        post: office,
        pace,
        notices: &notices,
        language: "en",
        operator: Some(OPERATOR),
        links: &links(),
    };
    let response = send::handle(&ports, event, at(now)).await?;
    let buried = queue.buried.into_inner().expect("a lock");
    Ok((response.batch_item_failures.len(), buried))
}

/// With the key that the API of the tests has, too.
pub fn links() -> Links {
    Links::known(LinkKey::new("ours"), "https://shop.example/api")
}

/// What is written to the log by this thread.
#[derive(Clone, Default)]
pub struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    /// As long as what comes with them lives.
    pub fn kept() -> (Lines, impl Drop) {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .with_writer(move || writer.clone());
        (lines, subscriber.set_default())
    }

    /// Those that have this mark.
    pub fn of(&self, target: &str) -> Vec<Value> {
        let lines = String::from_utf8(self.0.lock().expect("a lock").clone());
        let lines = lines.expect("a text");
        let lines = lines.lines().map(serde_json::from_str);
        let lines = lines.map(|line| line.expect("json"));
        lines
            .filter(|line: &Value| line["target"] == target)
            .collect()
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("a lock").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Everything on record, by id.
pub async fn records<E: Engine>(store: &Store<E>) -> BTreeMap<String, NotificationRecord> {
    let mut found = BTreeMap::new();
    store
        .each_notification(|record| {
            let before = found.insert(record.name().id(), record);
            assert_eq!(before, None, "two records of one notification");
        })
        .await
        .expect("the notifications");
    found
}

/// The ids of all that the journal tells, and of imports of files that are over.
pub async fn expected<E: Engine>(store: &Store<E>) -> Vec<String> {
    let mut ids = Vec::new();
    let each = |entry: Result<Entry, _>| {
        let entry = entry.expect("an entry");
        let names = entry.changes.iter().map(Name::of);
        ids.extend(names.map(|name| name.id()));
    };
    store.each_entry(each).await.expect("the journal");
    let each = |import: ImportRecord| {
        let is_told = import.running.is_none() && Source::of(&import.key) == Source::File;
        ids.extend(is_told.then(|| Name::of_import(&import.import_id).id()));
    };
    store.each_import(each).await.expect("the imports");
    ids.sort();
    ids
}

pub async fn has_address<E: Engine>(store: &Store<E>, customer_id: &str, email: &str) {
    let contact = Contact {
        customer_id: customer_id.to_owned(),
        name: Some(format!("Customer {customer_id}")),
        email: Some(email.to_owned()),
        ..Contact::default()
    };
    store
        .save_contacts(&[undated(contact)])
        .await
        .expect("saved");
}

/// A stack that mails from this address, which the mail service knows to be ours. The emulator has one mailbox, so each test has
/// a sender of its own.
pub async fn deployed_to_mail(
    name: &str,
    sender: &str,
    more: impl IntoIterator<Item = (&'static str, String)>,
) -> Deployed {
    let mut parameters = vec![("MailSender", sender.to_owned())];
    parameters.extend(more);
    let deployed = deployed_with(name, &parameters).await;
    let ses = aws_sdk_ses::Client::new(&deployed.stack.cloud.aws);
    let verified = ses.verify_email_identity().email_address(sender).send();
    verified.await.expect("a verified sender");
    deployed
}
