//! Pages of a table or of an index: what is in it, in which order, and where the next page starts.

use domain::Fault;

use super::check;
use crate::ops::{Item, Key, Page, Query, Value};
use crate::schema::{Index, Table};

/// A place in what is being paged through: the index's sort key, then the table's key.
type Place = (String, Key);

/// Items of a table, each under its key, of which the query picks those of its partition.
pub fn query<'a>(
    items: impl Iterator<Item = (&'a Key, &'a Item)>,
    query: &Query,
    page_size: usize,
) -> Result<Page, Fault> {
    let start = start(query)?;
    let mut found: Vec<(Place, &Item)> = items
        .filter(|(_, item)| is_in(item, query))
        .map(|(key, item)| (place(query.index, key.clone(), item), item))
        .filter(|(place, _)| start.as_ref().is_none_or(|start| place > start))
        .collect();
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    let limit = query
        .limit
        .map_or(page_size, |limit| page_size.min(limit as usize));
    Ok(page(
        found.into_iter().map(|(_, item)| item.clone()),
        limit,
        query.table,
        query.index,
    ))
}

/// A full page always says where to go on, even where nothing follows: so does the service.
pub fn page(
    items: impl Iterator<Item = Item>,
    limit: usize,
    table: Table,
    index: Option<&Index>,
) -> Page {
    let items: Vec<Item> = items.take(limit).collect();
    let last = if items.len() == limit {
        items.last()
    } else {
        None
    };
    let next = last.map(|item| only(item, &key_names(table, index)));
    let items = match index {
        Some(index) => items
            .iter()
            .map(|item| projected(item, table, index))
            .collect(),
        None => items,
    };
    Page { items, next }
}

/// An index is sparse: it holds the items that have both of its keys.
pub fn in_index(item: &Item, index: &Index) -> bool {
    [index.partition, index.sort]
        .iter()
        .all(|name| matches!(item.get(*name), Some(Value::S(_))))
}

pub fn projected(item: &Item, table: Table, index: &Index) -> Item {
    let mut names = key_names(table, Some(index));
    names.extend(index.includes);
    only(item, &names)
}

/// Whether the query is about this item: in its partition, and in its range.
pub fn is_in(item: &Item, query: &Query) -> bool {
    let partition = query
        .index
        .map_or(query.table.partition(), |index| index.partition);
    query.index.is_none_or(|index| in_index(item, index))
        && matches!(item.get(partition), Some(Value::S(text)) if *text == query.partition)
        && in_range(item, query)
}

fn in_range(item: &Item, query: &Query) -> bool {
    let sort = query
        .index
        .map_or(query.table.sort(), |index| Some(index.sort));
    let sort = sort.and_then(|sort| item.get(sort));
    query.range.as_ref().is_none_or(
        |(from, to)| matches!(sort, Some(Value::S(text)) if (from..=to).contains(&text)),
    )
}

fn start(query: &Query) -> Result<Option<Place>, Fault> {
    if query.partition.is_empty() {
        return check::malformed("a query for an empty key");
    }
    if query.limit == Some(0) {
        return check::malformed("a page of nothing");
    }
    if let Some(index) = query.index {
        check::index(query.table, index)?;
    }
    check::range(query)?;
    let Some(start) = &query.start else {
        return Ok(None);
    };
    let names = key_names(query.table, query.index);
    if !is_in(start, query) || start.keys().any(|name| !names.contains(&name.as_str())) {
        return check::malformed("a page cannot start there");
    }
    Ok(Some(place(
        query.index,
        check::key_of(query.table, start)?,
        start,
    )))
}

fn place(index: Option<&Index>, key: Key, item: &Item) -> Place {
    let sort = match index.and_then(|index| item.get(index.sort)) {
        Some(Value::S(text)) => text.clone(),
        _ => String::new(),
    };
    (sort, key)
}

fn key_names(table: Table, index: Option<&Index>) -> Vec<&'static str> {
    let mut names = vec![table.partition()];
    names.extend(table.sort());
    if let Some(index) = index {
        names.extend([index.partition, index.sort]);
    }
    names
}

fn only(item: &Item, names: &[&str]) -> Item {
    let mut kept = item.clone();
    kept.retain(|name, _| names.contains(&name.as_str()));
    kept
}
