//! The journal's entries as they are kept: the changes as one compact text, for an entry is billed by the kilobyte.

use domain::Fault;
use domain::journal::{Change, Entry, of_duplicates, partitions};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Deserialize;

use crate::engine::Engine;
use crate::item::{item, record};
use crate::ops::{Condition, Item, Key, Query, Value, Write, text};
use crate::retry::Store;
use crate::schema::Table;

/// Immutable and unique.
pub fn append(entry: &Entry) -> Result<Write, Fault> {
    let changes = serde_json::to_string(&entry.changes)
        .map_err(|error| Fault::Corrupt(format!("changes could not be written: {error}")))?;
    let mut item = item(&Entry {
        changes: Vec::new(),
        ..entry.clone()
    })?;
    item.insert("changes".to_owned(), text(changes));
    Ok(Write::Put {
        table: Table::Journal,
        item,
        condition: Condition::Absent,
    })
}

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
    let changes: Vec<Change> = serde_json::from_str(&changes)
        .map_err(|error| Fault::Corrupt(format!("changes could not be read: {error}")))?;
    Ok(Entry {
        changes,
        ..record(item)?
    })
}

/// Entries of one partition.
pub(crate) fn of_partition(partition: String) -> Query {
    Query::of(Table::Journal, None, partition)
}

impl<E: Engine> Store<E> {
    /// The keys of the entries of these days, partition and id, whose instant the caller wants; and of those that cannot
    /// be read. Entries of duplicate rows are of no day: all of them are looked at.
    pub async fn entries_when(
        &self,
        days: impl Iterator<Item = Date>,
        wanted: impl Fn(Timestamp) -> bool,
    ) -> Result<Vec<(String, String)>, Fault> {
        let mut found = Vec::new();
        for partition in days.flat_map(partitions).chain(of_duplicates()) {
            for item in self.query_all(of_partition(partition.clone())).await? {
                let id = text_of(&item, "entry_id");
                if entry(item).is_ok_and(|entry| !wanted(entry.at)) {
                    continue;
                }
                found.push((partition.clone(), id));
            }
        }
        Ok(found)
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
