//! Rows whose order id another row took: the same order again is a duplicate, other content is a conflict.

use domain::journal::Entry;
use domain::{Batch, Order, Prices};
use store::conflicts::ListedConflict;
use store::memory::MemoryEngine;
use store::{Engine, Store};

use crate::support::{approving, batch, drift, now, order, saga, settled, stock, tally_and_verify};

/// The case on any engine: `run` starts every id.
pub async fn conflicts_are_listed_by_row<E: Engine>(store: &Store<E>, run: &str) {
    let import_id = format!("{run}-im");
    for row in [30, 4, 1_000] {
        let order = order(row, &format!("{run}-O-{row}"), &[("A", 2)]);
        let entry = Entry::conflict(&import_id, &order, now());
        let append = store::journal::append(&entry).expect("an entry");
        assert_eq!(store.write(&append).await, Ok(Ok(())));
        // As it is read again.
        let stored = store.entry(&entry.partition, &entry.entry_id).await;
        assert_eq!(stored, Ok(Some(Ok(entry))));
    }
    let (mut rows, mut position) = (Vec::new(), None);
    loop {
        let page = store.list_conflicts(&import_id, 2, position.as_ref()).await;
        let page = page.expect("a page");
        rows.extend(page.items.iter().map(|listed| listed.conflict.row));
        position = page.next;
        if position.is_none() {
            break;
        }
    }
    assert_eq!(rows, [4, 30, 1_000]);
    let none = store.list_conflicts("im_nothing", 2, None).await;
    assert_eq!(none.expect("a page").items, Vec::new());
}

#[tokio::test]
async fn conflicts_are_kept_and_listed() {
    conflicts_are_listed_by_row(&Store::new(MemoryEngine::new(), 1), "m").await;
}

async fn conflicts(store: &Store<MemoryEngine>, import_id: &str) -> Vec<ListedConflict> {
    let listed = store.list_conflicts(import_id, 100, None).await;
    listed.expect("a page").items
}

/// Rows of a second file whose order ids the first has taken.
fn repeated(change: impl Fn(&mut Order)) -> Batch {
    let mut order = order(1, "O-1", &[("A", 2), ("B", 1)]);
    change(&mut order);
    batch("im_b", 0, vec![order])
}

#[tokio::test]
async fn other_content_under_a_known_order_id_is_a_conflict() {
    type Change = fn(&mut Order);
    let changes: [(&str, bool, Change); 8] = [
        ("nothing", false, |_| {}),
        ("the sequence of the lines", false, |order| {
            order.lines.reverse()
        }),
        ("the date", false, |order| {
            order.ordered_at = Some("2026-03-01".to_owned())
        }),
        ("the prices are left to the catalog", false, |order| {
            order
                .lines
                .iter_mut()
                .for_each(|line| line.unit_price = 0.into());
            (order.total, order.prices) = (0.into(), Prices::Catalog);
        }),
        ("the customer", true, |order| {
            order.customer_id = "C-9".to_owned()
        }),
        ("the currency", true, |order| {
            order.currency = "EUR".parse().expect("a currency")
        }),
        ("a quantity", true, |order| {
            order.lines[0].quantity = 3;
            order.total += order.lines[0].unit_price;
        }),
        ("the total", true, |order| {
            (order.total, order.adjustment) = (order.total + rust_decimal::Decimal::ONE, 1.into());
        }),
    ];
    for (what, is_conflict, change) in changes {
        let store = Store::new(MemoryEngine::new(), 1);
        stock(&store, &[("A", 100), ("B", 100)]).await;
        let first = batch("im_a", 0, vec![order(1, "O-1", &[("A", 2), ("B", 1)])]);
        let second = repeated(change);
        // Whatever is delivered again, the row counts once.
        for batch in [&first, &second, &first, &second, &second] {
            let settled = saga(&store, &approving("1"), batch).await;
            settled.expect("settled");
        }
        let expected = if is_conflict { (0, 1) } else { (1, 0) };
        let progress = settled(&store, "im_b").await;
        assert_eq!(
            (progress.duplicates, progress.conflicts),
            expected,
            "{what}"
        );
        let listed = conflicts(&store, "im_b").await;
        assert_eq!(listed.len(), usize::from(is_conflict), "{what}");
        for listed in listed {
            assert_eq!(listed.conflict.customer_id, second.orders[0].customer_id);
            assert_eq!(listed.conflict.lines, second.orders[0].lines);
            let existing = listed.existing.expect("the existing order");
            assert_eq!((existing.import_id.as_str(), existing.row), ("im_a", 1));
            assert_eq!(existing.lines, first.orders[0].lines);
        }
        assert!(drift(&tally_and_verify(&store).await).is_empty());
    }
}

#[tokio::test]
async fn rows_of_one_batch_conflict_with_the_first_of_them() {
    let store = Store::new(MemoryEngine::new(), 1);
    stock(&store, &[("A", 3), ("B", 100)]).await;
    let rows = vec![
        order(1, "O-1", &[("A", 2)]),
        order(8, "O-1", &[("A", 2)]),
        order(15, "O-1", &[("A", 3)]),
        // Fails for lack of stock, and is repeated all the same.
        order(3, "O-2", &[("A", 2)]),
        order(10, "O-2", &[("A", 2)]),
        order(17, "O-2", &[("B", 2)]),
    ];
    let batch = batch("im_a", 0, rows);
    for _ in 0..3 {
        let settled = saga(&store, &approving("1"), &batch).await;
        settled.expect("settled");
        let progress = crate::support::settled(&store, "im_a").await;
        let counts = (
            progress.completed,
            progress.failed,
            progress.duplicates,
            progress.conflicts,
        );
        assert_eq!(counts, (1, 1, 2, 2));
    }
    let rows: Vec<u64> = conflicts(&store, "im_a")
        .await
        .iter()
        .map(|listed| listed.conflict.row)
        .collect();
    assert_eq!(rows, [15, 17]);
    assert!(drift(&tally_and_verify(&store).await).is_empty());
}

#[tokio::test]
async fn verify_finds_a_conflict_that_is_none() {
    let store = Store::new(MemoryEngine::new(), 1);
    stock(&store, &[("A", 100)]).await;
    let first = order(1, "O-1", &[("A", 2)]);
    let settled = saga(
        &store,
        &approving("1"),
        &batch("im_a", 0, vec![first.clone()]),
    )
    .await;
    settled.expect("settled");
    let wrong = [
        ("im_a", first.clone()),
        ("im_b", first.clone()),
        ("im_c", order(1, "O-2", &[("A", 2)])),
    ];
    for (import_id, order) in wrong {
        let entry = Entry::conflict(import_id, &order, now());
        let append = store::journal::append(&entry).expect("an entry");
        assert_eq!(store.write(&append).await, Ok(Ok(())));
    }
    let report = tally_and_verify(&store).await;
    let check = report.checks.iter().find(|check| check.name == "conflicts");
    let check = check.expect("a check");
    assert_eq!((check.checked, check.drift.len()), (3, 4), "{check:?}");
}

#[tokio::test]
async fn an_entry_of_a_conflict_cannot_be_read_without_its_conflict() {
    let entry = Entry::conflict("im_a", &order(1, "O-1", &[("A", 1)]), now());
    let store::ops::Write::Put { item, .. } = store::journal::append(&entry).expect("an entry")
    else {
        panic!("an entry is put");
    };
    // A release that knows no conflicts needs this count, so it refuses the entry instead of counting nothing.
    assert!(!item.contains_key("duplicates"));
}
