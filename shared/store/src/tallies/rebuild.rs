//! Builds figures anew from the journal, beside the live ones, and swaps.
//!
//! Whoever enters entries reads first which books are being built. So an entry that comes after the beginning is entered
//! in both; one that was there before is found here, where all reads are consistent; and one that is met twice is entered
//! once.

use std::time::Duration;

use domain::Fault;
use domain::journal::{Entry, partitions};
use futures::stream::{self, StreamExt, TryStreamExt};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::books::{Building, Scope};
use super::enter::Turn;
use super::numbers::string;
use crate::engine::Engine;
use crate::journal::{self, of_partition};
use crate::lists::imports::Source;
use crate::ops::{Condition, Item, Key, Write};
use crate::retry::Store;
use crate::schema::Table;

/// Requests under way that take away what is live no more.
const DELETES_AT_ONCE: usize = 16;

/// How often a page is tried again, where something passes: after 1, 2, 4 … seconds, and 30 at most; five minutes in all.
const TRIES: u32 = 14;
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// For one try of one page.
const TIME: Duration = Duration::from_secs(60);

/// What a rebuild came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// Entries that were read.
    pub entries: u64,
    /// Those that cannot be entered, live or anew, and why.
    pub wrong: Vec<(String, Fault)>,
}

/// A rebuild on its way.
struct Builder<'a, E, N, T> {
    store: &'a Store<E>,
    building: Building,
    rebuilt: Rebuilt,
    now: N,
    tell: T,
}

impl<E: Engine> Store<E> {
    /// Begins, builds and swaps. One that dies in between leaves the live figures as they are; the next one begins anew.
    /// Tells how many entries were read so far.
    pub async fn rebuild(
        &self,
        scope: Scope,
        zone: &TimeZone,
        now: impl Fn() -> Timestamp,
        tell: impl FnMut(u64),
    ) -> Result<Rebuilt, Fault> {
        let mut builder = Builder {
            store: self,
            building: self.begin_building(scope, zone, now()).await?,
            rebuilt: Rebuilt::default(),
            now,
            tell,
        };
        let built = match scope {
            Scope::Everything => builder.everything().await,
            Scope::Day(day) => builder.day(day).await,
        };
        if let Err(fault) = built {
            // Should this fail, too, the next who enters an entry after a while does it.
            let _given_up = self.give_up(&builder.building).await;
            return Err(fault);
        }
        self.swap(&builder.building).await?;
        if scope == Scope::Everything {
            // Nobody else comes to an import of which an entry was missing until now.
            for source in [Source::File, Source::Order] {
                for import_id in self.running_imports(source).await? {
                    self.end_import_if_settled(&import_id, (builder.now)())
                        .await?;
                }
            }
        }
        Ok(builder.rebuilt)
    }

    /// Takes away what was live before the last rebuild, or was never finished. It is not done right after a swap, for
    /// somebody may still be reading.
    async fn sweep(&self) -> Result<(), Fault> {
        let mut start = None;
        loop {
            let page = self.scan(Table::Tallies, start, None).await?;
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

impl<E: Engine, N: Fn() -> Timestamp, T: FnMut(u64)> Builder<'_, E, N, T> {
    async fn everything(&mut self) -> Result<(), Fault> {
        self.store.sweep().await?;
        let mut start = None;
        loop {
            let page = self.store.scan(Table::Journal, start, None).await?;
            self.enter(page.items).await?;
            match page.next {
                None => return Ok(()),
                next => start = next,
            }
        }
    }

    /// The entries of a day are in its partitions, or in those of its neighbours, if days were counted by another zone.
    async fn day(&mut self, day: Date) -> Result<(), Fault> {
        let days = [-1, 0, 1].map(|days| day.saturating_add(days.days()));
        for partition in days.into_iter().flat_map(partitions) {
            let mut query = of_partition(partition);
            loop {
                let page = self.store.query(&query).await?;
                self.enter(page.items).await?;
                match page.next {
                    None => break,
                    next => query.start = next,
                }
            }
        }
        Ok(())
    }

    async fn enter(&mut self, items: Vec<Item>) -> Result<(), Fault> {
        let mut open: Vec<Entry> = Vec::new();
        for entry in items.into_iter().map(journal::entry) {
            self.rebuilt.entries += 1;
            match entry {
                Ok(entry) => open.push(entry),
                Err(unreadable) => self.rebuilt.wrong.push(unreadable),
            }
        }
        let mut pause = Duration::from_secs(1);
        for tries in 1.. {
            let now = (self.now)();
            if self.building.is_to_be_kept(now) {
                self.store.keep_building(&mut self.building, now).await?;
            }
            let turn = Turn::new(now, TIME);
            let wrong = self.store.enter_beside(&self.building, &open, turn).await?;
            let passes = |fault: &&Fault| matches!(fault, Fault::Transient(_));
            match wrong.values().find(passes) {
                Some(fault) if tries == TRIES => return Err(fault.clone()),
                Some(_) => {}
                None => {
                    self.rebuilt.wrong.extend(wrong);
                    break;
                }
            }
            open.retain(|entry| wrong.contains_key(&entry.name()));
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        (self.tell)(self.rebuilt.entries);
        Ok(())
    }
}
