//! How many notifications there are, by day, channel, type and status.
//!
//! The write that adds a notification or changes its status changes the counters in the same transaction, so each
//! notification counts once. Counters belong to a generation, and each record names the generation that counts it.
//! A recount starts the next generation and moves every record to it.

use std::collections::BTreeMap;

use domain::Fault;
use domain::notification::{Kind, Standing};
use domain::preferences::Channel;
use jiff::civil::Date;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Serialize};

use super::{NotificationRecord, key, stored};
use crate::engine::Engine;
use crate::instant::sortable;
use crate::item::{record, value};
use crate::ops::{Change, Condition, Item, Key, Query, Value, Verdict, Write, number, text};
use crate::pending::attribute;
use crate::retry::Store;
use crate::schema::{BY_GROUP, Table};

/// Items that one counter is divided into: two transactions that count at the same time seldom write the same item.
const SHARDS: u64 = 8;

/// Records that one transaction adds. Each may need a counter of its own, and a transaction has at most 100 items.
const ADDED_AT_ONCE: usize = 50;

/// Records that one transaction moves to another generation. Each may need a counter of either generation.
const MOVED_AT_ONCE: usize = 33;

/// The partition of the item that says which generations count, and the first part of each counter's partition.
const NAME: &str = "notifications";

/// What a counter counts on its day.
pub type Group = (Channel, Kind, Standing);

/// How many there are of each group.
pub type Counts = BTreeMap<Group, u64>;

/// The generations whose counters are added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Generations {
    /// New notifications count here.
    pub current: u32,
    /// A recount moves records from here to the current one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u32>,
}

impl Generations {
    pub const FIRST: Generations = Generations {
        current: 1,
        before: None,
    };

    fn all(self) -> impl Iterator<Item = u32> {
        self.before.into_iter().chain([self.current])
    }
}

/// What a transaction adds to the counters.
#[derive(Debug, Default)]
pub(super) struct Deltas(BTreeMap<(u32, Date, Channel, Kind), BTreeMap<Standing, i64>>);

impl Deltas {
    pub fn add(&mut self, generation: u32, of: &NotificationRecord, status: Standing, by: i64) {
        let counter = (generation, of.day, of.channel, of.name().kind);
        *self
            .0
            .entry(counter)
            .or_default()
            .entry(status)
            .or_default() += by;
    }

    pub fn writes(&self, shard: u64) -> impl Iterator<Item = Write> {
        let counters = self.0.iter();
        counters.map(move |((generation, day, channel, kind), statuses)| {
            let sort = format!("{channel}#{kind}#{shard}");
            let changes = statuses.iter();
            let changes = changes.map(|(status, by)| Change::Add(status.name(), (*by).into()));
            Write::Update {
                key: Key::sorted(Table::Tallies, &partition(*generation, *day), &sort),
                changes: changes.collect(),
                condition: Condition::Always,
            }
        })
    }
}

fn partition(generation: u32, day: Date) -> String {
    format!("{NAME}#{generation}#{day}")
}

pub(super) fn generations_key() -> Key {
    Key::sorted(Table::Tallies, NAME, "generations")
}

/// The partition of the index by groups that lists a record. Confirmations in the log, which are most of all where
/// nobody has an address, are not listed there: the index by days is enough for them.
pub(crate) fn listed_in(day: Date, (channel, kind, status): Group) -> Option<String> {
    let group = (channel, kind, status);
    (group != UNLISTED).then(|| format!("{day}#{channel}#{kind}#{status}"))
}

pub(crate) const UNLISTED: Group = (Channel::Log, Kind::Confirmation, Standing::Sent);

/// The place of a record in its group: no other record has the same.
pub(crate) fn place(created_at: &str, order_id: &str, part: &str) -> String {
    format!("{created_at}#{order_id}#{part}")
}

