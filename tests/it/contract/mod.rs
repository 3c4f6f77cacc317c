//! What an engine has to do, as cases that run on each: on `memory` and `disk` here, on `dynamo` wherever a stack is up.
//!
//! Tables may be shared with others, so each case keeps to keys of its own run and assumes no table to be empty.
//! What an index shows may come late: cases wait for it. Knows no engine's inside, and no fault on request.
//! Owns the list of cases and what they share; the cases are in `writes`, `transactions`, `reads`,
//! `ranges` and `directions`. `random` compares engines on operations that nobody thought of.

mod directions;
mod operations;
mod random;
mod ranges;
mod reads;
mod transactions;
mod writes;

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;

use domain::Fault;
use futures::FutureExt;
use store::engine::Engine;
use store::ops::{Change, Condition, Item, Key, Page, Query, TransactError, Value, Write, text};
use store::schema::{Index, Table};

use crate::support::wait::seen as eventually;

macro_rules! cases {
    ($($file:ident: [$($case:ident),+ $(,)?]),+ $(,)?) => {
        /// All cases, one after the other. `run` has to be new each time, and short: it starts every key.
        pub async fn contract<E: Engine>(engine: &E, run: &str) {
            $($({
                let case = Case { engine, run, name: stringify!($case) };
                $file::$case(&case).await;
            })+)+
        }

        mod on_memory {
            use store::memory::MemoryEngine;

            $($(
                #[tokio::test]
                async fn $case() {
                    let engine = MemoryEngine::new().page_size(7);
                    let case = super::Case { engine: &engine, run: "m", name: stringify!($case) };
                    super::$file::$case(&case).await;
                }
            )+)+
        }

        mod on_disk {
            use disk::DiskEngine;

            $($(
                #[tokio::test]
                async fn $case() {
                    let engine = DiskEngine::in_memory().expect("a database");
                    let case = super::Case { engine: &engine, run: "d", name: stringify!($case) };
                    super::differs_as_known(case.name, super::$file::$case(&case)).await;
                }
            )+)+
        }
    };
}

cases![
    writes: [
        put_if_absent_twice,
        every_condition,
        nested_conditions_hold_as_one,
        hundred_operands_pass_and_one_more_is_refused,
        put_replaces_the_whole_item,
        set_add_remove,
        numbers_are_values_not_digits,
        update_creates_what_is_not_there,
        add_to_a_text_is_refused,
        amounts_are_added_exactly,
        delete_takes_the_whole_item_away,
        delete_restates_its_condition,
    ],
    transactions: [
        hundred_writes_pass_and_one_more_is_refused,
        an_item_twice_is_refused,
        failing_conditions_cancel_everything,
        a_token_is_done_once,
        a_token_for_other_writes_is_corrupt,
        a_cancelled_token_can_be_used_again,
        updates_together_are_each_on_their_own,
        puts_together_are_each_on_their_own,
        a_delete_is_whole_with_its_transaction,
        deletes_are_not_sent_together,
    ],
    reads: [
        get_many_answers_in_the_sequence_of_the_keys,
        empty_keys_are_refused,
        an_index_of_keys_only,
        an_index_is_sparse,
        an_index_includes,
        an_index_is_in_the_order_of_its_sort_key,
        an_index_pages_through_ties,
        a_table_pages_in_the_order_of_its_sort_key,
        a_scan_finds_everything,
        a_scan_has_pages_of_any_size,
    ],
    ranges: [
        a_range_holds_both_of_its_ends,
        a_range_of_a_table,
        a_range_without_a_sort_key_is_refused,
        a_range_that_is_none_is_refused,
        a_count_is_of_all_pages,
        a_count_of_a_range,
        what_is_deleted_is_not_counted,
    ],
    directions: [
        an_index_is_read_backwards,
        a_table_is_read_backwards,
        ties_are_read_backwards,
        a_range_is_read_backwards,
        a_page_starts_behind_what_is_gone,
        a_page_starts_nowhere_else,
    ],
];

/// Cases that `dynoxide` 3.2 fails, and what it does there.
const DIFFERENCES_OF_DISK: &[(&str, &str)] = &[(
    "a_range_that_is_none_is_refused",
    "a range began with an empty text",
)];

