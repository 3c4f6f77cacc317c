//! What is read back: many keys at once, indexes, pages and scans.

use std::collections::HashMap;

use domain::Fault;
use store::engine::{Engine, KEYS_PER_REQUEST};
use store::ops::{Change, Condition, Item, Key, Write, WriteError, number, text};
use store::schema::{BOARD, BY_CUSTOMER, PENDING_PAYMENT, Table};

use super::{Case, absent, eventually};

pub(super) async fn get_many_answers_in_the_sequence_of_the_keys<E: Engine>(case: &Case<'_, E>) {
    for at in (0..KEYS_PER_REQUEST).step_by(3) {
        case.put(Table::Products, &format!("{at}"), &[]).await;
    }
    let ids: Vec<String> = (0..KEYS_PER_REQUEST)
        .rev()
        .map(|at| format!("{at}"))
        .collect();
    let keys: Vec<Key> = ids
        .iter()
        .map(|id| Key::new(Table::Products, &case.key(id)))
        .collect();
    let expected: Vec<Option<Item>> = (0..KEYS_PER_REQUEST)
        .rev()
        .map(|at| (at % 3 == 0).then(|| case.item(Table::Products, &format!("{at}"), &[])))
        .collect();
    let read = async || case.engine.get_many(&keys).await.expect("read");
    eventually("all that were put", read, |items| *items == expected).await;
    let twice = case
        .engine
        .get_many(&[keys[0].clone(), keys[0].clone()])
        .await;
    assert!(matches!(twice, Err(Fault::Malformed(_))), "{twice:?}");
    let mut more = keys;
    more.push(Key::new(Table::Products, &case.key("more")));
    let refused = case.engine.get_many(&more).await;
    assert!(matches!(refused, Err(Fault::Malformed(_))), "{refused:?}");
}

pub(super) async fn empty_keys_are_refused<E: Engine>(case: &Case<'_, E>) {
    let key = Key::new(Table::Products, "");
    let read = case.engine.get(&key).await;
    assert!(matches!(read, Err(Fault::Malformed(_))), "{read:?}");
    let item = Item::from(HashMap::from([("sku".to_owned(), text(""))]));
    let written = case.engine.write(&absent(Table::Products, &item)).await;
    assert!(
        matches!(written, Err(WriteError::Fault(Fault::Malformed(_)))),
        "{written:?}"
    );
}

pub(super) async fn an_index_of_keys_only<E: Engine>(case: &Case<'_, E>) {
    let keys = [
        ("customer_id", text(case.key("C"))),
        ("created_at", text("2026-01-01")),
    ];
    let mut values = keys.to_vec();
    values.push(("total", number(5)));
    case.put(Table::Orders, "O", &values).await;
    let expected = vec![case.item(Table::Orders, "O", &keys)];
    case.index_shows(Table::Orders, &BY_CUSTOMER, "C", &expected)
        .await;
}

pub(super) async fn an_index_is_sparse<E: Engine>(case: &Case<'_, E>) {
    let shard = ("pending_shard", text(case.key("P")));
    let until = ("pending_check", text("2026-01-01"));
    case.put(Table::Orders, "half", std::slice::from_ref(&shard))
        .await;
    case.put(Table::Orders, "O", &[shard.clone(), until.clone()])
        .await;
    let waiting = vec![case.item(Table::Orders, "O", &[shard, until])];
    case.index_shows(Table::Orders, &PENDING_PAYMENT, "P", &waiting)
        .await;
    let key = Key::new(Table::Orders, &case.key("O"));
    let change = async |changes| {
        let write = Write::Update {
            key: key.clone(),
            changes,
            condition: Condition::Always,
        };
        assert_eq!(case.engine.write(&write).await, Ok(()));
    };
    change(vec![Change::Remove("pending_check")]).await;
    case.index_shows(Table::Orders, &PENDING_PAYMENT, "P", &[])
        .await;
    change(vec![Change::Set("pending_check", text("2026-01-01"))]).await;
    case.index_shows(Table::Orders, &PENDING_PAYMENT, "P", &waiting)
        .await;
}

pub(super) async fn an_index_includes<E: Engine>(case: &Case<'_, E>) {
    let shown = [
        ("sk", text(case.key("USD"))),
        ("board", text(case.key("B"))),
        ("place", text("7")),
        ("orders", number(3)),
        ("units", number(1)),
    ];
    let mut values = shown.to_vec();
    values.push(("amount", text("much")));
    case.put(Table::Tallies, "customer", &values).await;
    let expected = vec![case.item(Table::Tallies, "customer", &shown)];
    case.index_shows(Table::Tallies, &BOARD, "B", &expected)
        .await;
}

