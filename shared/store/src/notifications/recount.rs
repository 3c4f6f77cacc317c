//! Builds the counters of notifications anew from the records, while notifications are added, sent and sent again.

use std::collections::BTreeSet;

use domain::Fault;
use jiff::civil::Date;

use super::NotificationRecord;
use super::counts::{Generations, counters_of, generations_key};
use crate::engine::Engine;
use crate::item::record;
use crate::ops::{Condition, Write, number};
use crate::retry::Store;
use crate::schema::Table;

impl<E: Engine> Store<E> {
    /// Starts the next generation of counters, moves every record to it, and drops the one before. A record is moved in
    /// one transaction with the counters that lose it and gain it, so it counts once at any time. A recount that stopped
    /// half way is continued. Tells how many records were read so far; returns how many there were.
    pub async fn recount_notifications(&self, mut tell: impl FnMut(u64)) -> Result<u64, Fault> {
        let generations = self.begin_recount().await?;
        let (mut read, mut days, mut start) = (0, BTreeSet::<Date>::new(), None);
        loop {
            let page = self.scan(Table::Notifications, start, None).await?;
            let records = page.items.into_iter().map(record);
            let records: Vec<NotificationRecord> = records.collect::<Result<_, Fault>>()?;
            days.extend(records.iter().map(|record| record.day));
            read += records.len() as u64;
            self.count_in(generations.current, records).await?;
            tell(read);
            match page.next {
                None => break,
                next => start = next,
            }
        }
        self.end_recount(generations, days).await?;
        Ok(read)
    }

    async fn begin_recount(&self) -> Result<Generations, Fault> {
        let mut wait = self.wait();
        loop {
            let found = self.get(&generations_key()).await?;
            let found: Option<Generations> = found.map(record).transpose()?;
            let (last, condition) = match found {
                None => (Generations::FIRST, Condition::Absent),
                Some(
                    under_way @ Generations {
                        before: Some(_), ..
                    },
                ) => return Ok(under_way),
                Some(last) => {
                    let current = Condition::Is("current", number(last.current));
                    let rests = Condition::Missing("before");
                    (last, Condition::All(vec![current, rests]))
                }
            };
            let next = Generations {
                current: last.current + 1,
                before: Some(last.current),
            };
            if self.put_generations(next, condition).await? {
                return Ok(next);
            }
            let other = Fault::Transient("another recount has begun".to_owned());
            wait.pause(other).await?;
        }
    }

    /// Nothing counts in the generation before any more, so its counters go, with whatever was wrong in them.
    async fn end_recount(
        &self,
        generations: Generations,
        days: BTreeSet<Date>,
    ) -> Result<(), Fault> {
        let ended = Generations {
            before: None,
            ..generations
        };
        let current = Condition::Is("current", number(generations.current));
        // Another recount may have ended this one, and have gone on.
        self.put_generations(ended, current).await?;
        let Some(before) = generations.before else {
            return Ok(());
        };
        for day in days {
            for key in counters_of(self, before, day).await? {
                let condition = Condition::Always;
                let delete = Write::Delete { key, condition };
                let _deleted = self.write(&delete).await?;
            }
        }
        Ok(())
    }

    async fn put_generations(
        &self,
        generations: Generations,
        condition: Condition,
    ) -> Result<bool, Fault> {
        let mut stored = generations_key().item();
        stored.insert("current".to_owned(), number(generations.current));
        let before = generations
            .before
            .map(|before| ("before".to_owned(), number(before)));
        stored.extend(before);
        let put = Write::Put {
            table: Table::Tallies,
            item: stored,
            condition,
        };
        Ok(self.write(&put).await?.is_ok())
    }
}
