//! What is to be told of entries, to whom, and by which way. Reads, and writes nothing.

use std::collections::{BTreeMap, BTreeSet};

use domain::Fault;
use domain::journal::{Change, Entry, Outcome};
use domain::notification::{Name, Told};
use domain::preferences::Channel;
use edge::entries::Named;
use jiff::Timestamp;
use notices::Notice;
use store::Engine;
use store::customers::Addressee;
use store::lists::imports::Source;
use store::notifications::{New, NotificationRecord, told_of};
use store::orders::OrderRecord;

use crate::{Ports, Subject};

/// What there is to tell of.
pub enum Matter {
    Entry(Entry),
    /// By its id, for it is told as it is then.
    Import(String),
}

impl Matter {
    pub fn subject(&self) -> Option<Subject> {
        match self {
            Matter::Entry(entry) => Named::parse(&entry.name()).map(Subject::Named),
            Matter::Import(import_id) => Some(Subject::import(import_id)),
        }
    }
}

pub struct Plan {
    /// None of them twice.
    pub records: Vec<NotificationRecord>,
    /// For each record, in their sequence.
    pub planned: Vec<Planned>,
    /// For each of them: whether all that there is to tell of it is planned.
    pub answers: Vec<Result<(), Fault>>,
}

pub struct Planned {
    pub name: Name,
    pub channel: Channel,
    pub notice: Notice,
}

pub async fn of<E: Engine, Q, N, M>(
    ports: &Ports<'_, E, Q, N, M>,
    matters: &[Matter],
    now: Timestamp,
) -> Result<Plan, Fault> {
    let all = || matters.iter().flat_map(changes);
    let customers: BTreeSet<&str> = all().map(|change| change.customer_id.as_str()).collect();
    let customers: Vec<&str> = customers.into_iter().collect();
    let addressees = ports.store.addressees_now(&customers).await?;
    let addressees: BTreeMap<&str, Addressee> = customers.into_iter().zip(addressees).collect();
    let orders: BTreeSet<String> = all()
        .filter(|change| !settles(change))
        .map(|change| change.order_id.clone())
        .collect();
    let orders: Vec<String> = orders.into_iter().collect();
    let found = ports.store.orders(&orders).await?;
    let orders: BTreeMap<String, Option<OrderRecord>> = orders.into_iter().zip(found).collect();

    let mut plan = Plan {
        records: Vec::new(),
        planned: Vec::new(),
        answers: Vec::new(),
    };
    let mut names: BTreeSet<Name> = BTreeSet::new();
    for matter in matters {
        let mut answer = Ok(());
        for change in changes(matter) {
            // An entry may be in the stream twice.
            if !names.insert(Name::of(change)) {
                continue;
            }
            let order = orders.get(&change.order_id).and_then(Option::as_ref);
            let addressee = addressees.get(change.customer_id.as_str());
            match of_change(ports, change, order, addressee, now) {
                Ok(planned) => plan.add(planned),
                Err(fault) => answer = Err(fault),
            }
        }
        if let Matter::Import(import_id) = matter
            && names.insert(Name::of_import(import_id))
        {
            match of_import(ports, import_id, now).await {
                Ok(Some(planned)) => plan.add(planned),
                Ok(None) => {}
                Err(fault) => answer = Err(fault),
            }
        }
        plan.answers.push(answer);
    }
    Ok(plan)
}

impl Plan {
    fn add(&mut self, (record, notice): (NotificationRecord, Notice)) {
        self.planned.push(Planned {
            name: record.name(),
            channel: record.channel,
            notice,
        });
        self.records.push(record);
    }
}

fn changes(matter: &Matter) -> &[Change] {
    match matter {
        Matter::Entry(entry) => &entry.changes,
        Matter::Import(_) => &[],
    }
}

/// Whether it says all of the order itself.
fn settles(change: &Change) -> bool {
    matches!(change.outcome(), Outcome::Completed | Outcome::Failed(_))
}

async fn of_import<E: Engine, Q, N, M>(
    ports: &Ports<'_, E, Q, N, M>,
    import_id: &str,
    now: Timestamp,
) -> Result<Option<(NotificationRecord, Notice)>, Fault> {
    let found = ports.store.import(import_id).await?;
    let import =
        found.ok_or_else(|| Fault::Malformed(format!("there is no import {import_id}")))?;
    // Whoever sent a single order sees what became of it.
    if Source::of(&import.record.key) == Source::Order {
        return Ok(None);
    }
    let told = import
        .told()
        .ok_or_else(|| Fault::Transient(format!("import {import_id} is not over")))?;
    let told = Told::Import(told);
    let channel = match ports.has_operator {
        true => Channel::Email,
        false => Channel::Log,
    };
    record(ports, told, channel, None, now).map(Some)
}

fn of_change<E, Q, N, M>(
    ports: &Ports<'_, E, Q, N, M>,
    change: &Change,
    order: Option<&OrderRecord>,
    addressee: Option<&Addressee>,
    now: Timestamp,
) -> Result<(NotificationRecord, Notice), Fault> {
    let told = told_of(change.clone(), order)?;
    let kind = Name::of(change).kind;
    let channel = addressee.map_or(Channel::Log, |addressee| addressee.channel_of(kind));
    let customer = addressee.and_then(|addressee| addressee.contact.name.as_deref());
    record(ports, Told::Order(told), channel, customer, now)
}

fn record<E, Q, N, M>(
    ports: &Ports<'_, E, Q, N, M>,
    told: Told,
    channel: Channel,
    customer: Option<&str>,
    now: Timestamp,
) -> Result<(NotificationRecord, Notice), Fault> {
    let notice = ports.notices.told(ports.language, &told, customer, None)?;
    let new = New {
        channel: match ports.by_mail {
            true => channel,
            false => Channel::Log,
        },
        told,
        message: notice.subject.clone(),
    };
    Ok((NotificationRecord::new(new, now), notice))
}
