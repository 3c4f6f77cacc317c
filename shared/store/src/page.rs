//! Lists in pages, most of them the newest first: where a page goes on, and what it may cost.
//!
//! A position travels to whoever asked for the page, and comes back from strangers: it holds what names a place in an
//! index, and nothing of it is believed. Knows no kind of record.

use std::fmt;

use domain::Fault;
use domain::limits::TEXT_BYTES;
use domain::order::check_text;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::conflicts::ROW_DIGITS;
use crate::engine::Engine;
use crate::ops::{Item, Query, text};
use crate::pending::attribute;
use crate::retry::Store;
use crate::schema::{CONFLICTS, Index, Table};

/// Items on one page.
pub const PAGE_ITEMS: u32 = 100;

/// Requests for one page: a list that is sparse goes on with the next one.
pub(crate) const REQUESTS: u32 = 50;

/// Entries that are looked at together where most of them may not be wanted.
const LOOKED_AT: usize = 100;

/// Where a list goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// What of: a customer, a day, a queue.
    of: String,
    /// The entry behind which it goes on there. None: at the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<After>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct After {
    pub at: String,
    pub id: String,
    /// Where it takes two to name an item of the table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
}

/// A page of a list. It may have fewer items than were asked for, even none, and not be the last.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed<T> {
    pub items: Vec<T>,
    /// Where the next page starts; nothing where this was the last.
    pub next: Option<Position>,
    /// Entries that were looked at for it.
    pub read: usize,
}

impl<T> Listed<T> {
    pub(crate) fn nothing() -> Listed<T> {
        Listed {
            items: Vec::new(),
            next: None,
            read: 0,
        }
    }
}

/// Why there is no page.
#[derive(Debug, Clone, PartialEq)]
pub enum ListError {
    /// No page of this list leads there.
    BadPosition,
    /// Nothing is listed of such days, for this reason.
    BadDays(String),
    Fault(Fault),
}

impl fmt::Display for ListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListError::BadPosition => f.write_str("no page of this list leads there"),
            ListError::BadDays(why) => f.write_str(why),
            ListError::Fault(fault) => fault.fmt(f),
        }
    }
}

impl std::error::Error for ListError {}

impl From<Fault> for ListError {
    fn from(fault: Fault) -> ListError {
        ListError::Fault(fault)
    }
}

impl Position {
    pub(crate) fn start_of(of: String) -> Position {
        Position { of, after: None }
    }

    pub(crate) fn behind_entry(of: &str, at: &str, id: &str, part: Option<String>) -> Position {
        Position {
            of: of.to_owned(),
            after: Some(After {
                at: at.to_owned(),
                id: id.to_owned(),
                part,
            }),
        }
    }

    pub(crate) fn is_of(&self, of: &str) -> bool {
        self.of == of
    }

    /// The entry behind which it goes on, which need not exist: but it could.
    pub(crate) fn after(&self) -> Result<Option<&After>, ListError> {
        match &self.after {
            Some(after) if !after.is_plausible() || after.at.parse::<Timestamp>().is_err() => {
                Err(ListError::BadPosition)
            }
            after => Ok(after.as_ref()),
        }
    }

    /// Behind an item of a list that is no index.
    pub(crate) fn behind(of: &str, at: Timestamp, part: String) -> Position {
        Position {
            of: of.to_owned(),
            after: Some(After {
                at: at.to_string(),
                id: of.to_owned(),
                part: Some(part),
            }),
        }
    }

    /// Where such a list goes on; nothing where it is none of this one.
    pub(crate) fn place_in(&self, of: &str) -> Option<(Timestamp, &str)> {
        let after = self.after.as_ref()?;
        let is_of = self.of == of && after.id == of;
        let at = after.at.parse().ok().filter(|_| is_of)?;
        Some((at, after.part.as_deref()?))
    }

    /// Of a list that has no entries behind which it could go on, only beginnings.
    pub(crate) fn beginning(&self) -> Option<&str> {
        (self.after.is_none() && is_name(&self.of)).then_some(&self.of)
    }

    /// Whether it is one of a list that goes through days, which has come further back than this one.
    pub(crate) fn is_of_day_before(&self, first: Date) -> bool {
        self.of.parse::<Date>().is_ok_and(|day| day < first)
    }

    /// As the engines know it.
    pub(crate) fn start(&self, table: Table, index: &Index) -> Option<Item> {
        let after = self.after.as_ref()?;
        let keys = [
            (table.partition(), &after.id),
            (index.partition, &self.of),
            (index.sort, &after.at),
        ];
        let sort = table.sort().zip(after.part.as_ref());
        let mut start = Item::default();
        for (name, value) in keys.into_iter().chain(sort) {
            start.insert(name.to_owned(), text(value));
        }
        Some(start)
    }
}

impl After {
    fn is_plausible(&self) -> bool {
        is_name(&self.id) && self.part.as_deref().is_none_or(is_name) && is_name(&self.at)
    }
}

