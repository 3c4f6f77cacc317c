//! Where items are in the indexes of their tables: in order, so that a query looks at what it is about and at nothing else.
//! Knows nothing of pages, and not what a read sees.

use std::collections::{BTreeMap, BTreeSet};
use std::iter;
use std::ops::Bound;

use super::query::index_keys;
use crate::ops::{Item, Key, Query};
use crate::schema::{Index, Table};

/// In the order in which an index is read. Among equals it is that of the table's keys.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub partition: String,
    pub sort: String,
    pub key: Key,
}

impl Place {
    fn new((partition, sort): (&str, &str), key: &Key) -> Place {
        Place {
            partition: partition.to_owned(),
            sort: sort.to_owned(),
            key: key.clone(),
        }
    }

    /// Whether this is where an index has the item.
    pub fn is_of(&self, item: &Item, index: &Index) -> bool {
        index_keys(item, index) == Some((&self.partition, &self.sort))
    }
}

/// The places of all items, by table and index.
#[derive(Debug, Default)]
pub struct Places(BTreeMap<(Table, &'static str), BTreeSet<Place>>);

impl Places {
    /// An item has a place for each of its images: for that which is stored, and for that which a stale read still sees.
    pub fn change(&mut self, key: &Key, was: [Option<&Item>; 2], is: [Option<&Item>; 2]) {
        for index in key.table.indexes() {
            let was = was.map(|image| image.and_then(|image| index_keys(image, index)));
            let is = is.map(|image| image.and_then(|image| index_keys(image, index)));
            if was == is {
                continue;
            }
            let places = self.0.entry((key.table, index.name)).or_default();
            for gone in was.iter().filter(|at| !is.contains(at)).flatten() {
                places.remove(&Place::new(*gone, key));
            }
            for new in is.iter().filter(|at| !was.contains(at)).flatten() {
                places.insert(Place::new(*new, key));
            }
        }
    }

    /// The places that a query is about, in its direction, after the one where it starts.
    pub fn of<'a>(
        &'a self,
        query: &Query,
        index: &Index,
        start: Option<Place>,
    ) -> impl Iterator<Item = &'a Place> {
        // Before every key of the table.
        let before = Key::new(query.table, "");
        let (from, end) = match &query.range {
            Some((from, to)) => (
                from.as_str(),
                Place::new((&query.partition, &behind(to)), &before),
            ),
            None => ("", Place::new((&behind(&query.partition), ""), &before)),
        };
        let first = Place::new((&query.partition, from), &before);
        let all = (Bound::Included(first), Bound::Excluded(end));
        let places = self.0.get(&(query.table, index.name));
        let mut left = places.map(|places| places.range(left_of(all, start, query.backwards)));
        let backwards = query.backwards;
        iter::from_fn(move || match backwards {
            true => left.as_mut()?.next_back(),
            false => left.as_mut()?.next(),
        })
    }
}

/// The least text that is greater.
pub fn behind(text: &str) -> String {
    format!("{text}\0")
}

/// What is left of a span for whoever has come so far.
pub fn left_of<T>(
    (from, to): (Bound<T>, Bound<T>),
    after: Option<T>,
    backwards: bool,
) -> (Bound<T>, Bound<T>) {
    match after.map(Bound::Excluded) {
        None => (from, to),
        Some(after) if backwards => (from, after),
        Some(after) => (after, to),
    }
}