pub(super) async fn an_index_is_in_the_order_of_its_sort_key<E: Engine>(case: &Case<'_, E>) {
    let order = |at: usize| {
        let created_at = ("created_at", text(format!("2026-01-0{at}")));
        (
            format!("O{}", at * 7 % 10),
            [("customer_id", text(case.key("C"))), created_at],
        )
    };
    for at in [3, 1, 4, 2, 5] {
        let (id, values) = order(at);
        case.put(Table::Orders, &id, &values).await;
    }
    let in_order = (1..=5).map(order);
    let expected: Vec<Item> = in_order
        .map(|(id, values)| case.item(Table::Orders, &id, &values))
        .collect();
    case.index_shows(Table::Orders, &BY_CUSTOMER, "C", &expected)
        .await;
    case.pages_agree(&case.of(Table::Orders, Some(&BY_CUSTOMER), "C"), &expected)
        .await;
}

pub(super) async fn an_index_pages_through_ties<E: Engine>(case: &Case<'_, E>) {
    let keys = [
        ("customer_id", text(case.key("C"))),
        ("created_at", text("2026-01-01")),
    ];
    for at in 0..5 {
        case.put(Table::Orders, &format!("O{at}"), &keys).await;
    }
    let query = case.of(Table::Orders, Some(&BY_CUSTOMER), "C");
    let read = async || case.pages(&query).await;
    let found = eventually("five orders", read, |found| found.len() == 5).await;
    // Among equals the order is the engine's own, but the same on pages of every size.
    case.pages_agree(&query, &found).await;
    for at in 0..5 {
        assert!(found.contains(&case.item(Table::Orders, &format!("O{at}"), &keys)));
    }
}

pub(super) async fn a_table_pages_in_the_order_of_its_sort_key<E: Engine>(case: &Case<'_, E>) {
    let entry = |at: usize| [("entry_id", text(case.key(&format!("e{at}"))))];
    for at in [3, 1, 4, 2, 5] {
        case.put(Table::Journal, "day", &entry(at)).await;
    }
    let expected: Vec<Item> = (1..=5)
        .map(|at| case.item(Table::Journal, "day", &entry(at)))
        .collect();
    let query = case.of(Table::Journal, None, "day");
    eventually(
        "five entries",
        async || case.pages(&query).await,
        |found| *found == expected,
    )
    .await;
    case.pages_agree(&query, &expected).await;
}

pub(super) async fn a_scan_finds_everything<E: Engine>(case: &Case<'_, E>) {
    for at in 0..20 {
        case.put(Table::Imports, &format!("I{at}"), &[]).await;
    }
    let mut start = None;
    let mut found = Vec::new();
    loop {
        let page = case
            .engine
            .scan(Table::Imports, start, None)
            .await
            .expect("read");
        found.extend(page.items);
        match page.next {
            None => break,
            next => start = next,
        }
    }
    for at in 0..20 {
        let item = case.item(Table::Imports, &format!("I{at}"), &[]);
        assert_eq!(
            found.iter().filter(|found| **found == item).count(),
            1,
            "I{at}"
        );
    }
}

pub(super) async fn a_scan_has_pages_of_any_size<E: Engine>(case: &Case<'_, E>) {
    for at in 0..5 {
        case.put(Table::Catalogs, &format!("I{at}"), &[("part", text("p"))])
            .await;
    }
    for limit in [1, 2, 3, 1_000] {
        let mut start = None;
        let mut found = Vec::new();
        loop {
            let page = case.engine.scan(Table::Catalogs, start, Some(limit)).await;
            let page = page.expect("read");
            assert!(page.items.len() <= limit as usize);
            found.extend(page.items);
            match page.next {
                None => break,
                next => start = next,
            }
        }
        for at in 0..5 {
            let item = case.item(Table::Catalogs, &format!("I{at}"), &[("part", text("p"))]);
            let times = found.iter().filter(|found| **found == item).count();
            assert_eq!(times, 1, "I{at} on pages of {limit}");
        }
    }
    let nothing = case.engine.scan(Table::Catalogs, None, Some(0)).await;
    assert!(matches!(nothing, Err(Fault::Malformed(_))), "{nothing:?}");
}
