//! Who tells and who sends, a mail service that forgets nothing, and what has to be on record in the end: recomputed from the
//! items as they are stored.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use domain::{Contact, Fault};
use edge::Invocation;
use edge::entries::Event;
use edge::mail::{MailMessage, Mails};
use notices::Notices;
use notify::{Subject, Subjects};
use rust_decimal::Decimal;
use send::{Letter, Pace, Post, Posted};
use serde_json::Value;
use store::memory::MemoryEngine;
use store::schema::Table;

use super::auditor::{Promise, Violations, number, text};
use super::chance::Chance;
use super::queue::SimQueue;
use super::sabotage::Sabotage;
use super::world::World;
use crate::notifications::support::links;
use crate::support::undated;

/// Mails that went out, by the notification that they say to be.
pub struct SimPost {
    chance: Rc<Chance>,
    sent: RefCell<BTreeMap<String, u64>>,
    texts: Notices,
}

impl SimPost {
    pub fn new(chance: Rc<Chance>) -> SimPost {
        SimPost {
            chance,
            sent: RefCell::default(),
            texts: Notices::new().expect("texts"),
        }
    }
}

impl Post for SimPost {
    async fn mail(&self, letter: &Letter<'_>) -> Result<Posted, Fault> {
        tokio::time::sleep(self.chance.up_to_ms(300)).await;
        let unanswered = self.chance.plan().queue.unanswered;
        let refused = self.chance.hits(unanswered, "mail unanswered");
        if !refused || self.chance.half() {
            let id = letter.notification_id.to_owned();
            *self.sent.borrow_mut().entry(id).or_default() += 1;
            self.chance.count("mailed", 1);
        }
        match refused {
            true => Err(Fault::Transient("the service gave no answer".to_owned())),
            false => Ok(Posted::Accepted {
                message_id: "sim".to_owned(),
            }),
        }
    }
}

pub async fn notify(
    world: Rc<World>,
    event: Event,
    at: Invocation,
) -> Result<SqsBatchResponse, Fault> {
    let ports = notify::Ports {
        store: &world.store(),
        queue: &*world.notices,
        subjects: &Handed(&world),
        mails: &*world.mail,
        notices: &world.post.texts,
        language: "en",
        by_mail: true,
        has_operator: true,
    };
    notify::handle(&ports, event, at).await
}

pub async fn notices(
    world: Rc<World>,
    event: SqsEvent,
    at: Invocation,
) -> Result<SqsBatchResponse, Fault> {
    notify(world, Event::Entries(event), at).await
}

pub async fn send(
    world: Rc<World>,
    event: SqsEvent,
    at: Invocation,
) -> Result<SqsBatchResponse, Fault> {
    let ports = send::Ports {
        links: &links(),
        store: &world.store(),
        queue: &*world.mail,
        post: &world.post,
        pace: &Pace::shared(1_000_000, 1),
        notices: &world.post.texts,
        language: "en",
        operator: Some("mill@shop.example"),
    };
    send::handle(&ports, event, at).await
}

/// The way into the queue, broken or not.
struct Handed<'a>(&'a World);

impl Subjects for Handed<'_> {
    async fn send(&self, subjects: Vec<Subject>) -> Result<(), Fault> {
        let count = subjects.len() as u64;
        self.0.chance.count("told of later", count);
        if self.0.sabotage == Some(Sabotage::ForgetsNotices) {
            return Ok(());
        }
        let bodies = subjects.iter().map(Subject::body);
        let queue: &SimQueue = &self.0.notices;
        queue.send_all(bodies.collect::<Result<_, Fault>>()?).await
    }
}

impl Mails for SimQueue {
    async fn send(&self, mails: Vec<MailMessage>) -> Result<(), Fault> {
        let bodies = mails.iter().map(serde_json::to_string);
        let bodies = bodies.map(|body| body.expect("json"));
        self.send_all(bodies.collect()).await
    }
}

/// Every third customer has an address before anything is ordered.
pub async fn addresses(world: &World) {
    let contact = |number: u32| Contact {
        customer_id: format!("C{number}"),
        email: Some(format!("c{number}@customers.example")),
        ..Contact::default()
    };
    let contacts: Vec<Contact> = (0..60).step_by(3).map(contact).collect();
    // In the engine itself, where nothing goes wrong.
    let store = store::Store::new(world.engine.memory.clone(), 1);
    let faults = world.chance.plan().store;
    world.engine.memory.set_faults(Default::default());
    let contacts: Vec<_> = contacts.into_iter().map(undated).collect();
    store.save_contacts(&contacts).await.expect("saved");
    world.engine.memory.set_faults(faults);
}

