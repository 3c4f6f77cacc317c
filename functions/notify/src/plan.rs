//! What is to be told of entries, to whom, and by which way. Reads, and writes nothing.

use std::collections::{BTreeMap, BTreeSet};

use domain::journal::{Change, Entry, Kind, Outcome};
use domain::notification::Name;
use domain::preferences::Channel;
use domain::{Fault, Status};
use jiff::Timestamp;
use notices::{Facts, Notice};
use store::Engine;
use store::customers::Addressee;
use store::notifications::{New, NotificationRecord};
use store::orders::OrderRecord;

use crate::Ports;

pub struct Plan {
    /// None of them twice.
    pub records: Vec<NotificationRecord>,
    /// For each record, in their sequence.
    pub planned: Vec<Planned>,
    /// For each entry: whether all that it says is planned.
    pub answers: Vec<Result<(), Fault>>,
}

pub struct Planned {
    pub name: Name,
    pub channel: Channel,
    pub notice: Notice,
}

pub async fn of<E: Engine, Q, N, M>(
    ports: &Ports<'_, E, Q, N, M>,
    entries: &[Entry],
    now: Timestamp,
) -> Result<Plan, Fault> {
    let changes = || entries.iter().flat_map(|entry| &entry.changes);
    let customers: BTreeSet<&str> = changes()
        .map(|change| change.customer_id.as_str())
        .collect();
    let customers: Vec<&str> = customers.into_iter().collect();
    let addressees = ports.store.addressees(&customers).await?;
    let addressees: BTreeMap<&str, Addressee> = customers.into_iter().zip(addressees).collect();
    let orders: BTreeSet<String> = changes()
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
    for entry in entries {
        let mut answer = Ok(());
        for change in &entry.changes {
            let name = Name::of(change);
            // An entry may be in the stream twice.
            if !names.insert(name.clone()) {
                continue;
            }
            let order = orders.get(&change.order_id).and_then(Option::as_ref);
            let addressee = addressees.get(change.customer_id.as_str());
            match planned(ports, change, order, addressee, now) {
                Ok((record, notice)) => {
                    plan.planned.push(Planned {
                        name,
                        channel: record.channel,
                        notice,
                    });
                    plan.records.push(record);
                }
                Err(fault) => answer = Err(fault),
            }
        }
        plan.answers.push(answer);
    }
    Ok(plan)
}

/// Whether it says all of the order itself.
fn settles(change: &Change) -> bool {
    matches!(change.outcome(), Outcome::Completed | Outcome::Failed(_))
}

fn planned<E, Q, N, M>(
    ports: &Ports<'_, E, Q, N, M>,
    change: &Change,
    order: Option<&OrderRecord>,
    addressee: Option<&Addressee>,
    now: Timestamp,
) -> Result<(NotificationRecord, Notice), Fault> {
    let of_order = || {
        let order_id = &change.order_id;
        order.ok_or_else(|| Fault::Corrupt(format!("order {order_id} is told of, and not there")))
    };
    let (order_status, total) = match change.outcome() {
        Outcome::Completed => (Status::Completed, change.total),
        Outcome::Failed(_) => (Status::Failed, change.total),
        Outcome::Refunded => (of_order()?.status, of_order()?.total),
        Outcome::Done(Kind::Shipped) => (Status::Shipped, of_order()?.total),
        Outcome::Done(Kind::Delivered) => (Status::Delivered, of_order()?.total),
        Outcome::Done(Kind::Cancelled) => (Status::Cancelled, of_order()?.total),
    };
    let mut change = change.clone();
    // The journal need not repeat what was ordered; who reads a letter wants to know what is in the parcel.
    if let (Outcome::Done(Kind::Shipped | Kind::Delivered), Some(order)) = (change.outcome(), order)
    {
        let lines = order.lines.iter();
        let lines = lines.map(|line| (line.sku.clone(), line.quantity, line.unit_price));
        change.lines = lines.collect();
    }
    let kind = Name::of(&change).kind;
    let channel = addressee.map_or(Channel::Log, |addressee| addressee.channel_of(kind));
    let facts = Facts {
        change: &change,
        status: order_status,
        total,
        customer: addressee.and_then(|addressee| addressee.contact.name.as_deref()),
        optout: None,
    };
    let notice = ports.notices.write(ports.language, &facts)?;
    let new = New {
        channel: match ports.by_mail {
            true => channel,
            false => Channel::Log,
        },
        change,
        order_status,
        total,
        message: notice.subject.clone(),
    };
    Ok((NotificationRecord::new(new, now), notice))
}
