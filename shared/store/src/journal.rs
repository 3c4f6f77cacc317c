//! The journal's entries as they are kept: the changes as one compact text, for an entry is billed by the kilobyte.

use domain::Fault;
use domain::journal::{Change, Entry};
use domain::progress::Progress;
use serde::{Deserialize, Serialize};

use crate::engine::Engine;
use crate::item::{item, record};
use crate::ops::{Condition, Item, Query, Write, text};
use crate::retry::Store;
use crate::schema::{BY_IMPORT, Table};

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

fn entry(mut item: Item) -> Result<Entry, Fault> {
    #[derive(Serialize, Deserialize)]
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
    /// What the journal counts for an import: its rows are not the journal's to know.
    pub async fn settled(&self, import_id: &str) -> Result<Progress, Fault> {
        #[derive(Deserialize)]
        struct Counts {
            completed: u64,
            failed: u64,
            duplicates: u64,
        }
        let entries = Query {
            table: Table::Journal,
            index: Some(&BY_IMPORT),
            partition: import_id.to_owned(),
            range: None,
            limit: None,
            start: None,
        };
        let mut progress = Progress::default();
        for item in self.query_all(entries).await? {
            let counts: Counts = record(item)?;
            progress.completed += counts.completed;
            progress.failed += counts.failed;
            progress.duplicates += counts.duplicates;
        }
        Ok(progress)
    }

    pub async fn each_entry(&self, mut each: impl FnMut(Entry)) -> Result<(), Fault> {
        self.scan_all(Table::Journal, |item| entry(item).map(&mut each))
            .await
    }
}
