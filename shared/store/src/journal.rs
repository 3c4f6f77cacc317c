//! The journal's entries as they are kept: the changes as one compact text, for an entry is billed by the kilobyte.

use domain::Fault;
use domain::journal::{Change, Entry};
use serde::Deserialize;

use crate::engine::Engine;
use crate::item::{item, record};
use crate::ops::{Condition, Item, Key, Value, Write, text};
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
    let text_of = |name: &str| match item.get(name) {
        Some(Value::S(text)) => text.clone(),
        _ => String::new(),
    };
    let name = format!("{}/{}", text_of("partition"), text_of("entry_id"));
    read(item).map_err(|fault| (name, fault))
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

impl<E: Engine> Store<E> {
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
