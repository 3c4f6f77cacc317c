//! The journal's entries as they are kept: the changes as one compact text, for an entry is billed by the kilobyte.

use std::collections::BTreeMap;

use domain::journal::{Change, Entry, Kind, id_of_refund, partition_on, partitions};
use domain::refund::RefundStatus;
use domain::{Fault, Reason};
use futures::{StreamExt, TryStreamExt, stream, try_join};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::Deserialize;

use crate::conflicts;
use crate::engine::Engine;
use crate::imports::ImportRecord;
use crate::item::{item, record};
use crate::ops::{Condition, Item, Key, Query, Value, Write, text};
use crate::orders::OrderRecord;
use crate::refunds::RefundRecord;
use crate::retry::Store;
use crate::schema::Table;

/// Immutable and unique.
pub fn append(entry: &Entry) -> Result<Write, Fault> {
    let changes = serde_json::to_string(&entry.changes)
        .map_err(|error| Fault::Corrupt(format!("changes could not be written: {error}")))?;
    let mut item = item(&Entry {
        changes: Vec::new(),
        conflict: None,
        ..entry.clone()
    })?;
    item.insert("changes".to_owned(), text(changes));
    if let Some(conflict) = &entry.conflict {
        conflicts::keep(&mut item, &entry.import_id, conflict)?;
    }
    Ok(Write::Put {
        table: Table::Journal,
        item,
        condition: Condition::Absent,
    })
}

/// Entries of an order that are read at the same time.
const AT_ONCE: usize = 8;

/// An entry that cannot be read: its name, and why.
pub type Unreadable = (String, Fault);

pub fn entry(item: Item) -> Result<Entry, Unreadable> {
    let name = format!(
        "{}/{}",
        text_of(&item, "partition"),
        text_of(&item, "entry_id")
    );
    read(item).map_err(|fault| (name, fault))
}

fn text_of(item: &Item, name: &str) -> String {
    match item.get(name) {
        Some(Value::S(text)) => text.clone(),
        _ => String::new(),
    }
}

fn read(mut item: Item) -> Result<Entry, Fault> {
    #[derive(Deserialize)]
    struct Changes {
        changes: String,
    }
    let Changes { changes } = record(item.clone())?;
    item.remove("changes");
    let conflict = conflicts::take(&mut item)?;
    let changes: Vec<Change> = serde_json::from_str(&changes)
        .map_err(|error| Fault::Corrupt(format!("changes could not be read: {error}")))?;
    Ok(Entry {
        changes,
        conflict,
        ..record(item)?
    })
}

/// Entries of one partition.
pub(crate) fn of_partition(partition: String) -> Query {
    Query::of(Table::Journal, None, partition)
}

/// The business day of an instant; and those beside it, where it may lie if the zone was changed since.
fn days(at: Option<Timestamp>, zone: &TimeZone) -> impl Iterator<Item = Date> {
    let day = at.map(|at| at.to_zoned(zone.clone()).date());
    let days = day.map(|day| [Some(day), day.yesterday().ok(), day.tomorrow().ok()]);
    days.into_iter().flatten().flatten()
}

impl<E: Engine> Store<E> {
    /// How many orders of an import failed, for each reason. Reads the journal of the days on which the import ran.
    pub async fn failed_by_reason(
        &self,
        import: &ImportRecord,
        zone: &TimeZone,
    ) -> Result<BTreeMap<Reason, u64>, Fault> {
        let day = |at: Timestamp| at.to_zoned(zone.clone()).date();
        let last = day(import.completed_at.unwrap_or_else(Timestamp::now));
        let days = day(import.created_at).series(1.day());
        let mut reasons = BTreeMap::new();
        for partition in days.take_while(|day| *day <= last).flat_map(partitions) {
            let mut query = of_partition(partition);
            loop {
                let page = self.query(&query).await?;
                // One that cannot be read is what `verify` tells of.
                let entries = page.items.into_iter().filter_map(|item| entry(item).ok());
                let own = entries.filter(|entry| entry.import_id == import.import_id);
                for reason in own
                    .flat_map(|entry| entry.changes)
                    .filter_map(|one| one.failure)
                {
                    *reasons.entry(reason).or_default() += 1;
                }
                match page.next {
                    Some(next) => query.start = Some(next),
                    None => break,
                }
            }
        }
        Ok(reasons)
    }

