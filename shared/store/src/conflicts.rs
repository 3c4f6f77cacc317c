//! Conflicts: rows that state other content for an order id than the existing order has. Each is kept in its journal entry.

use domain::Fault;
use domain::journal::Conflict;
use jiff::Timestamp;
use serde::Deserialize;

use crate::engine::Engine;
use crate::item::record;
use crate::ops::{Item, text};
use crate::orders::OrderRecord;
use crate::page::{List, ListError, Listed, PAGE_ITEMS, Position, Walk, is_name};
use crate::retry::Store;
use crate::schema::{CONFLICTS, Table};

/// Digits of a row in a sort key, so that the texts sort as the rows do.
pub(crate) const ROW_DIGITS: usize = 20;

/// A conflict, and the existing order as it is now.
#[derive(Debug, Clone, PartialEq)]
pub struct ListedConflict {
    pub conflict: Box<Conflict>,
    pub at: Timestamp,
    pub existing: Option<OrderRecord>,
}

/// Adds the conflict to the item of its entry, with the keys of its index. Takes out the count of duplicates: a release that
/// knows no conflicts cannot read the entry without it, so it never counts the row as nothing.
pub(crate) fn keep(item: &mut Item, import_id: &str, conflict: &Conflict) -> Result<(), Fault> {
    let content = serde_json::to_string(conflict)
        .map_err(|error| Fault::Corrupt(format!("a conflict could not be written: {error}")))?;
    item.remove("duplicates");
    for (name, value) in [
        ("conflict", content),
        (CONFLICTS.partition, import_id.to_owned()),
        (CONFLICTS.sort, format!("{:0ROW_DIGITS$}", conflict.row)),
    ] {
        item.insert(name.to_owned(), text(value));
    }
    Ok(())
}

/// Takes the conflict out of the item of its entry, if there is one.
pub(crate) fn take(item: &mut Item) -> Result<Option<Box<Conflict>>, Fault> {
    #[derive(Deserialize)]
    struct Content {
        conflict: Option<String>,
    }
    let Content { conflict } = record(item.clone())?;
    item.remove("conflict");
    let read = |content: String| {
        serde_json::from_str(&content)
            .map_err(|error| Fault::Corrupt(format!("a conflict could not be read: {error}")))
    };
    conflict.map(read).transpose()
}

impl<E: Engine> Store<E> {
    /// The conflicts of an import, by row.
    pub async fn list_conflicts(
        &self,
        import_id: &str,
        limit: u32,
        position: Option<&Position>,
    ) -> Result<Listed<ListedConflict>, ListError> {
        if !is_name(import_id) {
            return Ok(Listed::nothing());
        }
        let list = List {
            table: Table::Journal,
            index: &CONFLICTS,
            partitions: vec![import_id.to_owned()],
            range: None,
            oldest_first: true,
            filtered: false,
            most: PAGE_ITEMS as usize,
        };
        let mut walk = Walk::new(list, limit, position)?;
        while let Some(entries) = walk.entries(self).await? {
            walk.take(self.with_existing(entries).await?.into_iter().map(Some));
        }
        Ok(walk.listed())
    }

    async fn with_existing(&self, entries: Vec<Item>) -> Result<Vec<ListedConflict>, Fault> {
        #[derive(Deserialize)]
        struct Instant {
            at: Timestamp,
        }
        let mut conflicts = Vec::new();
        for mut entry in entries {
            if let Some(conflict) = take(&mut entry)? {
                let Instant { at } = record(entry)?;
                conflicts.push((conflict, at));
            }
        }
        let mut ids: Vec<String> = conflicts
            .iter()
            .map(|(conflict, _)| conflict.order_id.clone())
            .collect();
        // Several rows may conflict with one order, and a request names it once.
        ids.sort_unstable();
        ids.dedup();
        let existing = self.orders(&ids).await?;
        let listed = conflicts.into_iter().map(|(conflict, at)| {
            let place = ids.binary_search(&conflict.order_id).ok();
            let existing = place.and_then(|place| existing.get(place).cloned().flatten());
            ListedConflict {
                conflict,
                at,
                existing,
            }
        });
        Ok(listed.collect())
    }
}
