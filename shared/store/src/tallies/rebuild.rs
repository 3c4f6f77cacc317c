//! Builds figures anew from the journal, beside the live ones, and swaps.
//!
//! Whoever enters entries reads first which books are being built. So an entry that comes after the beginning is entered
//! in both; one that was there before is found by the scan, which is consistent; and one that is met twice is entered once.

use domain::Fault;
use domain::journal::Entry;
use futures::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::books::Scope;
use super::numbers::string;
use crate::engine::Engine;
use crate::journal;
use crate::ops::{Condition, Key, Write};
use crate::retry::Store;
use crate::schema::Table;

/// Requests under way that take away what is live no more.
const DELETES_AT_ONCE: usize = 16;

/// What a rebuild came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// Entries that were read.
    pub entries: u64,
    /// Those that cannot be entered, live or anew, and why.
    pub wrong: Vec<(String, Fault)>,
}

impl<E: Engine> Store<E> {
    /// Begins, builds and swaps; then imports end of which nothing is missing any more. One that dies in between leaves the
    /// live figures as they are; the next one begins anew. Tells how many entries were read so far.
    pub async fn rebuild(
        &self,
        scope: Scope,
        zone: &TimeZone,
        now: impl Fn() -> Timestamp,
        mut tell: impl FnMut(u64),
    ) -> Result<Rebuilt, Fault> {
        self.sweep().await?;
        let building = self.begin_building(scope).await?;
        let mut rebuilt = Rebuilt::default();
        let mut start = None;
        loop {
            let page = self.scan(Table::Journal, start).await?;
            let entries = page.items.into_iter().map(journal::entry);
            let entries = entries.collect::<Vec<_>>();
            rebuilt.entries += entries.len() as u64;
            let readable = entries.into_iter().filter_map(|entry| match entry {
                Ok(entry) => Some(entry),
                Err((name, fault)) => {
                    rebuilt.wrong.push((name, fault));
                    None
                }
            });
            let readable: Vec<Entry> = readable.collect();
            let wrong = self.enter_beside(&building, &readable, zone, now()).await;
            rebuilt.wrong.extend(passing(wrong)?);
            tell(rebuilt.entries);
            match page.next {
                None => break,
                next => start = next,
            }
        }
        if !self.swap(&building).await? {
            return Err(Fault::Refused(
                "somebody else began to rebuild meanwhile".to_owned(),
            ));
        }
        // What was missing before may have been all that kept an import from its end, and nobody else looks again.
        for import_id in self.running_imports().await? {
            self.end_import_if_settled(&import_id, now()).await?;
        }
        Ok(rebuilt)
    }

    /// Takes away what was live before the last rebuild, or was never finished. It is not done right after a swap, for
    /// somebody may still be reading.
    async fn sweep(&self) -> Result<(), Fault> {
        let mut start = None;
        loop {
            let page = self.scan(Table::Tallies, start).await?;
            // Read after the page: what has begun since then is kept.
            let books = self.books().await?;
            let mut gone = Vec::new();
            for item in page.items {
                let partition = string(&item, Table::Tallies.partition())?;
                if !books.keeps(&partition) {
                    gone.push(Write::Delete {
                        key: Key::sorted(Table::Tallies, &partition, &string(&item, "sk")?),
                        condition: Condition::Always,
                    });
                }
            }
            let deleted = stream::iter(gone.iter().map(|delete| self.write(delete)));
            let mut deleted = deleted.buffer_unordered(DELETES_AT_ONCE);
            // Without a condition, each is gone whatever it was.
            while let Some(_gone) = deleted.try_next().await? {}
            match page.next {
                None => return Ok(()),
                next => start = next,
            }
        }
    }
}

/// What passes must not be swapped in without: then all of it has to be done again.
fn passing(
    wrong: std::collections::BTreeMap<String, Fault>,
) -> Result<Vec<(String, Fault)>, Fault> {
    let mut for_good = Vec::new();
    for (name, fault) in wrong {
        match fault {
            Fault::Transient(_) => return Err(fault),
            fault => for_good.push((name, fault)),
        }
    }
    Ok(for_good)
}
