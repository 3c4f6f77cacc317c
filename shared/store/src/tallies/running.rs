//! Imports whose rows are not all settled yet, and how they come to an end.

use std::collections::BTreeSet;

use domain::Fault;
use domain::journal::Entry;
use domain::progress::{Progress, Stage};
use domain::tally::Book;
use futures::stream::{self, StreamExt, TryStreamExt};
use futures::try_join;
use jiff::Timestamp;

use super::books::Books;
use super::enter::{Turn, Wrong};
use super::numbers::count;
use crate::engine::Engine;
use crate::imports::Import;
use crate::lists::imports::Source;
use crate::ops::Query;
use crate::pending::attribute;
use crate::retry::Store;
use crate::schema::{RUNNING, Table};

/// Imports that are read at the same time.
const AT_ONCE: usize = 16;

/// What is not settled yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Underway {
    /// Imports of files.
    pub files: u64,
    /// Orders that came by themselves.
    pub orders: u64,
    /// Rows of files, and these orders. Nobody knows, where an import does not add up.
    pub rows: Option<u64>,
}

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
            conflicts: count(&item, "conflicts")?,
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

    /// What is on its way. Of files each is looked at: few run at a time. Orders that came by themselves are only counted,
    /// for there may be as many as are sent in while nothing is worked off.
    pub async fn underway(&self) -> Result<Underway, Fault> {
        let (books, files, orders) = try_join!(
            self.books(),
            self.running_imports(Source::File),
            self.running_imports(Source::Order)
        )?;
        let files: Vec<Option<Import>> = stream::iter(files)
            .map(async |id| self.import_in(&books, &id).await)
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        // The list may be a moment behind.
        let files = files.into_iter().flatten();
        let files: Vec<Import> = files.filter(|import| !import.is_over()).collect();
        let orders = orders.len() as u64;
        let mut pending = files.iter().map(|import| import.progress.pending());
        Ok(Underway {
            files: files.len() as u64,
            orders,
            rows: pending.try_fold(orders, |sum: u64, rows| sum.checked_add(rows?)),
        })
    }

    /// The imports that are not over, the oldest first.
    pub async fn running_imports(&self, source: Source) -> Result<Vec<String>, Fault> {
        let running = Query::of(Table::Imports, Some(&RUNNING), source.name());
        let items = self.query_all(running).await?;
        let ids = items.iter().map(|item| attribute(item, "import_id"));
        ids.collect()
    }
}
