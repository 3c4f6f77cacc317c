//! Operations at random, over so few keys and attributes that they meet.

use std::collections::HashMap;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use rust_decimal::Decimal;
use store::ops::{Change, Condition, Item, Key, Query, Value, Write, number, text};
use store::schema::{Index, Table};

/// One without a sort key or an index, one with each of them, and one with both.
pub const TABLES: [Table; 4] = [
    Table::Products,
    Table::Orders,
    Table::Journal,
    Table::Tallies,
];

/// Partitions of each table and index, and sort keys in each partition.
const PARTITIONS: [&str; 3] = ["a", "b", "ab"];
const SORTS: [&str; 4] = ["1", "2", "10", "é"];

/// Attributes that are in no key.
const FIELDS: [&str; 4] = ["state", "n", "m", "units"];

#[derive(Debug, Clone)]
pub enum Operation {
    Write(Write),
    UpdateMany(Vec<Write>),
    /// And the number of its token.
    Transact(Vec<Write>, u8),
    Get(Key),
    GetMany(Vec<Key>),
    /// All pages of it.
    Query(Query),
    Count(Query),
}

/// Every partition starts with `run`, which nobody else has in these tables.
pub fn operation(run: &str) -> BoxedStrategy<Operation> {
    prop_oneof![
        6 => write(run).prop_map(Operation::Write),
        2 => statements(run).prop_map(Operation::UpdateMany),
        3 => (vec(write(run), 1..5), 0..4u8)
            .prop_map(|(writes, token)| Operation::Transact(writes, token)),
        1 => any_key(run).prop_map(Operation::Get),
        1 => keys(run).prop_map(Operation::GetMany),
        4 => query(run).prop_map(Operation::Query),
        2 => query(run).prop_map(Operation::Count),
    ]
    .boxed()
}

/// Every key that an operation may have.
pub fn every_key(run: &str) -> Vec<Key> {
    let mut keys = Vec::new();
    for table in TABLES {
        for partition in PARTITIONS.map(|partition| format!("{run}{partition}")) {
            match table.sort() {
                None => keys.push(Key::new(table, &partition)),
                Some(_) => {
                    let sorted = SORTS.map(|sort| Key::sorted(table, &partition, sort));
                    keys.extend(sorted);
                }
            }
        }
    }
    keys
}

/// All of each partition, of tables and of indexes.
pub fn every_query(run: &str) -> Vec<Query> {
    let mut queries = Vec::new();
    for table in TABLES {
        let indexes = table.indexes().iter().map(Some);
        for index in std::iter::once(None).chain(indexes) {
            for partition in PARTITIONS {
                queries.push(Query::of(table, index, format!("{run}{partition}")));
            }
        }
    }
    queries
}

fn key(run: &str, table: Table) -> BoxedStrategy<Key> {
    let run = run.to_owned();
    (select(&PARTITIONS[..]), select(&SORTS[..]))
        .prop_map(move |(partition, sort)| Key {
            table,
            partition: format!("{run}{partition}"),
            sort: table.sort().map(|_| sort.to_owned()),
        })
        .boxed()
}

fn any_key(run: &str) -> BoxedStrategy<Key> {
    let run = run.to_owned();
    let key = select(&TABLES[..]).prop_flat_map(move |table| key(&run, table));
    key.boxed()
}

/// Of one table.
fn keys(run: &str) -> BoxedStrategy<Vec<Key>> {
    let run = run.to_owned();
    select(&TABLES[..])
        .prop_flat_map(move |table| vec(key(&run, table), 0..6))
        .boxed()
}

fn write(run: &str) -> BoxedStrategy<Write> {
    let run = run.to_owned();
    any_key(&run)
        .prop_flat_map(move |key| {
            let table = key.table;
            let put = (attributes(&run, table), condition(&run, table));
            let update = (vec(change(&run, table), 1..4), condition(&run, table));
            let (put_key, update_key) = (key.clone(), key.clone());
            prop_oneof![
                2 => put.prop_map(move |(attributes, condition)| Write::Put {
                    table,
                    item: item(&put_key, attributes),
                    condition,
                }),
                3 => update.prop_map(move |(changes, condition)| Write::Update {
                    key: update_key.clone(),
                    changes,
                    condition,
                }),
                1 => condition(&run, table).prop_map(move |condition| Write::Delete {
                    key: key.clone(),
                    condition,
                }),
            ]
        })
        .boxed()
}

/// As the port wants them: of one table, no item twice, and nothing that no statement does.
fn statements(run: &str) -> BoxedStrategy<Vec<Write>> {
    let run = run.to_owned();
    let table = select(&TABLES[..]);
    table
        .prop_flat_map(move |table| {
            let all = every_key(&run).into_iter();
            let keys: Vec<Key> = all.filter(|key| key.table == table).collect();
            let run = run.clone();
            subsequence(keys, 1..4).prop_flat_map(move |keys| {
                let each = keys.into_iter().map(|key| statement(&run, key));
                each.collect::<Vec<_>>()
            })
        })
        .boxed()
}

fn statement(run: &str, key: Key) -> BoxedStrategy<Write> {
    let table = key.table;
    let changes = subsequence(names(table), 1..4).prop_flat_map({
        let run = run.to_owned();
        move |names| {
            let changes = names.into_iter().map(|name| {
                prop_oneof![
                    3 => value(&run, name).prop_map(move |value| Change::Set(name, value)),
                    1 => Just(Change::Remove(name)),
                ]
            });
            changes.collect::<Vec<_>>()
        }
    });
    let put = key.clone();
    prop_oneof![
        (changes, condition(run, table)).prop_map(move |(changes, condition)| Write::Update {
            key: key.clone(),
            changes,
            condition,
        }),
        attributes(run, table).prop_map(move |attributes| Write::Put {
            table,
            item: item(&put, attributes),
            condition: Condition::Absent,
        }),
    ]
    .boxed()
}