/// The attributes by which the index by groups lists a record, where it does.
pub(super) fn index_entry(record: &NotificationRecord) -> Option<[(&'static str, String); 2]> {
    let group = listed_in(record.day, record.group())?;
    let created_at = sortable(record.created_at);
    let place = place(&created_at, &record.order_id, &record.part);
    Some([(BY_GROUP.partition, group), (BY_GROUP.sort, place)])
}

fn index_changes(record: &NotificationRecord) -> [Change; 2] {
    match index_entry(record) {
        Some(entry) => entry.map(|(name, value)| Change::Set(name, text(value))),
        None => [BY_GROUP.partition, BY_GROUP.sort].map(Change::Remove),
    }
}

fn is_counted_in(generation: Option<u32>) -> Condition {
    match generation {
        Some(generation) => Condition::Is("counted", number(generation)),
        None => Condition::Missing("counted"),
    }
}

impl<E: Engine> Store<E> {
    /// Puts these on record and counts them, none of them twice. One answer for each of them, in their sequence: whether
    /// this call did it. One that is on record stays as it is.
    pub async fn put_notifications(
        &self,
        records: &[NotificationRecord],
    ) -> Result<Vec<bool>, Fault> {
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let generation = self.generations().await?.current;
        let mut new = vec![true; records.len()];
        let mut known: Vec<NotificationRecord> = Vec::new();
        let chunks = records.chunks(ADDED_AT_ONCE);
        for (records, new) in chunks.zip(new.chunks_mut(ADDED_AT_ONCE)) {
            while new.contains(&true) {
                let open: Vec<usize> = (0..records.len()).filter(|at| new[*at]).collect();
                let (mut writes, mut deltas) = (Vec::new(), Deltas::default());
                for record in open.iter().map(|at| &records[*at]) {
                    let counted = NotificationRecord {
                        counted: Some(generation),
                        ..record.clone()
                    };
                    writes.push(Write::Put {
                        table: Table::Notifications,
                        item: stored(&counted)?,
                        condition: Condition::Absent,
                    });
                    deltas.add(generation, record, record.status, 1);
                }
                writes.extend(deltas.writes(self.draw_shard()));
                let Err(verdicts) = self.transact(&writes).await? else {
                    break;
                };
                for (at, verdict) in open.into_iter().zip(verdicts) {
                    if let Verdict::Condition(found) = verdict {
                        new[at] = false;
                        known.extend(found.map(record).transpose()?);
                    }
                }
            }
        }
        // A recount that began before these were written may not find them. Then the generation has changed by now.
        let current = self.generations().await?.current;
        let mut late = known;
        late.retain(|record| record.counted != Some(current));
        if current != generation {
            let written = records.iter().zip(&new).filter(|(_, new)| **new);
            late.extend(written.map(|(record, _)| NotificationRecord {
                counted: Some(generation),
                ..record.clone()
            }));
        }
        self.count_in(current, late).await?;
        Ok(new)
    }

    /// Changes the status of a record, and the counters with it. Where the record is not as it was read, or a condition
    /// does not hold, returns what is on record.
    pub(crate) async fn change_status(
        &self,
        from: &NotificationRecord,
        to: Standing,
        mut changes: Vec<Change>,
        mut conditions: Vec<Condition>,
    ) -> Result<Result<(), Option<NotificationRecord>>, Fault> {
        changes.push(Change::Set("status", value(&to)?));
        conditions.push(Condition::Is("status", value(&from.status)?));
        let mut deltas = Deltas::default();
        if from.status != to {
            let after = NotificationRecord {
                status: to,
                ..from.clone()
            };
            changes.extend(index_changes(&after));
            conditions.push(is_counted_in(from.counted));
            if let Some(generation) = from.counted {
                deltas.add(generation, from, from.status, -1);
                deltas.add(generation, from, to, 1);
            }
        }
        let update = Write::Update {
            key: key(&from.name()),
            changes,
            condition: Condition::All(conditions),
        };
        let counters: Vec<Write> = deltas.writes(self.draw_shard()).collect();
        let found = if counters.is_empty() {
            match self.write(&update).await? {
                Ok(()) => return Ok(Ok(())),
                Err(found) => found,
            }
        } else {
            let writes: Vec<Write> = [update].into_iter().chain(counters).collect();
            match self.transact(&writes).await? {
                Ok(()) => return Ok(Ok(())),
                Err(verdicts) => match verdicts.into_iter().next() {
                    Some(Verdict::Condition(found)) => found,
                    _ => None,
                },
            }
        };
        Ok(Err(found.map(record).transpose()?))
    }

    /// Counts these in this generation, and no longer in an earlier one. Returns how many were not counted there before.
    pub(super) async fn count_in(
        &self,
        generation: u32,
        records: Vec<NotificationRecord>,
    ) -> Result<u64, Fault> {
        let mut moved = 0;
        for chunk in records.chunks(MOVED_AT_ONCE) {
            let (mut open, mut wait) = (chunk.to_vec(), self.wait());
            loop {
                let is_earlier = |counted| counted < generation;
                open.retain(|record| record.counted.is_none_or(is_earlier));
                if open.is_empty() {
                    break;
                }
                let (mut writes, mut deltas) = (Vec::new(), Deltas::default());
                for record in &open {
                    let mut changes = vec![Change::Set("counted", number(generation))];
                    changes.extend(index_changes(record));
                    writes.push(Write::Update {
                        key: key(&record.name()),
                        changes,
                        condition: Condition::All(vec![
                            Condition::Is("status", value(&record.status)?),
                            is_counted_in(record.counted),
                        ]),
                    });
                    if let Some(before) = record.counted {
                        deltas.add(before, record, record.status, -1);
                    }
                    deltas.add(generation, record, record.status, 1);
                }
                writes.extend(deltas.writes(self.draw_shard()));
                let Err(verdicts) = self.transact(&writes).await? else {
                    moved += open.len() as u64;
                    break;
                };
                // What moved meanwhile is counted as it is now; what is gone is not counted.
                let stands = open.into_iter().zip(verdicts);
                let stands = stands.filter_map(|(known, verdict)| match verdict {
                    Verdict::Condition(found) => found.map(record).transpose().transpose(),
                    _ => Some(Ok(known)),
                });
                open = stands.collect::<Result<_, Fault>>()?;
                let moving = Fault::Transient("notifications keep moving".to_owned());
                wait.pause(moving).await?;
            }
        }
        Ok(moved)
    }

    pub(crate) async fn generations(&self) -> Result<Generations, Fault> {
        let found = self.get(&generations_key()).await?;
        let found = found.map(record).transpose()?;
        Ok(found.unwrap_or(Generations::FIRST))
    }

    /// The counters of a day. A group whose last notification left it stays, with zero.
    pub(crate) async fn counts_of(
        &self,
        generations: Generations,
        day: Date,
    ) -> Result<BTreeMap<Group, i64>, Fault> {
        let mut counts = BTreeMap::new();
        for generation in generations.all() {
            let query = Query::of(Table::Tallies, None, partition(generation, day));
            for item in self.query_all(query).await? {
                add_up(&item, |group, count| {
                    *counts.entry(group).or_default() += count;
                })?;
            }
        }
        Ok(counts)
    }

    /// All counters, by day: what `verify` compares with the records. Reads the whole table.
    pub async fn notification_counts(&self) -> Result<BTreeMap<(Date, Group), i64>, Fault> {
        let generations = self.generations().await?;
        let mut counts = BTreeMap::new();
        self.scan_all(Table::Tallies, |item| {
            let partition: String = attribute(&item, Table::Tallies.partition())?;
            let mut parts = partition.split('#');
            if parts.next() != Some(NAME) {
                return Ok(());
            }
            let (Some(generation), Some(day)) = (parts.next(), parts.next()) else {
                return Ok(());
            };
            let (Ok(generation), Ok(day)) = (generation.parse::<u32>(), day.parse::<Date>()) else {
                return Err(unreadable(&partition));
            };
            if !generations.all().any(|counts| counts == generation) {
                return Ok(());
            }
            add_up(&item, |group, count| {
                *counts.entry((day, group)).or_default() += count;
            })
        })
        .await?;
        Ok(counts)
    }

    fn draw_shard(&self) -> u64 {
        self.draw() % SHARDS
    }
}

pub(super) async fn counters_of<E: Engine>(
    store: &Store<E>,
    generation: u32,
    day: Date,
) -> Result<Vec<Key>, Fault> {
    let query = Query::of(Table::Tallies, None, partition(generation, day));
    let items = store.query_all(query).await?;
    let keys = items.iter().map(|item| {
        let sort: String = attribute(item, "sk")?;
        Ok(Key::sorted(
            Table::Tallies,
            &partition(generation, day),
            &sort,
        ))
    });
    keys.collect()
}

fn add_up(item: &Item, mut add: impl FnMut(Group, i64)) -> Result<(), Fault> {
    let sort: String = attribute(item, "sk")?;
    let mut parts = sort.split('#');
    let channel = parts.next().and_then(|name| name.parse::<Channel>().ok());
    let kind = parts.next().and_then(|name| name.parse::<Kind>().ok());
    let (Some(channel), Some(kind)) = (channel, kind) else {
        return Err(unreadable(&sort));
    };
    for status in Standing::ALL {
        if let Some(count) = item.get(status.name()) {
            let count: Decimal = match count {
                Value::N(digits) => digits.parse().map_err(|_| unreadable(&sort))?,
                _ => return Err(unreadable(&sort)),
            };
            let count = count.to_i64().ok_or_else(|| unreadable(&sort))?;
            add((channel, kind, status), count);
        }
    }
    Ok(())
}

fn unreadable(name: &str) -> Fault {
    Fault::Corrupt(format!("{name} is not a counter of notifications"))
}
