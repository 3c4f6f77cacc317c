//! What the service refuses before it looks at what is stored: keys, sizes, shapes of requests.

use std::collections::HashSet;

use domain::Fault;
use domain::limits::ITEMS_PER_TRANSACTION;

use super::units::size;
use crate::ops::{Change, Item, Key, Query, Value, Write};
use crate::schema::{Index, Table};

const ITEM_BYTES: usize = 400 * 1024;
const TRANSACTION_BYTES: usize = 4 * 1024 * 1024;
const PARTITION_KEY_BYTES: usize = 2048;
const SORT_KEY_BYTES: usize = 1024;
const TOKEN_BYTES: usize = 36;

pub fn malformed<T>(why: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Malformed(why.into()))
}

pub fn key(key: &Key) -> Result<(), Fault> {
    key_text(key.table.partition(), &key.partition, PARTITION_KEY_BYTES)?;
    match (key.table.sort(), &key.sort) {
        (None, None) => Ok(()),
        (Some(name), Some(sort)) => key_text(name, sort, SORT_KEY_BYTES),
        (Some(name), None) => malformed(format!("the key lacks {name}")),
        (None, Some(_)) => malformed(format!("{} have no sort key", key.table.name())),
    }
}

pub fn keys(keys: &[Key], most: usize) -> Result<(), Fault> {
    if keys.len() > most {
        return malformed(format!("{} keys in one request", keys.len()));
    }
    if keys.iter().collect::<HashSet<_>>().len() < keys.len() {
        return malformed("a key is there twice");
    }
    keys.iter().try_for_each(key)
}

pub fn key_of(table: Table, item: &Item) -> Result<Key, Fault> {
    let sort = table.sort().map(|name| string(item, name)).transpose()?;
    let found = Key {
        table,
        partition: string(item, table.partition())?,
        sort,
    };
    key(&found)?;
    Ok(found)
}

pub fn target(write: &Write) -> Result<Key, Fault> {
    match write {
        Write::Put { table, item, .. } => key_of(*table, item),
        Write::Update {
            key: target,
            changes,
            ..
        } => {
            key(target)?;
            self::changes(target.table, changes)?;
            Ok(target.clone())
        }
        Write::Delete { key: target, .. } => {
            key(target)?;
            Ok(target.clone())
        }
    }
}

fn changes(table: Table, changes: &[Change]) -> Result<(), Fault> {
    if changes.is_empty() {
        return malformed("an update without a change");
    }
    let mut names = HashSet::new();
    for change in changes {
        let (Change::Set(name, _) | Change::Add(name, _) | Change::Remove(name)) = change;
        if *name == table.partition() || Some(*name) == table.sort() {
            return malformed(format!("{name} is part of the key"));
        }
        if !names.insert(name) {
            return malformed(format!("{name} is changed twice"));
        }
    }
    Ok(())
}

/// An item as it is about to be stored.
pub fn item(table: Table, item: &Item) -> Result<(), Fault> {
    if size(item) > ITEM_BYTES {
        return malformed(format!("an item of {} bytes", size(item)));
    }
    for index in table.indexes() {
        for (name, most) in [
            (index.partition, PARTITION_KEY_BYTES),
            (index.sort, SORT_KEY_BYTES),
        ] {
            if item.contains_key(name) {
                key_text(name, &string(item, name)?, most)?;
            }
        }
    }
    Ok(())
}

pub fn transaction(writes: &[Write], token: &str) -> Result<(), Fault> {
    if writes.is_empty() || writes.len() > ITEMS_PER_TRANSACTION {
        return malformed(format!("a transaction of {} writes", writes.len()));
    }
    if token.is_empty() || token.len() > TOKEN_BYTES {
        return malformed(format!("a token of {} bytes", token.len()));
    }
    let targets = writes
        .iter()
        .map(target)
        .collect::<Result<HashSet<_>, Fault>>()?;
    if targets.len() < writes.len() {
        return malformed("an item is there twice");
    }
    Ok(())
}

pub fn transaction_size<'a>(items: impl Iterator<Item = &'a Item>) -> Result<(), Fault> {
    let bytes: usize = items.map(size).sum();
    if bytes > TRANSACTION_BYTES {
        return malformed(format!("a transaction of {bytes} bytes"));
    }
    Ok(())
}

pub fn limit(limit: Option<u32>) -> Result<(), Fault> {
    match limit {
        Some(0) => malformed("a page of nothing"),
        _ => Ok(()),
    }
}

pub fn index(table: Table, index: &'static Index) -> Result<(), Fault> {
    if !table.indexes().contains(index) {
        return malformed(format!("{} have no index {}", table.name(), index.name));
    }
    Ok(())
}

/// Both ends are keys, and in their order: the service refuses a range that is empty by its ends.
pub fn range(query: &Query) -> Result<(), Fault> {
    let Some((from, to)) = &query.range else {
        return Ok(());
    };
    let sort = query
        .index
        .map_or(query.table.sort(), |index| Some(index.sort));
    let Some(name) = sort else {
        return malformed(format!("{} have no sort key", query.table.name()));
    };
    key_text(name, from, SORT_KEY_BYTES)?;
    key_text(name, to, SORT_KEY_BYTES)?;
    if from > to {
        return malformed(format!("a range of {name} from {from} to {to}"));
    }
    Ok(())
}

pub fn string(item: &Item, name: &str) -> Result<String, Fault> {
    match item.get(name) {
        Some(Value::S(text)) => Ok(text.clone()),
        Some(_) => malformed(format!("{name} is a key, and not a string")),
        None => malformed(format!("the item lacks {name}")),
    }
}

fn key_text(name: &str, text: &str, most: usize) -> Result<(), Fault> {
    match text.len() {
        0 => malformed(format!("{name} is a key, and empty")),
        bytes if bytes > most => malformed(format!("{name} is a key of {bytes} bytes")),
        _ => Ok(()),
    }
}
