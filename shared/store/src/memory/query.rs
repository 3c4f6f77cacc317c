//! Pages of a table or of an index: how much is on one, what it shows, and where the next one starts.

use domain::Fault;

use super::check;
use super::places::Place;
use super::units::{size, size_of};
use crate::ops::{Item, Query, Value};
use crate::schema::{Index, Table};

/// What is read for one page at most: the service's limit.
const PAGE_BYTES: usize = 1024 * 1024;

/// What is on a page, as it is stored.
#[derive(Default)]
pub struct Found<'a> {
    pub items: Vec<&'a Item>,
    /// What was read for it: of an index only what it holds.
    pub bytes: usize,
    full: bool,
}

impl<'a> Found<'a> {
    /// Takes what fits, and looks no further. An item that is too large for any page has one of its own.
    pub fn new(
        items: impl Iterator<Item = &'a Item>,
        most: usize,
        table: Table,
        index: Option<&Index>,
    ) -> Found<'a> {
        let names = index.map(|index| index_names(table, index));
        let mut found = Found::default();
        for item in items {
            let bytes = found.bytes
                + names
                    .as_ref()
                    .map_or_else(|| size(item), |names| size_of(item, names));
            found.full = !found.items.is_empty() && bytes > PAGE_BYTES;
            if found.full {
                break;
            }
            found.items.push(item);
            found.bytes = bytes;
            found.full = found.items.len() >= most || bytes >= PAGE_BYTES;
            if found.full {
                break;
            }
        }
        found
    }

    /// A full page always says where to go on, even where nothing follows: so does the service.
    pub fn next(&self, table: Table, index: Option<&Index>) -> Option<Item> {
        let last = self.items.last().filter(|_| self.full);
        last.map(|item| only(item, &key_names(table, index)))
    }
}

/// An index is sparse: it holds the items that have both of its keys.
pub fn index_keys<'a>(item: &'a Item, index: &Index) -> Option<(&'a str, &'a str)> {
    match (item.get(index.partition), item.get(index.sort)) {
        (Some(Value::S(partition)), Some(Value::S(sort))) => Some((partition, sort)),
        _ => None,
    }
}

pub fn projected(item: &Item, table: Table, index: &Index) -> Item {
    only(item, &index_names(table, index))
}

/// Where a query goes on, if it is one that can be asked. Of a table, only the place's key counts.
pub fn start(query: &Query) -> Result<Option<Place>, Fault> {
    if query.partition.is_empty() {
        return check::malformed("a query for an empty key");
    }
    check::limit(query.limit)?;
    if let Some(index) = query.index {
        check::index(query.table, index)?;
    }
    check::range(query)?;
    let Some(start) = &query.start else {
        return Ok(None);
    };
    let names = key_names(query.table, query.index);
    let known = start.keys().all(|name| names.contains(&name.as_str()));
    let key = check::key_of(query.table, start)?;
    let keys = match query.index {
        Some(index) => index_keys(start, index),
        None => Some((
            key.partition.as_str(),
            key.sort.as_deref().unwrap_or_default(),
        )),
    };
    let within = |sort: &str| {
        let range = query.range.as_ref();
        range.is_none_or(|(from, to)| (from.as_str()..=to.as_str()).contains(&sort))
    };
    match keys {
        Some((partition, sort)) if known && partition == query.partition && within(sort) => {
            Ok(Some(Place {
                partition: partition.to_owned(),
                sort: sort.to_owned(),
                key,
            }))
        }
        _ => check::malformed("a page cannot start there"),
    }
}

/// All that an index holds of an item.
fn index_names(table: Table, index: &Index) -> Vec<&'static str> {
    let mut names = key_names(table, Some(index));
    names.extend(index.includes);
    names
}

/// Each once: a key of the table may be one of the index, too.
fn key_names(table: Table, index: Option<&Index>) -> Vec<&'static str> {
    let mut names = vec![table.partition()];
    names.extend(table.sort());
    for name in index.iter().flat_map(|index| [index.partition, index.sort]) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn only(item: &Item, names: &[&str]) -> Item {
    let mut kept = Item::default();
    for name in names {
        if let Some(value) = item.get(*name) {
            kept.insert((*name).to_owned(), value.clone());
        }
    }
    kept
}
