//! Reading from the last to the first, and where a page may start.

use store::engine::Engine;
use store::ops::{Condition, Item, Query, text};
use store::schema::{BY_CUSTOMER, Table};

use super::{Case, eventually};

fn backwards(query: Query) -> Query {
    Query {
        backwards: true,
        ..query
    }
}

fn reversed(items: &[Item]) -> Vec<Item> {
    items.iter().rev().cloned().collect()
}

fn place(keys: &[(&str, String)]) -> Option<Item> {
    let mut place = Item::default();
    for (name, value) in keys {
        place.insert((*name).to_owned(), text(value));
    }
    Some(place)
}

pub(super) async fn an_index_is_read_backwards<E: Engine>(case: &Case<'_, E>) {
    let orders = case.five_days().await;
    let query = case.of(Table::Orders, Some(&BY_CUSTOMER), "C");
    case.pages_agree(&query, &orders).await;
    case.pages_agree(&backwards(query), &reversed(&orders))
        .await;
    let nobody = case.of(Table::Orders, Some(&BY_CUSTOMER), "nobody");
    case.pages_agree(&backwards(nobody), &[]).await;
}

pub(super) async fn a_table_is_read_backwards<E: Engine>(case: &Case<'_, E>) {
    let mut entries = Vec::new();
    for (day, at) in [("day", 1), ("day", 2), ("day", 3), ("day2", 2), ("da", 2)] {
        let entry = [("entry_id", text(format!("e{at}")))];
        entries.push(case.put(Table::Journal, day, &entry).await);
    }
    let query = backwards(case.of(Table::Journal, None, "day"));
    case.pages_agree(&query, &reversed(&entries[..3])).await;
    let check = async |from: &str, to: &str, expected: &[Item]| {
        let range = Some((from.to_owned(), to.to_owned()));
        let query = Query {
            range,
            ..query.clone()
        };
        case.pages_agree(&query, &reversed(expected)).await;
    };
    check("e2", "e3", &entries[1..3]).await;
    check("e1", "e2", &entries[..2]).await;
    check("e0", "e1x", &entries[..1]).await;
    check("e3x", "e4", &[]).await;
}

pub(super) async fn ties_are_read_backwards<E: Engine>(case: &Case<'_, E>) {
    let keys = [
        ("customer_id", text(case.key("C"))),
        ("created_at", text("2026-01-01")),
    ];
    for at in 0..5 {
        case.put(Table::Orders, &format!("O{at}"), &keys).await;
    }
    let query = case.of(Table::Orders, Some(&BY_CUSTOMER), "C");
    let query = backwards(query);
    let read = async || case.pages(&query).await;
    let found = eventually("five orders", read, |found| found.len() == 5).await;
    // Among equals the order is the engine's own, but the same on pages of every size.
    case.pages_agree(&query, &found).await;
    for at in 0..5 {
        assert!(found.contains(&case.item(Table::Orders, &format!("O{at}"), &keys)));
    }
}

pub(super) async fn a_range_is_read_backwards<E: Engine>(case: &Case<'_, E>) {
    let orders = case.five_days().await;
    let check = async |from: &str, to: &str, expected: &[Item]| {
        let query = backwards(case.days(from, to));
        case.pages_agree(&query, &reversed(expected)).await;
        let count = case.engine.count(&query).await.expect("counted");
        assert_eq!(count.items, expected.len() as u64);
    };
    check("2026-01-02", "2026-01-04", &orders[1..4]).await;
    check("2026-01-03", "2026-01-03", &orders[2..3]).await;
    check("2026-01-02x", "2026-01-04x", &orders[2..4]).await;
    check("2026", "2027", &orders).await;
    check("2027", "2028", &[]).await;
}

/// A page starts behind a place, whether or not anything is there.
pub(super) async fn a_page_starts_behind_what_is_gone<E: Engine>(case: &Case<'_, E>) {
    let orders = case.five_days().await;
    let gone = case.delete(Table::Orders, "O1", Condition::Always);
    assert_eq!(case.engine.write(&gone).await, Ok(()));
    let left = [&orders[..2], &orders[3..]].concat();
    case.index_shows(Table::Orders, &BY_CUSTOMER, "C", &left)
        .await;
    let start = place(&[
        ("order_id", case.key("O1")),
        ("customer_id", case.key("C")),
        ("created_at", "2026-01-03".to_owned()),
    ]);
    for query in [
        case.of(Table::Orders, Some(&BY_CUSTOMER), "C"),
        case.days("2026-01-01", "2026-01-05"),
    ] {
        let query = Query {
            start: start.clone(),
            ..query
        };
        assert_eq!(case.pages(&query).await, orders[3..]);
        let before = case.pages(&backwards(query)).await;
        assert_eq!(before, reversed(&orders[..2]));
    }
}

pub(super) async fn a_page_starts_nowhere_else<E: Engine>(case: &Case<'_, E>) {
    case.five_days().await;
    let query = case.days("2026-01-02", "2026-01-04");
    let order = || ("order_id", case.key("O1"));
    let customer = || ("customer_id", case.key("C"));
    let day = |day: &str| ("created_at", day.to_owned());
    for start in [
        place(&[order(), customer(), day("2026-01-05")]),
        place(&[order(), customer(), day("2026-01-01")]),
        place(&[order(), ("customer_id", case.key("D")), day("2026-01-03")]),
        place(&[order(), customer()]),
        place(&[customer(), day("2026-01-03")]),
    ] {
        let query = Query {
            start,
            ..query.clone()
        };
        case.refused(&query).await;
        case.refused(&backwards(query)).await;
    }
}