/// Whether anything can be known under this name at all.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty() && check_text("name", name, TEXT_BYTES).is_ok()
}

/// What is listed.
pub(crate) struct List {
    pub table: Table,
    pub index: &'static Index,
    /// In the sequence in which they are read.
    pub partitions: Vec<String>,
    pub range: Option<(String, String)>,
    pub oldest_first: bool,
    /// Whether some of the entries may not be wanted.
    pub filtered: bool,
    /// About so many entries are looked at for one page.
    pub most: usize,
}

/// The way of one page through a list: entries come out, and what was found for them comes back.
pub(crate) struct Walk<T> {
    list: List,
    limit: usize,
    items: Vec<T>,
    /// Where it goes on.
    next: Option<Position>,
    /// The same behind each of the entries that were handed out.
    behind: Vec<Option<Position>>,
    requests: u32,
    looked_at: usize,
}

impl<T> Walk<T> {
    pub fn new(list: List, limit: u32, position: Option<&Position>) -> Result<Walk<T>, ListError> {
        let next = match position {
            Some(position) if list.leads_to(position) => Some(position.clone()),
            Some(_) => return Err(ListError::BadPosition),
            None => list.partitions.first().cloned().map(Position::start_of),
        };
        Ok(Walk {
            list,
            limit: limit.clamp(1, PAGE_ITEMS) as usize,
            items: Vec::new(),
            next,
            behind: Vec::new(),
            requests: 0,
            looked_at: 0,
        })
    }

    /// Entries of the index, to be looked at; nothing where the page is at its end.
    pub async fn entries<E: Engine>(
        &mut self,
        store: &Store<E>,
    ) -> Result<Option<Vec<Item>>, Fault> {
        while let Some(at) = &self.next
            && self.items.len() < self.limit
            && self.requests < REQUESTS
            && self.looked_at < self.list.most
        {
            let wanted = match self.list.filtered {
                true => LOOKED_AT,
                false => self.limit - self.items.len(),
            };
            // One more tells whether anything follows.
            let query = Query {
                range: self.list.range.clone(),
                backwards: !self.list.oldest_first,
                limit: u32::try_from(wanted + 1).ok(),
                start: at.start(self.list.table, self.list.index),
                ..Query::of(self.list.table, Some(self.list.index), &at.of)
            };
            let mut page = store.query(&query).await?;
            self.requests += 1;
            let rest = page.items.len() > wanted || page.next.is_some();
            page.items.truncate(wanted);
            let places = page.items.iter().map(|item| self.list.place(&at.of, item));
            self.behind = places.map(|at| at.map(Some)).collect::<Result<_, _>>()?;
            match self.behind.last_mut() {
                Some(_) if rest => {}
                Some(last) => *last = self.list.following(&at.of),
                None => {
                    self.next = self.list.following(&at.of);
                    continue;
                }
            }
            self.looked_at += page.items.len();
            return Ok(Some(page.items));
        }
        Ok(None)
    }

    /// What was found for each of the entries, if it is wanted.
    pub fn take(&mut self, found: impl IntoIterator<Item = Option<T>>) {
        for (found, behind) in found.into_iter().zip(std::mem::take(&mut self.behind)) {
            if self.items.len() >= self.limit {
                return;
            }
            self.items.extend(found);
            self.next = behind;
        }
    }

    pub fn listed(self) -> Listed<T> {
        Listed {
            items: self.items,
            next: self.next,
            read: self.looked_at,
        }
    }
}

impl Index {
    /// Whether this could be a sort key of the index: a row of a file, or else an instant.
    fn sorts_by(&self, place: &str) -> bool {
        match self.sort == CONFLICTS.sort {
            true => place.len() == ROW_DIGITS && place.bytes().all(|byte| byte.is_ascii_digit()),
            false => place.parse::<Timestamp>().is_ok(),
        }
    }
}

impl List {
    /// Whether a page of this list could have ended there: the service would refuse anything else.
    fn leads_to(&self, position: &Position) -> bool {
        let within = |at: &str| {
            let range = self.range.as_ref();
            range.is_none_or(|(from, to)| (from.as_str()..=to.as_str()).contains(&at))
        };
        self.partitions.contains(&position.of)
            && position.after.as_ref().is_none_or(|after| {
                after.is_plausible()
                    && after.part.is_some() == self.table.sort().is_some()
                    && self.index.sorts_by(&after.at)
                    && within(&after.at)
            })
    }

    fn place(&self, of: &str, item: &Item) -> Result<Position, Fault> {
        let part = self.table.sort().map(|name| attribute(item, name));
        Ok(Position {
            of: of.to_owned(),
            after: Some(After {
                at: attribute(item, self.index.sort)?,
                id: attribute(item, self.table.partition())?,
                part: part.transpose()?,
            }),
        })
    }

    fn following(&self, of: &str) -> Option<Position> {
        let at = self
            .partitions
            .iter()
            .position(|partition| partition == of)?;
        self.partitions.get(at + 1).cloned().map(Position::start_of)
    }
}