/// One record for each event, and for each that says so, at least one mail and at most as many as it says.
pub fn conclude(memory: &MemoryEngine, post: &SimPost) -> Violations {
    let mut found = Violations::new();
    let mut wrong = |what: String| found.push((Promise::EverythingIsToldOnce, what));
    let mut wanted: BTreeSet<(String, String)> = BTreeSet::new();
    for entry in memory.items(Table::Journal) {
        let changes: Vec<Value> = serde_json::from_str(&text(&entry, "changes")).expect("changes");
        for change in changes {
            let order_id = change["o"].as_str().expect("an order").to_owned();
            let part = match (&change["r"], &change["s"]["k"], &change["f"]) {
                (Value::String(refund), _, _) => format!("refund#{refund}"),
                (_, Value::String(deed), _) => match deed.as_str() {
                    "shipped" => "shipping#1".to_owned(),
                    "delivered" => "delivery#1".to_owned(),
                    _ => "cancellation#1".to_owned(),
                },
                (_, _, Value::String(_)) => "failed#1".to_owned(),
                _ => "confirmation#1".to_owned(),
            };
            wanted.insert((order_id, part));
        }
    }
    let imports = memory.items(Table::Imports).into_iter();
    let over = imports.filter(|import| text(import, "running").is_empty());
    wanted.extend(over.map(|import| (text(&import, "import_id"), "import#1".to_owned())));

    let mut sent = post.sent.borrow().clone();
    for record in memory.items(Table::Notifications) {
        let (of, part) = (text(&record, "order_id"), text(&record, "part"));
        if !wanted.remove(&(of.clone(), part.clone())) {
            wrong(format!("{of} is told of {part}, which never was"));
        }
        let name = domain::notification::Name::at(&of, &part).expect("a name");
        let mails = Decimal::from(sent.remove(&name.id()).unwrap_or_default());
        let attempts = number(&record, "attempts");
        let by_mail = text(&record, "channel") == "email";
        let fits = match by_mail {
            true => mails > Decimal::ZERO && mails <= attempts,
            false => mails.is_zero() && attempts == Decimal::ONE,
        };
        if !fits {
            wrong(format!(
                "{of}: {mails} mails of {part} after {attempts} attempts"
            ));
        }
        if text(&record, "status") != "sent" {
            wrong(format!("{of}: {part} is {}", text(&record, "status")));
        }
    }
    for (of, part) in wanted {
        wrong(format!("{of}: nobody is told of {part}"));
    }
    for id in sent.keys() {
        wrong(format!("mails of {id}, which is not on record"));
    }
    found.extend(miscounted(memory));
    found
}

/// The counters of each day, channel, type and status, beside the records.
fn miscounted(memory: &MemoryEngine) -> Violations {
    let tallies = memory.items(Table::Tallies);
    let state = tallies
        .iter()
        .find(|item| text(item, "pk") == "notifications");
    // Before the first recount there is one generation of counters.
    let live: Vec<String> = match state {
        None => vec!["1".to_owned()],
        Some(state) => ["current", "before"]
            .map(|name| number(state, name).to_string())
            .to_vec(),
    };
    let mut counts: BTreeMap<String, Decimal> = BTreeMap::new();
    for item in &tallies {
        let (partition, sort) = (text(item, "pk"), text(item, "sk"));
        let parts: Vec<&str> = partition.split('#').collect();
        let names: Vec<&str> = sort.split('#').collect();
        let (["notifications", generation, day], [channel, kind, _]) = (&parts[..], &names[..])
        else {
            continue;
        };
        if !live.iter().any(|counts| counts == generation) {
            continue;
        }
        for status in ["pending", "sent", "failed", "suppressed"] {
            let of = format!("{day} {channel} {kind} {status}");
            *counts.entry(of).or_default() += number(item, status);
        }
    }
    let mut found = Violations::new();
    for record in memory.items(Table::Notifications) {
        let part = text(&record, "part");
        let kind = part.split('#').next().unwrap_or_default();
        let of = [
            &text(&record, "day"),
            &text(&record, "channel"),
            kind,
            &text(&record, "status"),
        ];
        *counts.entry(of.join(" ")).or_default() -= Decimal::ONE;
        let generation = number(&record, "counted").to_string();
        if !live.contains(&generation) {
            let what = format!("{part} counts in generation {generation} of {live:?}");
            found.push((Promise::NotificationsAreCounted, what));
        }
    }
    for (of, more) in counts.into_iter().filter(|(_, more)| !more.is_zero()) {
        let what = format!("{of}: {more} more are counted than there are");
        found.push((Promise::NotificationsAreCounted, what));
    }
    found
}
