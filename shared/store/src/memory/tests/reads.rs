//! Reads of this engine: what they are billed, what a stale one finds, and that its indexes hold what their tables do.

use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

use super::super::query::{index_keys, projected};
use crate::Engine;
use crate::Store;
use crate::memory::{Faults, MemoryEngine};
use crate::ops::{Condition, Item, Key, Query, Value, Write, text};
use crate::schema::{BY_CUSTOMER, Index, Table};

fn order(id: &str, customer: &str, day: &str, note: usize) -> Item {
    let values = [
        ("order_id", text(id)),
        ("customer_id", text(customer)),
        ("created_at", text(day)),
        ("note", text("x".repeat(note))),
    ];
    let values = values.map(|(name, value)| (name.to_owned(), value));
    Item::from(HashMap::from(values))
}

fn overwrite(engine: &MemoryEngine, order: &Item) {
    engine.overwrite(Table::Orders, order).expect("valid");
}

fn of(index: Option<&'static Index>, partition: &str) -> Query {
    Query::of(Table::Orders, index, partition)
}

fn stale(per_thousand: u16) -> MemoryEngine {
    let faults = Faults {
        stale: per_thousand,
        ..Faults::default()
    };
    MemoryEngine::with_faults(1, faults)
}

/// Ids of what an index shows of a customer.
async fn shown(engine: &MemoryEngine, customer: &str) -> Vec<String> {
    let page = engine.query(&of(Some(&BY_CUSTOMER), customer)).await;
    let days = page.expect("read").items;
    let day = |item: &Item| match item.get("created_at") {
        Some(Value::S(day)) => day.clone(),
        _ => String::new(),
    };
    days.iter().map(day).collect()
}

#[tokio::test]
async fn reads_are_billed_by_what_they_look_at() {
    let engine = MemoryEngine::new();
    for at in 0..100 {
        overwrite(
            &engine,
            &order(&format!("O-{at:02}"), "C", "2026-01-01", 5000),
        );
    }
    let key = |id: &str| Key::new(Table::Orders, id);
    let check = |table: f64, index: f64| {
        let units = engine.read_units();
        let of = |name: &str| units.get(name).copied().unwrap_or_default();
        assert_eq!((of("orders"), of("orders/by-customer")), (table, index));
    };
    engine.get(&key("O-01")).await.expect("read");
    check(2.0, 0.0);
    engine.get(&key("missing")).await.expect("read");
    check(3.0, 0.0);
    let keys = [key("O-01"), key("O-02"), key("missing")];
    engine.get_many(&keys).await.expect("read");
    check(5.5, 0.0);
    engine.query(&of(None, "O-01")).await.expect("read");
    engine.count(&of(None, "missing")).await.expect("read");
    check(8.5, 0.0);
    // A hundred entries of 45 bytes, whatever the orders hold besides.
    engine
        .query(&of(Some(&BY_CUSTOMER), "C"))
        .await
        .expect("read");
    check(8.5, 1.0);
    engine
        .count(&of(Some(&BY_CUSTOMER), "C"))
        .await
        .expect("read");
    engine
        .count(&of(Some(&BY_CUSTOMER), "D"))
        .await
        .expect("read");
    check(8.5, 2.5);
    engine.scan(Table::Orders, None, None).await.expect("read");
    check(8.5 + 124.0, 2.5);
}

#[tokio::test]
async fn a_page_ends_where_its_bytes_do() {
    let engine = MemoryEngine::new().page_size(1_000_000);
    for at in 0..30 {
        let entry = [
            ("partition", text("day")),
            ("entry_id", text(format!("{at:02}"))),
            ("note", text("x".repeat(100_000))),
        ];
        let entry = entry.map(|(name, value)| (name.to_owned(), value));
        let entry = Item::from(HashMap::from(entry));
        engine.overwrite(Table::Journal, &entry).expect("valid");
    }
    let mut query = Query {
        table: Table::Journal,
        ..of(None, "day")
    };
    for items in [10, 10, 10] {
        let page = engine.query(&query).await.expect("read");
        let count = engine.count(&query).await.expect("counted");
        assert_eq!((page.items.len(), count.items), (items, items as u64));
        assert_eq!(count.next, page.next);
        query.start = page.next;
    }
    assert_eq!(query.start, None);
    let store = Store::new(engine, 1);
    assert_eq!(store.count_all(query).await, Ok(30));
}

#[tokio::test]
async fn a_stale_read_finds_an_item_where_it_was() {
    let engine = stale(1000);
    overwrite(&engine, &order("O", "C", "1", 0));
    overwrite(&engine, &order("O", "D", "2", 0));
    assert_eq!(shown(&engine, "C").await, ["1"]);
    assert_eq!(shown(&engine, "D").await, [""; 0]);
    overwrite(&engine, &order("O", "D", "3", 0));
    assert_eq!(shown(&engine, "C").await, [""; 0]);
    assert_eq!(shown(&engine, "D").await, ["2"]);
    engine.set_faults(Faults::default());
    assert_eq!(shown(&engine, "D").await, ["3"]);
}

