//! What one attempt reads: drawn, found and billed.

use std::collections::{BTreeMap, HashMap};
use std::iter;
use std::ops::Bound;

use domain::Fault;

use super::check;
use super::faults::Dice;
use super::places::{Place, behind, left_of};
use super::query::{self, Found, index_keys, projected};
use super::state::{State, Stored, of_table};
use super::units::{bill_read, size};
use crate::engine::KEYS_PER_REQUEST;
use crate::ops::{Count, Item, Key, Page, Query};
use crate::schema::{Index, Table};

/// Units for each started 4 KB of a strongly consistent read, and of an eventually consistent one.
const CONSISTENT: f64 = 1.0;
const EVENTUAL: f64 = 0.5;

impl State {
    pub fn get(&mut self, key: &Key) -> Result<Option<Item>, Fault> {
        check::key(key)?;
        self.dice.throttle()?;
        let found = self.item(key).cloned();
        let bytes = found.as_ref().map_or(0, size);
        bill_read(&mut self.read_units, key.table, None, bytes, CONSISTENT);
        Ok(found)
    }

    pub fn get_many(&mut self, keys: &[Key], consistent: bool) -> Result<Vec<Option<Item>>, Fault> {
        check::keys(keys, KEYS_PER_REQUEST)?;
        self.dice.throttle()?;
        let State {
            stored,
            dice,
            read_units,
            ..
        } = self;
        let seen = |key: &Key| {
            let stale = !consistent && dice.stale();
            let found = stored.get(key).and_then(|stored| stored.seen(stale));
            let bytes = found.map_or(0, size);
            let rate = if consistent { CONSISTENT } else { EVENTUAL };
            bill_read(read_units, key.table, None, bytes, rate);
            found.cloned()
        };
        Ok(keys.iter().map(seen).collect())
    }

    pub fn query(&mut self, query: &Query) -> Result<Page, Fault> {
        let found = self.found(query, self.page_size)?;
        let shown = |item: &&Item| match query.index {
            Some(index) => projected(item, query.table, index),
            None => (*item).clone(),
        };
        Ok(Page {
            items: found.items.iter().map(shown).collect(),
            next: found.next(query.table, query.index),
        })
    }

    /// Counts are cheap to bring, so a page is as large as the service's: whatever fits into its bytes.
    pub fn count(&mut self, query: &Query) -> Result<Count, Fault> {
        let found = self.found(query, usize::MAX)?;
        Ok(Count {
            items: found.items.len() as u64,
            next: found.next(query.table, query.index),
        })
    }

    pub fn scan(
        &mut self,
        table: Table,
        start: Option<&Item>,
        limit: Option<u32>,
    ) -> Result<Page, Fault> {
        check::limit(limit)?;
        let start = start.map(|start| check::key_of(table, start)).transpose()?;
        self.dice.throttle()?;
        let items = of_table(&self.stored, table, start);
        let items = items.filter_map(|(_, stored)| stored.item.as_ref());
        let most = page_of(self.page_size, limit);
        let found = Found::new(items, most, table, None);
        let page = Page {
            items: found.items.iter().map(|item| (*item).clone()).collect(),
            next: found.next(table, None),
        };
        bill_read(&mut self.read_units, table, None, found.bytes, CONSISTENT);
        Ok(page)
    }

    fn found(&mut self, query: &Query, most: usize) -> Result<Found<'_>, Fault> {
        self.dice.throttle()?;
        let start = query::start(query)?;
        let most = page_of(most, query.limit);
        let State {
            stored,
            places,
            dice,
            read_units,
            ..
        } = self;
        let found = match query.index {
            None => {
                let items = of_partition(stored, query, start.map(|start| start.key));
                let seen = items.filter_map(|stored| stored.seen(false));
                Found::new(seen, most, query.table, None)
            }
            Some(index) => {
                let places = places.of(query, index, start);
                Found::new(
                    seen_in(index, places, stored, dice),
                    most,
                    query.table,
                    Some(index),
                )
            }
        };
        let units = query.index.map_or(CONSISTENT, |_| EVENTUAL);
        bill_read(read_units, query.table, query.index, found.bytes, units);
        Ok(found)
    }
}

fn page_of(most: usize, limit: Option<u32>) -> usize {
    limit.map_or(most, |limit| most.min(limit as usize))
}

impl Stored {
    fn seen(&self, stale: bool) -> Option<&Item> {
        if stale { &self.before } else { &self.item }.as_ref()
    }

    /// Whether its images have different places in an index.
    fn is_moved(&self, index: &Index) -> bool {
        match (&self.item, &self.before) {
            (Some(item), Some(before)) => {
                let (now, then) = (index_keys(item, index), index_keys(before, index));
                now.is_some() && then.is_some() && now != then
            }
            _ => false,
        }
    }
}

/// The items of a query's partition of a table, and of its range, in its direction, after a key.
fn of_partition<'a>(
    stored: &'a BTreeMap<Key, Stored>,
    query: &Query,
    after: Option<Key>,
) -> impl Iterator<Item = &'a Stored> {
    let key = |partition: String, sort: Option<String>| Key {
        table: query.table,
        partition,
        sort,
    };
    // No sort key comes before every sort key, so this is before the first key of the partition in any table.
    let first = query.range.as_ref().map(|(from, _)| from.clone());
    let end = match &query.range {
        Some((_, to)) => key(query.partition.clone(), Some(behind(to))),
        None => key(behind(&query.partition), None),
    };
    let all = (
        Bound::Included(key(query.partition.clone(), first)),
        Bound::Excluded(end),
    );
    let mut left = stored.range(left_of(all, after, query.backwards));
    iter::from_fn(move || match query.backwards {
        true => left.next_back(),
        false => left.next(),
    })
    .map(|(_, stored)| stored)
}

/// The items that a read sees in these places of an index.
///
/// What it sees is drawn for each item. One that moved has two places, and is drawn for once, so that it is seen in one of
/// them: not in both, nor in none.
fn seen_in<'a>(
    index: &Index,
    places: impl Iterator<Item = &'a Place>,
    stored: &'a BTreeMap<Key, Stored>,
    dice: &mut Dice,
) -> impl Iterator<Item = &'a Item> {
    let mut moved: HashMap<&Key, bool> = HashMap::new();
    places.filter_map(move |place| {
        let stored = stored.get(&place.key)?;
        let stale = if stored.is_moved(index) {
            *moved.entry(&place.key).or_insert_with(|| dice.stale())
        } else {
            dice.stale()
        };
        stored.seen(stale).filter(|item| place.is_of(item, index))
    })
}
