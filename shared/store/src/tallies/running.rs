//! Imports whose rows are not all settled yet, and how they come to an end.

use std::collections::BTreeSet;

use domain::Fault;
use domain::journal::Entry;
use domain::progress::{Progress, Stage};
use domain::tally::Book;
use futures::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;
use serde::Deserialize;

use super::books::Books;
use super::enter::{Turn, Wrong};
use super::numbers::count;
use crate::engine::Engine;
use crate::item::record;
use crate::ops::Query;
use crate::retry::Store;
use crate::schema::{RUNNING, Table};

/// Imports that are read at the same time.
const AT_ONCE: usize = 8;

impl<E: Engine> Store<E> {
    /// What became of the orders of an import: its rows are not the journal's to know.
    pub async fn settled(&self, import_id: &str) -> Result<Progress, Fault> {
        self.settled_in(&self.books().await?, import_id).await
    }

    pub(crate) async fn settled_in(
        &self,
        books: &Books,
        import_id: &str,
    ) -> Result<Progress, Fault> {
        let progress = books.live(Book::AllTime).import(import_id);
        let Some(item) = self.get(&progress).await? else {
            return Ok(Progress::default());
        };
        Ok(Progress {
            completed: count(&item, "completed")?,
            failed: count(&item, "failed")?,
            duplicates: count(&item, "duplicates")?,
            ..Progress::default()
        })
    }

    /// Says of an import that all of its rows are accounted for, once they are. Two come to that: who reads the file to its
    /// end, and who enters what became of its orders. Each looks after its own last write, so one of them sees it all.
    pub async fn end_import_if_settled(
        &self,
        import_id: &str,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let Some(import) = self.import(import_id).await? else {
            return Ok(());
        };
        let settled = import.record.stage == Stage::Sent && import.progress.pending() == Some(0);
        if settled && import.record.completed_at.is_none() {
            self.complete_import(import_id, now).await?;
        }
        Ok(())
    }

    /// The imports of these entries. Where it cannot be said whether one is over, its entries are wrong, so that they come
    /// back: they are not entered again then, but this is tried again.
    pub(super) async fn end_imports(&self, entries: &[Entry], turn: Turn, wrong: &mut Wrong) {
        let imports: BTreeSet<&str> = entries
            .iter()
            .map(|entry| entry.import_id.as_str())
            .collect();
        for import_id in imports {
            let ended = match turn.is_over() {
                Some(fault) => Err(fault),
                None => self.end_import_if_settled(import_id, turn.now()).await,
            };
            if let Err(fault) = ended {
                let its = entries.iter().filter(|entry| entry.import_id == import_id);
                wrong.extend(its.map(|entry| (entry.name(), fault.clone())));
            }
        }
    }

    /// Of each import that is not over, how many of its rows are on their way. Nobody knows, where one does not add up.
    pub async fn pending_rows(&self) -> Result<Vec<Option<u64>>, Fault> {
        let running = self.running_imports().await?;
        let imports: Vec<_> = stream::iter(running)
            .map(async |id| self.import(&id).await)
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        // The list may be a moment behind.
        let running = imports.into_iter().flatten();
        let running = running.filter(|import| !import.is_over());
        Ok(running.map(|import| import.progress.pending()).collect())
    }

    /// The imports that are not over, the oldest first.
    pub async fn running_imports(&self) -> Result<Vec<String>, Fault> {
        #[derive(Deserialize)]
        struct Running {
            import_id: String,
        }
        // The one partition of the index: few imports run at a time.
        let running = Query::of(Table::Imports, Some(&RUNNING), "yes");
        let items = self.query_all(running).await?.into_iter();
        items
            .map(|item| Ok(record::<Running>(item)?.import_id))
            .collect()
    }
}
