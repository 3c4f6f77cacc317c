//! Ranges of a sort key, and counts: what is not brought, but has to be the same as what would be.

use domain::Fault;
use store::engine::Engine;
use store::ops::{Condition, Count, Item, Query, text};
use store::schema::{BY_CUSTOMER, Table};

use super::{Case, eventually};

impl<E: Engine> Case<'_, E> {
    /// An order of the customer C on each of the days 1 to 5, whose ids are in another order than the days.
    pub(super) async fn five_days(&self) -> Vec<Item> {
        let mut orders = Vec::new();
        for at in 1..=5 {
            let keys = [
                ("customer_id", text(self.key("C"))),
                ("created_at", text(format!("2026-01-0{at}"))),
            ];
            orders.push(
                self.put(Table::Orders, &format!("O{}", at * 7 % 10), &keys)
                    .await,
            );
        }
        self.index_shows(Table::Orders, &BY_CUSTOMER, "C", &orders)
            .await;
        orders
    }

    pub(super) fn days(&self, from: &str, to: &str) -> Query {
        Query {
            range: Some((from.to_owned(), to.to_owned())),
            ..self.of(Table::Orders, Some(&BY_CUSTOMER), "C")
        }
    }

    /// The sum of all pages of a count, of which none counts more than it may.
    async fn counted(&self, query: &Query) -> u64 {
        let mut query = query.clone();
        let mut sum = 0;
        loop {
            let Count { items, next } = self.engine.count(&query).await.expect("counted");
            assert!(query.limit.is_none_or(|limit| items <= u64::from(limit)));
            sum += items;
            if next.is_none() {
                return sum;
            }
            assert_ne!(next, query.start, "a page leads to itself");
            query.start = next;
        }
    }

    pub(super) async fn refused(&self, query: &Query) {
        let found = self.engine.query(query).await;
        assert!(matches!(found, Err(Fault::Malformed(_))), "{found:?}");
        let counted = self.engine.count(query).await;
        assert!(matches!(counted, Err(Fault::Malformed(_))), "{counted:?}");
    }
}

pub(super) async fn a_range_holds_both_of_its_ends<E: Engine>(case: &Case<'_, E>) {
    let orders = case.five_days().await;
    let check = async |from: &str, to: &str, expected: &[Item]| {
        case.pages_agree(&case.days(from, to), expected).await;
    };
    check("2026-01-02", "2026-01-04", &orders[1..4]).await;
    check("2026-01-03", "2026-01-03", &orders[2..3]).await;
    check("2026-01-02x", "2026-01-04x", &orders[2..4]).await;
    check("2026", "2027", &orders).await;
    check("2027", "2028", &[]).await;
    let elsewhere = Query {
        partition: case.key("nobody"),
        ..case.days("2026", "2027")
    };
    case.pages_agree(&elsewhere, &[]).await;
}

pub(super) async fn a_range_of_a_table<E: Engine>(case: &Case<'_, E>) {
    let mut entries = Vec::new();
    for at in 1..=5 {
        let entry = [("entry_id", text(format!("e{at}")))];
        entries.push(case.put(Table::Journal, "day", &entry).await);
    }
    case.put(Table::Journal, "day2", &[("entry_id", text("e3"))])
        .await;
    let query = Query {
        range: Some(("e2".to_owned(), "e4".to_owned())),
        ..case.of(Table::Journal, None, "day")
    };
    let read = async || case.pages(&query).await;
    eventually("three entries", read, |found| *found == entries[1..4]).await;
    case.pages_agree(&query, &entries[1..4]).await;
    assert_eq!(case.counted(&query).await, 3);
}

pub(super) async fn a_range_without_a_sort_key_is_refused<E: Engine>(case: &Case<'_, E>) {
    case.refused(&Query {
        range: Some(("a".to_owned(), "b".to_owned())),
        ..case.of(Table::Products, None, "S")
    })
    .await;
}

pub(super) async fn a_range_that_is_none_is_refused<E: Engine>(case: &Case<'_, E>) {
    case.five_days().await;
    for (from, to) in [("2026-01-04", "2026-01-02"), ("", "2027"), ("2026", "")] {
        case.refused(&case.days(from, to)).await;
    }
}

pub(super) async fn a_count_is_of_all_pages<E: Engine>(case: &Case<'_, E>) {
    let orders = case.five_days().await;
    let query = case.of(Table::Orders, Some(&BY_CUSTOMER), "C");
    assert_eq!(case.counted(&query).await, 5);
    for limit in 1..=orders.len() as u32 + 1 {
        let query = Query {
            limit: Some(limit),
            ..query.clone()
        };
        assert_eq!(case.counted(&query).await, 5, "pages of {limit}");
        let first = case.engine.query(&query).await.expect("read");
        let count = case.engine.count(&query).await.expect("counted");
        let expected = (first.items.len() as u64, first.next);
        assert_eq!((count.items, count.next), expected, "pages of {limit}");
    }
    let nobody = case.of(Table::Orders, Some(&BY_CUSTOMER), "nobody");
    let none = case.engine.count(&nobody).await;
    assert_eq!(none, Ok(Count::default()));
}

pub(super) async fn a_count_of_a_range<E: Engine>(case: &Case<'_, E>) {
    case.five_days().await;
    let check = async |from: &str, to: &str, expected: u64| {
        assert_eq!(case.counted(&case.days(from, to)).await, expected);
    };
    check("2026-01-02", "2026-01-04", 3).await;
    check("2026-01-03", "2026-01-03", 1).await;
    check("2025", "2026", 0).await;
}

pub(super) async fn what_is_deleted_is_not_counted<E: Engine>(case: &Case<'_, E>) {
    case.five_days().await;
    for id in ["O7", "O1"] {
        let delete = case.delete(Table::Orders, id, Condition::Always);
        assert_eq!(case.engine.write(&delete).await, Ok(()));
    }
    let query = case.of(Table::Orders, Some(&BY_CUSTOMER), "C");
    let count = async || case.counted(&query).await;
    eventually("three orders", count, |count| *count == 3).await;
    assert_eq!(
        case.counted(&case.days("2026-01-01", "2026-01-02")).await,
        1
    );
}
