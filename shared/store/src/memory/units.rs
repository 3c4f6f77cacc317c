//! How large items are, and the units that reads and changes are billed.

use std::collections::BTreeMap;

use super::query::{index_keys, projected};
use crate::ops::{Item, Value};
use crate::schema::{Index, Table};

const BYTES_PER_WRITE_UNIT: usize = 1024;
const BYTES_PER_READ_UNIT: usize = 4096;

/// Write units by table, and by `table/index`. What a cancelled transaction costs is not counted.
pub type WriteUnits = BTreeMap<String, u64>;

/// Read units by table, and by `table/index`. What is throttled costs nothing.
pub type ReadUnits = BTreeMap<String, f64>;

pub fn size(item: &Item) -> usize {
    item.iter()
        .map(|(name, value)| name.len() + value_size(value))
        .sum()
}

/// The size of what an item has of these attributes.
pub fn size_of(item: &Item, names: &[&str]) -> usize {
    let attribute = |name: &&str| Some(name.len() + value_size(item.get(*name)?));
    names.iter().filter_map(attribute).sum()
}

fn value_size(value: &Value) -> usize {
    let number = |digits: &String| digits.len().div_ceil(2) + 1;
    match value {
        Value::S(text) => text.len(),
        Value::N(digits) => number(digits),
        Value::B(bytes) => bytes.len(),
        Value::Bool(_) | Value::Null(_) => 1,
        Value::L(values) => {
            3 + values
                .iter()
                .map(|value| 1 + value_size(value))
                .sum::<usize>()
        }
        Value::M(values) => {
            let entry = |(name, value): (&String, &Value)| 1 + name.len() + value_size(value);
            3 + values.iter().map(entry).sum::<usize>()
        }
        Value::Ss(texts) => texts.iter().map(String::len).sum(),
        Value::Ns(numbers) => numbers.iter().map(number).sum(),
        Value::Bs(blobs) => blobs.iter().map(Vec::len).sum(),
    }
}

/// Bills one change, or with `after` being `before` one that its condition forbade: the larger of the two images,
/// in a transaction twice, and each index whose entry comes, goes, moves or changes.
pub fn bill(
    units: &mut WriteUnits,
    table: Table,
    before: Option<&Item>,
    after: Option<&Item>,
    factor: u64,
) {
    let larger = before.map_or(0, size).max(after.map_or(0, size));
    *units.entry(name(table, None)).or_default() += of(larger) * factor;
    for index in table.indexes() {
        let entry = |item: Option<&Item>| {
            item.filter(|item| index_keys(item, index).is_some())
                .map(|item| projected(item, table, index))
        };
        let (old, new) = (entry(before), entry(after));
        if old == new {
            continue;
        }
        let moved = |old: &Item, new: &Item| {
            [index.partition, index.sort]
                .iter()
                .any(|key| old.get(*key) != new.get(*key))
        };
        *units.entry(name(table, Some(index))).or_default() += match (old, new) {
            (Some(old), Some(new)) if moved(&old, &new) => of(size(&old)) + of(size(&new)),
            (old, new) => of(old
                .as_ref()
                .map_or(0, size)
                .max(new.as_ref().map_or(0, size))),
        };
    }
}

/// Bills one read of so many bytes, which costs so much for each 4 KB that it starts, and that of nothing as one of little.
pub fn bill_read(
    units: &mut ReadUnits,
    table: Table,
    index: Option<&Index>,
    bytes: usize,
    each: f64,
) {
    let started = bytes.div_ceil(BYTES_PER_READ_UNIT).max(1);
    *units.entry(name(table, index)).or_default() += started as f64 * each;
}

fn name(table: Table, index: Option<&Index>) -> String {
    match index {
        Some(index) => format!("{}/{}", table.name(), index.name),
        None => table.name().to_owned(),
    }
}

fn of(bytes: usize) -> u64 {
    bytes.div_ceil(BYTES_PER_WRITE_UNIT).max(1) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{number, text};
    use std::collections::HashMap;

    fn item(values: &[(&str, Value)]) -> Item {
        let values = values
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()));
        Item::from(values.collect::<HashMap<_, _>>())
    }

    #[test]
    fn names_and_values_count() {
        assert_eq!(
            size(&item(&[("sku", text("S-1")), ("sold", number(12))])),
            3 + 3 + 4 + 2
        );
        assert_eq!(
            size(&item(&[("l", Value::L(vec![text("ab"), number(1)]))])),
            1 + 3 + 3 + 3
        );
    }

    #[test]
    fn an_index_is_billed_when_its_entry_changes() {
        let id = ("order_id", text("O-1"));
        let waits = |until: &str| {
            let until = ("pending_check", text(until));
            item(&[id.clone(), ("pending_shard", text("0")), until])
        };
        let check = |before: Option<&Item>, after: Option<&Item>, of_table: u64, of_index: u64| {
            let mut units = WriteUnits::new();
            bill(&mut units, Table::Orders, before, after, 2);
            let of = |name: &str| units.get(name).copied().unwrap_or_default();
            assert_eq!(
                (of("orders"), of("orders/pending-payment")),
                (of_table, of_index)
            );
        };
        let (plain, large) = (
            item(std::slice::from_ref(&id)),
            item(&[id.clone(), ("x", text("x".repeat(1024)))]),
        );
        check(None, Some(&plain), 2, 0);
        check(Some(&large), Some(&plain), 4, 0);
        check(Some(&plain), Some(&waits("1")), 2, 1);
        check(Some(&waits("1")), Some(&waits("2")), 2, 2);
        check(Some(&waits("2")), Some(&waits("2")), 2, 0);
        check(Some(&waits("2")), Some(&plain), 2, 1);
        check(Some(&waits("2")), None, 2, 1);
        check(Some(&large), None, 4, 0);
        check(None, None, 2, 0);
    }
}
