//! A failure of a queue of entries: which entry of the journal it is about, and what that says.

use domain::Fault;
use domain::journal::Entry;
use edge::entries::{self, Asked, EntryName};
use serde_json::{Value, json};
use store::failures::FailureRecord;
use store::{Engine, Store};

use crate::output;

/// The queues whose messages name entries.
const QUEUES: [&str; 2] = ["entries", "notices"];

pub struct Named {
    name: EntryName,
    /// What the journal has under this name.
    found: Result<Option<Entry>, Fault>,
}

/// Nothing, where the message is of no such queue, or names no entry.
pub async fn of<E: Engine>(store: &Store<E>, failure: &FailureRecord) -> Option<Named> {
    let asked = Asked::read(&failure.payload).ok();
    let is_of_entries = QUEUES.contains(&failure.listed.queue.as_str());
    let Some(Asked::Named(entries::Named::Entry(name))) = asked.filter(|_| is_of_entries) else {
        return None;
    };
    let found = match store.entry(&name.partition, &name.entry_id).await {
        Ok(None) => Ok(None),
        Ok(Some(Ok(entry))) => Ok(Some(entry)),
        Ok(Some(Err((_, fault)))) | Err(fault) => Err(fault),
    };
    Some(Named { name, found })
}

impl Named {
    pub fn table(&self) -> comfy_table::Table {
        let mut rows = vec![["entry".to_owned(), self.name.to_string()]];
        let mut row = |name: &str, value: String| rows.push([name.to_owned(), value]);
        match &self.found {
            Err(fault) => row("cannot be read", fault.to_string()),
            Ok(None) => row("", "the journal has no such entry".to_owned()),
            Ok(Some(entry)) => {
                row("import", entry.import_id.clone());
                row("at", entry.at.to_string());
                row("completed", entry.completed.to_string());
                row("failed", entry.failed.to_string());
                row("duplicates", entry.duplicates.to_string());
                row("conflicts", entry.conflicts().to_string());
                row("refunds", refunds(entry).to_string());
            }
        }
        let rows = rows
            .iter()
            .map(|row| row.each_ref().map(|cell| output::plain(cell)));
        output::table(&["", ""], &[], rows)
    }

    pub fn document(&self) -> Value {
        let name = self.name.to_string();
        match &self.found {
            Err(fault) => json!({"name": name, "fault": fault.name(), "reason": fault.message()}),
            Ok(None) => json!({"name": name, "reason": "the journal has no such entry"}),
            Ok(Some(entry)) => json!({
                "name": name, "import_id": entry.import_id, "at": entry.at, "completed": entry.completed,
                "failed": entry.failed, "duplicates": entry.duplicates,
                "conflicts": entry.conflicts(), "refunds": refunds(entry),
            }),
        }
    }
}

fn refunds(entry: &Entry) -> usize {
    let refunds = entry.changes.iter();
    refunds.filter(|change| change.refund_id.is_some()).count()
}