#[tokio::test]
async fn an_item_that_moved_is_seen_in_one_place() {
    let engine = stale(500);
    overwrite(&engine, &order("O", "C", "1", 0));
    overwrite(&engine, &order("O", "C", "2", 0));
    let mut seen = BTreeSet::new();
    for _ in 0..100 {
        seen.insert(shown(&engine, "C").await);
    }
    let either = [vec!["1".to_owned()], vec!["2".to_owned()]];
    assert_eq!(seen, either.into());
}

#[tokio::test]
async fn a_stale_read_still_sees_what_was_deleted() {
    let engine = stale(1000);
    let key = Key::new(Table::Orders, "O");
    let delete = Write::Delete {
        key: key.clone(),
        condition: Condition::Always,
    };
    overwrite(&engine, &order("O", "C", "1", 0));
    engine.write(&delete).await.expect("deleted");
    assert_eq!(shown(&engine, "C").await, ["1"]);
    assert_eq!(engine.get(&key).await, Ok(None));
    assert!(engine.items(Table::Orders).is_empty());
    engine.write(&delete).await.expect("deleted");
    assert_eq!(shown(&engine, "C").await, [""; 0]);
}

/// What a query finds is what looking at every item finds, whatever was written in which sequence.
#[tokio::test]
async fn an_index_holds_what_its_table_does() {
    let engine = MemoryEngine::new().page_size(3);
    let mut random = fastrand::Rng::with_seed(1);
    for _ in 0..2000 {
        let (id, customer) = (random.u8(..20), format!("C-{}", random.u8(..2)));
        let key = Key::new(Table::Orders, &format!("O-{id}"));
        match random.u8(..8) {
            0 => drop(engine.remove(&key)),
            1 | 2 => {
                let condition = Condition::Always;
                let delete = Write::Delete { key, condition };
                engine.write(&delete).await.expect("deleted");
            }
            _ => {
                let day = random.u8(..9).to_string();
                overwrite(&engine, &order(&key.partition, &customer, &day, 0));
            }
        }
        let backwards = random.bool();
        let query = Query {
            range: Some(("3".to_owned(), "6".to_owned())),
            backwards,
            ..of(Some(&BY_CUSTOMER), &customer)
        };
        let mut expected = looked_for(&engine, &customer, "3", "6");
        if backwards {
            expected.reverse();
        }
        let count = engine.count(&query).await.expect("counted");
        assert_eq!(count.items as usize, expected.len());
        let store = Store::new(engine.clone(), 1);
        assert_eq!(store.query_all(query).await, Ok(expected));
    }
}

/// What an index should show, from all items of its table.
fn looked_for(engine: &MemoryEngine, customer: &str, from: &str, to: &str) -> Vec<Item> {
    let keys = |item: &Item| {
        let (customer, day) = index_keys(item, &BY_CUSTOMER).expect("keys");
        (customer.to_owned(), day.to_owned())
    };
    let mut items = engine.items(Table::Orders);
    items.retain(|item| {
        let (of, day) = keys(item);
        of == customer && day.as_str() >= from && day.as_str() <= to
    });
    // They come in the order of their keys, and stay in it among equals.
    items.sort_by_key(keys);
    let shown = items
        .iter()
        .map(|item| projected(item, Table::Orders, &BY_CUSTOMER));
    shown.collect()
}

/// `cargo test --release -p store measure_a_query -- --ignored --nocapture`
#[tokio::test]
#[ignore = "measures, for half a minute"]
async fn measure_a_query_among_a_million() {
    let engine = MemoryEngine::new();
    let started = Instant::now();
    for at in 0..1_000_000 {
        let (customer, day) = (
            format!("C-{}", at % 10),
            format!("{:07}", at * 7 % 1_000_000),
        );
        overwrite(&engine, &order(&format!("O-{at}"), &customer, &day, 100));
    }
    println!("a million items: {:?}", started.elapsed());
    let started = Instant::now();
    for at in 0..1000 {
        let query = Query {
            range: Some((format!("{:07}", at * 900), "9".to_owned())),
            limit: Some(10),
            ..of(Some(&BY_CUSTOMER), "C-3")
        };
        let page = engine.query(&query).await.expect("read");
        assert_eq!(page.items.len(), 10);
    }
    println!("a query: {:?}", started.elapsed() / 1000);
    let started = Instant::now();
    let store = Store::new(engine, 1);
    let counted = store.count_all(of(Some(&BY_CUSTOMER), "C-3")).await;
    assert_eq!(counted, Ok(100_000));
    println!("a count of 100,000: {:?}", started.elapsed());
}
