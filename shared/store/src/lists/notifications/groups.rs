//! Lists of notifications of some sort, by the index of groups. The counters of a day say which groups there are, so a page
//! reads what matches, however many notifications do not.

use domain::Fault;
use domain::notification::Name;
use jiff::civil::Date;

use super::NotificationFilter;
use crate::engine::Engine;
use crate::notifications::{NotificationRecord, UNLISTED, listed_in, place};
use crate::ops::{Item, Query};
use crate::page::{ListError, Listed, Position, REQUESTS};
use crate::pending::attribute;
use crate::retry::Store;
use crate::schema::{BY_GROUP, Table};

/// Below every place, also below one that a forged position names: it begins with an instant.
const FIRST_PLACE: &str = " ";

/// The service takes no longer sort key.
const PLACE_BYTES: usize = 1_024;

impl NotificationFilter<'_> {
    /// Whether all that it wants is in the index of groups.
    pub(super) fn is_of_groups(&self) -> bool {
        let (channel, kind, status) = UNLISTED;
        self.channel.is_some_and(|wanted| wanted != channel)
            || self.kind.is_some_and(|wanted| wanted != kind)
            || self.status.is_some_and(|wanted| wanted != status)
    }
}

/// An entry of the index.
struct Entry {
    place: String,
    order_id: String,
    part: String,
}

/// The newest entries of some groups, the newest first.
struct Newest {
    entries: Vec<Entry>,
    /// Whether others follow.
    rest: bool,
    requests: u32,
}

impl<E: Engine> Store<E> {
    /// Day by day, the last one first.
    pub(super) async fn notifications_in_groups(
        &self,
        filter: &NotificationFilter<'_>,
        days: &[Date],
        limit: usize,
        position: Option<&Position>,
    ) -> Result<Listed<NotificationRecord>, ListError> {
        let (mut at, mut behind) = match position {
            None => (0, None),
            Some(position) => {
                let at = days.iter().position(|day| position.is_of(&day.to_string()));
                let after = position.after()?.map(|after| {
                    let part = after.part.clone().ok_or(ListError::BadPosition)?;
                    let place = place(&after.at, &after.id, &part);
                    if place.len() > PLACE_BYTES {
                        return Err(ListError::BadPosition);
                    }
                    Ok(Entry {
                        place,
                        order_id: after.id.clone(),
                        part,
                    })
                });
                (at.ok_or(ListError::BadPosition)?, after.transpose()?)
            }
        };
        let generations = self.generations().await?;
        let (mut items, mut read, mut requests) = (Vec::new(), 0, 1);
        while let Some(day) = days.get(at) {
            if requests >= REQUESTS || items.len() >= limit {
                break;
            }
            let counts = self.counts_of(generations, *day).await?;
            requests += 1;
            let groups = counts
                .into_keys()
                .filter(|group| filter.wants_group(*group));
            let groups: Vec<String> = groups.filter_map(|group| listed_in(*day, group)).collect();
            // Until the day is over, or the page.
            loop {
                let wanted = limit - items.len();
                let behind_place = behind.as_ref().map(|entry| entry.place.as_str());
                let newest = self.newest_of(&groups, behind_place, wanted).await?;
                requests += newest.requests + u32::from(!newest.entries.is_empty());
                read += newest.entries.len();
                let names = newest.entries.iter().map(Entry::name);
                let names: Vec<Name> = names.collect::<Result<_, Fault>>()?;
                let found = self.notifications(&names).await?.into_iter().flatten();
                // The index may be a moment behind.
                items.extend(found.filter(|record| filter.wants(record)));
                if !newest.rest {
                    (at, behind) = (at + 1, None);
                    break;
                }
                behind = newest.entries.into_iter().last().or(behind);
                if requests >= REQUESTS || items.len() >= limit {
                    break;
                }
            }
        }
        let next = days.get(at).map(|day| match &behind {
            Some(entry) => {
                let at = entry.place.split('#').next().unwrap_or_default();
                let part = Some(entry.part.clone());
                Position::behind_entry(&day.to_string(), at, &entry.order_id, part)
            }
            None => Position::start_of(day.to_string()),
        });
        Ok(Listed { items, next, read })
    }

    /// The newest of all of these groups together: one more than wanted tells whether others follow.
    async fn newest_of(
        &self,
        groups: &[String],
        behind: Option<&str>,
        wanted: usize,
    ) -> Result<Newest, Fault> {
        let (mut entries, mut requests) = (Vec::new(), 0);
        for group in groups {
            let mut query = Query {
                range: behind.map(|place| (FIRST_PLACE.to_owned(), place.to_owned())),
                backwards: true,
                // The range includes the place behind which the page goes on.
                limit: u32::try_from(wanted + 2).ok(),
                ..Query::of(Table::Notifications, Some(&BY_GROUP), group)
            };
            let mut found = 0;
            loop {
                let page = self.query(&query).await?;
                requests += 1;
                let of_group = page.items.iter().map(Entry::of);
                for entry in of_group.collect::<Result<Vec<Entry>, Fault>>()? {
                    if Some(entry.place.as_str()) != behind {
                        found += 1;
                        entries.push(entry);
                    }
                }
                match page.next {
                    Some(next) if found <= wanted => query.start = Some(next),
                    _ => break,
                }
            }
        }
        entries.sort_by(|one: &Entry, other| other.place.cmp(&one.place));
        // While a record changes its status, the index may list it in two groups.
        entries.dedup_by(|one, other| one.place == other.place);
        let rest = entries.len() > wanted;
        entries.truncate(wanted);
        Ok(Newest {
            entries,
            rest,
            requests,
        })
    }
}

impl Entry {
    fn of(item: &Item) -> Result<Entry, Fault> {
        Ok(Entry {
            place: attribute(item, BY_GROUP.sort)?,
            order_id: attribute(item, "order_id")?,
            part: attribute(item, "part")?,
        })
    }

    fn name(&self) -> Result<Name, Fault> {
        let name = Name::at(&self.order_id, &self.part);
        name.ok_or_else(|| Fault::Corrupt(format!("{} names no notification", self.place)))
    }
}
