//! Where items are in the indexes of their tables: in order, so that a query looks at what it is about and at nothing else.
//! Knows nothing of pages, and not what a read sees.

use std::collections::{BTreeMap, BTreeSet};
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

    /// The places that a query is about, after the one where it starts.
    pub fn of<'a>(
        &'a self,
        query: &Query,
        index: &Index,
        start: Option<Place>,
    ) -> impl Iterator<Item = &'a Place> {
        let (from, to) = query
            .range
            .as_ref()
            .map_or(("", None), |(from, to)| (from.as_str(), Some(to.as_str())));
        let first = || Place::new((&query.partition, from), &Key::new(query.table, ""));
        let start = start.map_or_else(|| Bound::Included(first()), Bound::Excluded);
        let places = self.0.get(&(query.table, index.name));
        places
            .into_iter()
            .flat_map(move |places| places.range((start.clone(), Bound::Unbounded)))
            .take_while(move |place| {
                place.partition == query.partition && to.is_none_or(|to| place.sort.as_str() <= to)
            })
    }
}