fn item(key: &Key, attributes: HashMap<String, Value>) -> Item {
    let mut item = key.item();
    for (name, value) in attributes {
        item.insert(name, value);
    }
    item
}

fn attributes(run: &str, table: Table) -> BoxedStrategy<HashMap<String, Value>> {
    let run = run.to_owned();
    vec(select(names(table)), 0..6)
        .prop_flat_map(move |names| {
            let values = names
                .into_iter()
                .map(|name| (Just(name.to_owned()), value(&run, name)));
            values.collect::<Vec<_>>()
        })
        .prop_map(HashMap::from_iter)
        .boxed()
}

/// All that is in no key of the table.
fn names(table: Table) -> Vec<&'static str> {
    let mut names = FIELDS.to_vec();
    for index in table.indexes() {
        names.extend([index.partition, index.sort]);
        names.extend(index.includes);
    }
    names.sort_unstable();
    names.dedup();
    names
}

/// Keys of indexes are texts, as they have to be: the engines refuse others at different times.
fn value(run: &str, name: &'static str) -> BoxedStrategy<Value> {
    let indexes = || TABLES.iter().flat_map(|table| table.indexes());
    let is_partition = |index: &Index| index.partition == name;
    let is_sort = |index: &Index| index.sort == name;
    let run = run.to_owned();
    let partition = select(&PARTITIONS[..]).prop_map(move |key| text(format!("{run}{key}")));
    let sort = select(&SORTS[..]).prop_map(text);
    if indexes().any(is_partition) {
        partition.boxed()
    } else if indexes().any(is_sort) {
        sort.boxed()
    } else {
        any_value()
    }
}

const NUMBERS: [&str; 10] = [
    "0",
    "-0",
    "1",
    "1.0",
    "7",
    "1e2",
    "-3.50",
    "007",
    "0.1",
    "99999999999999999999.5",
];

fn plain() -> BoxedStrategy<Value> {
    prop_oneof![
        3 => select(&["OPEN", "SHUT", "", "é"][..]).prop_map(text),
        3 => select(&NUMBERS[..]).prop_map(number),
        1 => any::<bool>().prop_map(Value::Bool),
        1 => Just(Value::Null(true)),
        1 => vec(any::<u8>(), 0..3).prop_map(Value::B),
    ]
    .boxed()
}

fn any_value() -> BoxedStrategy<Value> {
    let texts = || vec(select(&["x", "y", ""][..]).prop_map(str::to_owned), 0..3);
    let numbers = || vec(select(&NUMBERS[..]).prop_map(str::to_owned), 0..3);
    let lists = plain().prop_recursive(2, 6, 3, |inner| {
        let name = select(&["x", "y"][..]).prop_map(str::to_owned);
        let map = vec((name, inner.clone()), 0..3).prop_map(HashMap::from_iter);
        prop_oneof![vec(inner, 0..3).prop_map(Value::L), map.prop_map(Value::M),]
    });
    prop_oneof![
        8 => plain(),
        1 => texts().prop_map(Value::Ss),
        1 => numbers().prop_map(Value::Ns),
        2 => lists,
    ]
    .boxed()
}

fn change(run: &str, table: Table) -> BoxedStrategy<Change> {
    let amounts = select(&["1", "-2", "0.1", "0"][..])
        .prop_map(|digits| digits.parse::<Decimal>().expect("a number"));
    let run = run.to_owned();
    let set = select(names(table))
        .prop_flat_map(move |name| (Just(name), value(&run, name)))
        .prop_map(|(name, value)| Change::Set(name, value));
    // Parts of the key stay out: the engines refuse such a change at different times, see `random`.
    prop_oneof![
        8 => set,
        4 => (select(&FIELDS[..]), amounts).prop_map(|(name, amount)| Change::Add(name, amount)),
        4 => select(names(table)).prop_map(Change::Remove),
    ]
    .boxed()
}

fn condition(run: &str, table: Table) -> BoxedStrategy<Condition> {
    let run = run.to_owned();
    let name = select(names(table));
    let is = name
        .clone()
        .prop_flat_map(move |name| (Just(name), value(&run, name)))
        .prop_map(|(name, value)| Condition::Is(name, value));
    let states = vec(plain(), 1..4);
    let any_of =
        (select(&FIELDS[..]), states).prop_map(|(name, values)| Condition::AnyOf(name, values));
    let amount = || (select(&FIELDS[..]), 0..9u64);
    let simple = prop_oneof![
        6 => Just(Condition::Always),
        3 => Just(Condition::Absent),
        3 => is,
        1 => any_of,
        1 => amount().prop_map(|(name, least)| Condition::AtLeast(name, least)),
        1 => amount().prop_map(|(name, limit)| Condition::Below(name, limit)),
        2 => name.prop_map(Condition::Missing),
    ];
    simple
        .prop_recursive(3, 8, 3, |inner| vec(inner, 0..4).prop_map(Condition::All))
        .boxed()
}

fn query(run: &str) -> BoxedStrategy<Query> {
    let run = run.to_owned();
    let queries = every_query(&run);
    // Of an empty text one engine makes another thing than the service does: the contract says so.
    let sort = || select(&["0", "1", "10", "2", "é", "~"][..]).prop_map(str::to_owned);
    let range = option::of((sort(), sort()));
    let limit = prop_oneof![
        4 => Just(None),
        8 => (1..5u32).prop_map(Some),
        1 => Just(Some(0)),
    ];
    (select(queries), range, any::<bool>(), limit)
        .prop_map(|(query, range, backwards, limit)| Query {
            range,
            backwards,
            limit,
            ..query
        })
        .boxed()
}