    /// The ids of the entries of a partition whose instant the caller wants; and of those that cannot be read.
    pub async fn entries_when(
        &self,
        partition: &str,
        wanted: impl Fn(Timestamp) -> bool,
    ) -> Result<Vec<String>, Fault> {
        let mut found = Vec::new();
        let mut query = of_partition(partition.to_owned());
        loop {
            let page = self.query(&query).await?;
            for item in page.items {
                let id = text_of(&item, "entry_id");
                if entry(item).is_ok_and(|entry| !wanted(entry.at)) {
                    continue;
                }
                found.push(id);
            }
            match page.next {
                Some(next) => query.start = Some(next),
                None => return Ok(found),
            }
        }
    }

    /// The entries that tell of an order, of its refunds, and of what was done with it, the first one first. Each is looked
    /// for under its key, and nothing is scanned: so one that cannot be read, or was written by a batch that was cut
    /// otherwise than that which reserved the order, is not among them.
    pub async fn entries_of(
        &self,
        order: &OrderRecord,
        refunds: &[RefundRecord],
        zone: &TimeZone,
    ) -> Result<Vec<Entry>, Fault> {
        let deeds = [
            (Kind::Shipped, order.shipped_at),
            (Kind::Delivered, order.delivered_at),
            (Kind::Cancelled, order.cancelled_at),
        ];
        let deeds = deeds.map(|(kind, at)| (kind.entry_id(&order.order_id), at));
        let completed = refunds
            .iter()
            .filter(|refund| refund.status == RefundStatus::Completed);
        let completed = completed.map(|refund| (id_of_refund(&refund.refund_id), refund.ended_at));
        let of_each: Vec<_> = deeds.into_iter().chain(completed).collect();
        let of_each = stream::iter(of_each)
            .map(|(entry_id, at)| self.entry_about(entry_id, at, zone))
            .buffered(AT_ONCE)
            .try_collect::<Vec<_>>();
        let (settling, of_each) = try_join!(self.entry_of_settling(order, zone), of_each)?;
        let all = of_each.into_iter().chain([settling]);
        let mut found: Vec<Entry> = all.flatten().collect();
        found.sort_by_key(|entry| entry.at);
        Ok(found)
    }

    async fn entry_of_settling(
        &self,
        order: &OrderRecord,
        zone: &TimeZone,
    ) -> Result<Option<Entry>, Fault> {
        let batch_id = &order.batch_id;
        for day in days(order.settled_at, zone) {
            let query = Query {
                // The sign after a hyphen is a full stop.
                range: Some((format!("{batch_id}-"), format!("{batch_id}."))),
                ..of_partition(partition_on(day, batch_id))
            };
            let entries = self.query_all(query).await?.into_iter();
            let mut entries = entries.filter_map(|item| entry(item).ok());
            let is_told = |change: &Change| change.order_id == order.order_id;
            if let Some(entry) = entries.find(|entry| entry.changes.iter().any(is_told)) {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    async fn entry_about(
        &self,
        entry_id: String,
        at: Option<Timestamp>,
        zone: &TimeZone,
    ) -> Result<Option<Entry>, Fault> {
        for day in days(at, zone) {
            let partition = partition_on(day, &entry_id);
            if let Some(Ok(entry)) = self.entry(&partition, &entry_id).await? {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    /// As it is stored: also one that cannot be read.
    pub async fn entry(
        &self,
        partition: &str,
        entry_id: &str,
    ) -> Result<Option<Result<Entry, Unreadable>>, Fault> {
        let key = Key::sorted(Table::Journal, partition, entry_id);
        Ok(self.get(&key).await?.map(entry))
    }

    pub async fn each_entry(
        &self,
        mut each: impl FnMut(Result<Entry, Unreadable>),
    ) -> Result<(), Fault> {
        let read = |item| {
            each(entry(item));
            Ok(())
        };
        self.scan_all(Table::Journal, read).await
    }
}