/// A case holds, or fails as it is known to. One that holds again has to leave the list.
async fn differs_as_known(name: &str, case: impl Future<Output = ()>) {
    let failed = AssertUnwindSafe(case).catch_unwind().await.is_err();
    let known = DIFFERENCES_OF_DISK.iter().find(|(case, _)| *case == name);
    match known {
        None => assert!(!failed, "{name} does not hold on disk"),
        Some((_, what)) => assert!(failed, "{name} holds on disk now, where once {what}"),
    }
}

struct Case<'a, E> {
    engine: &'a E,
    run: &'a str,
    name: &'static str,
}

/// A failing case names itself, whichever of its lines failed.
impl<E> Drop for Case<'_, E> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "the contract does not hold: case {}, run {}",
                self.name, self.run
            );
        }
    }
}

impl<E: Engine> Case<'_, E> {
    fn key(&self, id: &str) -> String {
        format!("{}-{}-{id}", self.run, self.name)
    }

    fn item(&self, table: Table, id: &str, values: &[(&str, Value)]) -> Item {
        let mut item = HashMap::from([(table.partition().to_owned(), text(self.key(id)))]);
        item.extend(
            values
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone())),
        );
        Item::from(item)
    }

    async fn put(&self, table: Table, id: &str, values: &[(&str, Value)]) -> Item {
        let item = self.item(table, id, values);
        let write = Write::Put {
            table,
            item: item.clone(),
            condition: Condition::Always,
        };
        assert_eq!(self.engine.write(&write).await, Ok(()), "put {id}");
        item
    }

    fn update(&self, sku: &str, changes: Vec<Change>, condition: Condition) -> Write {
        Write::Update {
            key: Key::new(Table::Products, &self.key(sku)),
            changes,
            condition,
        }
    }

    fn set(&self, sku: &str, name: &'static str, value: Value, condition: Condition) -> Write {
        self.update(sku, vec![Change::Set(name, value)], condition)
    }

    fn delete(&self, table: Table, id: &str, condition: Condition) -> Write {
        Write::Delete {
            key: Key::new(table, &self.key(id)),
            condition,
        }
    }

    async fn get(&self, table: Table, id: &str) -> Option<Item> {
        self.engine
            .get(&Key::new(table, &self.key(id)))
            .await
            .expect("read")
    }

    fn of(&self, table: Table, index: Option<&'static Index>, id: &str) -> Query {
        Query::of(table, index, self.key(id))
    }

    async fn index_shows(&self, table: Table, index: &'static Index, id: &str, items: &[Item]) {
        let query = self.of(table, Some(index), id);
        eventually(
            index.name,
            async || self.pages(&query).await,
            |found| found == items,
        )
        .await;
    }

    /// Everything a query finds, page by page, of which none is larger than it may be.
    async fn pages(&self, query: &Query) -> Vec<Item> {
        let mut query = query.clone();
        let mut found = Vec::new();
        loop {
            let Page { items, next } = self.engine.query(&query).await.expect("read");
            assert!(
                query
                    .limit
                    .is_none_or(|limit| items.len() <= limit as usize)
            );
            found.extend(items);
            if next.is_none() {
                return found;
            }
            assert_ne!(next, query.start, "a page leads to itself");
            query.start = next;
        }
    }

    async fn pages_agree(&self, query: &Query, expected: &[Item]) {
        for limit in 1..=expected.len() as u32 + 1 {
            let query = Query {
                limit: Some(limit),
                ..query.clone()
            };
            assert_eq!(self.pages(&query).await, expected, "pages of {limit}");
        }
    }
}

fn absent(table: Table, item: &Item) -> Write {
    Write::Put {
        table,
        item: item.clone(),
        condition: Condition::Absent,
    }
}

fn malformed(answer: Result<(), TransactError>) {
    assert!(
        matches!(answer, Err(TransactError::Fault(Fault::Malformed(_)))),
        "{answer:?}"
    );
}

fn token() -> String {
    format!("{:032x}", fastrand::u128(..))
}
