//! Lists of notifications, the newest first, and how many there are of each sort. What was written a moment ago may be missing.
//!
//! Days are those of UTC, on which a notification was put on record.
//!
//! | what is asked for | what is read |
//! |---|---|
//! | a customer's | his orders, and the notifications of each |
//! | a channel, type or status other than that of confirmations in the log | the groups that match, of the index by groups |
//! | all, or what confirmations in the log match, too | the index by days |
//! | counts | the counters |

mod customers;
mod groups;

use std::collections::BTreeMap;

use domain::Fault;
use domain::notification::{Kind, Name, Standing};
use domain::preferences::Channel;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use super::refunds::{DAYS_AT_ONCE, DAYS_BACK, DAYS_LISTED, LOOKED_AT, days};
use crate::engine::Engine;
use crate::notifications::{Counts, Group, NotificationRecord, name_of};
use crate::ops::Item;
use crate::page::{List, ListError, Listed, PAGE_ITEMS, Position, Walk, is_name};
use crate::retry::Store;
use crate::schema::{BY_DAY, Table};

/// Days that are counted.
const DAYS_COUNTED: usize = 31;

/// Days before the last one that are counted, too, unless somebody says from when.
const DAYS_COUNTED_BACK: i64 = 29;

/// All of it has to be so.
#[derive(Debug, Clone, Copy, Default)]
pub struct NotificationFilter<'a> {
    pub kind: Option<Kind>,
    pub channel: Option<Channel>,
    pub status: Option<Standing>,
    pub customer_id: Option<&'a str>,
    /// Both days are included: today and the thirty days before, unless they are said, and 366 at most.
    pub from: Option<Date>,
    pub to: Option<Date>,
}

impl NotificationFilter<'_> {
    fn wants(&self, record: &NotificationRecord) -> bool {
        self.wants_group(record.group())
            && self
                .customer_id
                .is_none_or(|id| record.customer_id() == Some(id))
    }

    fn wants_group(&self, (channel, kind, status): Group) -> bool {
        self.channel.is_none_or(|wanted| channel == wanted)
            && self.kind.is_none_or(|wanted| kind == wanted)
            && self.status.is_none_or(|wanted| status == wanted)
    }

    fn is_of_all(&self) -> bool {
        self.kind.is_none() && self.channel.is_none() && self.status.is_none()
    }
}

/// How many there are of some days, and of today.
#[derive(Debug, Clone, PartialEq)]
pub struct Counted {
    pub from: Date,
    pub to: Date,
    pub counts: Counts,
    pub today: Counts,
}

/// All of these together.
fn added<'a>(all: impl IntoIterator<Item = &'a Counts>) -> Counts {
    let mut counts = Counts::new();
    for (of, count) in all.into_iter().flatten() {
        *counts.entry(*of).or_default() += count;
    }
    counts
}

impl<E: Engine> Store<E> {
    pub async fn list_notifications(
        &self,
        filter: &NotificationFilter<'_>,
        now: Timestamp,
        limit: u32,
        position: Option<&Position>,
    ) -> Result<Listed<NotificationRecord>, ListError> {
        if !filter.customer_id.is_none_or(is_name) {
            return Ok(Listed::nothing());
        }
        let to = filter.to;
        let to = to.unwrap_or_else(|| TimeZone::UTC.to_datetime(now).date());
        let back = || to.saturating_sub(Span::new().days(DAYS_BACK));
        let from = filter.from.unwrap_or_else(back);
        let days = days(from, to, DAYS_LISTED)?;
        let most = limit.clamp(1, PAGE_ITEMS) as usize;
        if let Some(customer_id) = filter.customer_id {
            let listed = self.notifications_of_customer(customer_id, filter, &days, most, position);
            return listed.await;
        }
        // Midnight has passed since the page before, and its next day is not one of the last thirty any more.
        if position.is_some_and(|position| position.is_of_day_before(from)) {
            return Ok(Listed::nothing());
        }
        if filter.is_of_groups() {
            let listed = self.notifications_in_groups(filter, &days, most, position);
            return listed.await;
        }
        let list = List {
            table: Table::Notifications,
            index: &BY_DAY,
            partitions: days.iter().map(Date::to_string).collect(),
            range: None,
            oldest_first: false,
            filtered: !filter.is_of_all(),
            most: LOOKED_AT,
        };
        let mut walk = Walk::new(list, limit, position)?;
        while let Some(entries) = walk.entries(self).await? {
            let found = self.notifications_in(&entries).await?.into_iter();
            walk.take(found.map(|found| found.filter(|record| filter.wants(record))));
        }
        Ok(walk.listed())
    }

    /// What was told of an order, the first one first. There are few: all of them are read for each page.
    pub async fn list_notifications_of(
        &self,
        order_id: &str,
        limit: u32,
        position: Option<&Position>,
    ) -> Result<Listed<NotificationRecord>, ListError> {
        let behind =
            position.map(|position| position.place_in(order_id).ok_or(ListError::BadPosition));
        let behind = behind.transpose()?;
        let mut items = self.notifications_of(order_id).await?;
        items
            .retain(|one| behind.is_none_or(|behind| (one.created_at, one.part.as_str()) > behind));
        let limit = limit.clamp(1, PAGE_ITEMS) as usize;
        let rest = items.len() > limit;
        items.truncate(limit);
        let last = items.last().filter(|_| rest);
        let next = last.map(|last| Position::behind(order_id, last.created_at, last.part.clone()));
        let read = items.len();
        Ok(Listed { items, next, read })
    }

    /// How many notifications there are of these days, both included, as the counters have it. Today and the 29 days before, unless
    /// they are said, and 31 at most.
    pub async fn notification_stats(
        &self,
        from: Option<Date>,
        to: Option<Date>,
        now: Timestamp,
    ) -> Result<Counted, ListError> {
        let today = TimeZone::UTC.to_datetime(now).date();
        let to = to.unwrap_or(today);
        let from = from.unwrap_or_else(|| to.saturating_sub(Span::new().days(DAYS_COUNTED_BACK)));
        let days = days(from, to, DAYS_COUNTED)?;
        let generations = self.generations().await?;
        let counted_on = async |day| {
            let counts = self.counts_of(generations, day).await?.into_iter();
            // While records move from one generation to the next, what was wrong before may be below zero.
            let counts =
                counts.filter_map(|(group, count)| Some((group, u64::try_from(count).ok()?)));
            Ok::<Counts, Fault>(counts.filter(|(_, count)| *count > 0).collect())
        };
        let counted = stream::iter(days)
            .map(async |day| Ok::<_, Fault>((day, counted_on(day).await?)))
            .buffer_unordered(DAYS_AT_ONCE);
        let mut counted: BTreeMap<Date, Counts> = counted.try_collect().await?;
        let counts = added(counted.values());
        let today = match counted.remove(&today) {
            Some(counts) => counts,
            None => counted_on(today).await?,
        };
        Ok(Counted {
            from,
            to,
            counts,
            today,
        })
    }

    /// What entries of the index stand for, in their sequence.
    async fn notifications_in(
        &self,
        entries: &[Item],
    ) -> Result<Vec<Option<NotificationRecord>>, Fault> {
        let names: Vec<Name> = entries.iter().map(name_of).collect::<Result<_, Fault>>()?;
        self.notifications(&names).await
    }
}
