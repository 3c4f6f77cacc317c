//! What an engine has to do, as cases that run on both: on `memory` here, on `dynamo` wherever a stack is up.
//!
//! Tables may be shared with others, so each case keeps to keys of its own run and assumes no table to be empty.
//! What an index shows may come late: cases wait for it. Knows no engine's inside, and no fault on request.

use std::collections::HashMap;
use std::fmt::Debug;
use std::time::{Duration, Instant};

use domain::Fault;
use store::engine::{Engine, KEYS_PER_REQUEST};
use store::ops::{
    Change, Condition, Item, Key, Page, Query, TransactError, Value, Verdict, Write, WriteError,
    number, text,
};
use store::schema::{BY_CUSTOMER, BY_IMPORT, Index, PENDING_PAYMENT, Table};

/// How long an index may lag behind its table.
const LAG: Duration = Duration::from_secs(20);

macro_rules! cases {
    ($($case:ident),+ $(,)?) => {
        /// All cases, one after the other. `run` has to be new each time, and short: it starts every key.
        pub async fn contract<E: Engine>(engine: &E, run: &str) {
            $({
                let case = Case { engine, run, name: stringify!($case) };
                $case(&case).await;
            })+
        }

        mod on_memory {
            use store::memory::MemoryEngine;

            $(
                #[tokio::test]
                async fn $case() {
                    let engine = MemoryEngine::new().page_size(7);
                    let case = super::Case { engine: &engine, run: "m", name: stringify!($case) };
                    super::$case(&case).await;
                }
            )+
        }
    };
}

cases![
    put_if_absent_twice,
    every_condition,
    put_replaces_the_whole_item,
    set_add_remove,
    numbers_are_values_not_digits,
    update_creates_what_is_not_there,
    add_to_a_text_is_refused,
    hundred_writes_pass_and_one_more_is_refused,
    an_item_twice_is_refused,
    failing_conditions_cancel_everything,
    a_token_is_done_once,
    a_token_for_other_writes_is_corrupt,
    a_cancelled_token_can_be_used_again,
    updates_together_are_each_on_their_own,
    get_many_answers_in_the_sequence_of_the_keys,
    empty_keys_are_refused,
    an_index_of_keys_only,
    an_index_is_sparse,
    an_index_includes,
    an_index_is_in_the_order_of_its_sort_key,
    an_index_pages_through_ties,
    a_table_pages_in_the_order_of_its_sort_key,
    a_scan_finds_everything,
];

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

async fn put_if_absent_twice<E: Engine>(case: &Case<'_, E>) {
    let first = case.item(Table::Products, "S", &[("name", text("first"))]);
    let second = case.item(Table::Products, "S", &[("name", text("second"))]);
    assert_eq!(
        case.engine.write(&absent(Table::Products, &first)).await,
        Ok(())
    );
    let refused = case.engine.write(&absent(Table::Products, &second)).await;
    assert_eq!(refused, Err(WriteError::Condition(Some(first.clone()))));
    assert_eq!(case.get(Table::Products, "S").await, Some(first));
}

async fn every_condition<E: Engine>(case: &Case<'_, E>) {
    let open = || Condition::Is("state", text("OPEN"));
    let shut = || Condition::Is("state", text("SHUT"));
    let any_of = |states: &[&str]| {
        Condition::AnyOf("state", states.iter().map(|state| text(*state)).collect())
    };
    // Each condition, whether it holds on the item below, and whether on nothing.
    let conditions = [
        (Condition::Always, true, true),
        (Condition::Absent, false, true),
        (open(), true, false),
        (shut(), false, false),
        (Condition::Is("count", number(5)), true, false),
        (Condition::Is("count", text("5")), false, false),
        (any_of(&["SHUT", "OPEN"]), true, false),
        (any_of(&["SHUT", "GONE"]), false, false),
        (Condition::AtLeast("count", 5), true, false),
        (Condition::AtLeast("count", 6), false, false),
        (Condition::AtLeast("state", 0), false, false),
        (Condition::AtLeast("other", 0), false, false),
        (Condition::Below("count", 6), true, false),
        (Condition::Below("count", 5), false, false),
        (Condition::Below("other", 5), false, false),
        (Condition::Missing("other"), true, true),
        (Condition::Missing("state"), false, true),
        (
            Condition::All(vec![open(), Condition::AtLeast("count", 5)]),
            true,
            false,
        ),
        (
            Condition::All(vec![open(), Condition::AtLeast("count", 6)]),
            false,
            false,
        ),
        (Condition::All(vec![]), true, true),
        (Condition::Either(vec![shut(), open()]), true, false),
        (
            Condition::Either(vec![shut(), Condition::Below("count", 5)]),
            false,
            false,
        ),
        (
            Condition::Either(vec![Condition::Absent, shut()]),
            false,
            true,
        ),
        (
            Condition::Either(vec![Condition::Always, shut()]),
            true,
            true,
        ),
        (
            Condition::All(vec![
                Condition::Either(vec![shut(), open()]),
                Condition::Either(vec![Condition::Missing("other"), shut()]),
            ]),
            true,
            false,
        ),
    ];
    for (at, (condition, on_item, on_nothing)) in conditions.into_iter().enumerate() {
        let values = [("state", text("OPEN")), ("count", number(5))];
        let (there, missing) = (format!("there{at}"), format!("missing{at}"));
        let item = case.put(Table::Products, &there, &values).await;
        for (id, found, holds) in [(&there, Some(item), on_item), (&missing, None, on_nothing)] {
            let mark = case.set(id, "mark", text("x"), condition.clone());
            let expected = if holds {
                Ok(())
            } else {
                Err(WriteError::Condition(found.clone()))
            };
            let on = if found.is_some() {
                "an item"
            } else {
                "nothing"
            };
            assert_eq!(
                case.engine.write(&mark).await,
                expected,
                "{condition:?} on {on}"
            );
        }
    }
}

async fn put_replaces_the_whole_item<E: Engine>(case: &Case<'_, E>) {
    case.put(
        Table::Products,
        "S",
        &[("name", text("old")), ("old", text("x"))],
    )
    .await;
    let item = case
        .put(Table::Products, "S", &[("name", text("new"))])
        .await;
    assert_eq!(case.get(Table::Products, "S").await, Some(item));
}

async fn set_add_remove<E: Engine>(case: &Case<'_, E>) {
    let before = [
        ("kept", text("k")),
        ("name", text("old")),
        ("gone", text("x")),
        ("n", number(5)),
    ];
    case.put(Table::Products, "S", &before).await;
    let changes = vec![
        Change::Set("name", text("new")),
        Change::Set("lines", Value::L(vec![text("a"), number(1)])),
        Change::Remove("gone"),
        Change::Remove("never"),
        Change::Add("n", -7),
        Change::Add("m", 3),
    ];
    let update = case.update("S", changes, Condition::Always);
    assert_eq!(case.engine.write(&update).await, Ok(()));
    let after = [
        ("kept", text("k")),
        ("name", text("new")),
        ("lines", Value::L(vec![text("a"), number(1)])),
        ("n", number(-2)),
        ("m", number(3)),
    ];
    let after = case.item(Table::Products, "S", &after);
    assert_eq!(case.get(Table::Products, "S").await, Some(after));
}

async fn numbers_are_values_not_digits<E: Engine>(case: &Case<'_, E>) {
    case.put(Table::Products, "S", &[("price", number("1.50"))])
        .await;
    let cheap = Condition::Is("price", number("1.5"));
    assert_eq!(
        case.engine
            .write(&case.set("S", "name", text("Bolt"), cheap))
            .await,
        Ok(())
    );
    let add = case.update(
        "S",
        vec![Change::Add("price", 2)],
        Condition::Below("price", 2),
    );
    assert_eq!(case.engine.write(&add).await, Ok(()));
    let after = [("price", number("3.5")), ("name", text("Bolt"))];
    let after = case.item(Table::Products, "S", &after);
    assert_eq!(case.get(Table::Products, "S").await, Some(after));
}

async fn update_creates_what_is_not_there<E: Engine>(case: &Case<'_, E>) {
    let add = case.update("S", vec![Change::Add("n", 1)], Condition::Absent);
    assert_eq!(case.engine.write(&add).await, Ok(()));
    let created = case.item(Table::Products, "S", &[("n", number(1))]);
    assert_eq!(case.get(Table::Products, "S").await, Some(created));
    let key = Key::sorted(Table::Journal, &case.key("day"), &case.key("entry"));
    let changes = vec![Change::Set("note", text("x"))];
    let update = Write::Update {
        key: key.clone(),
        changes,
        condition: Condition::Always,
    };
    assert_eq!(case.engine.write(&update).await, Ok(()));
    let found = case.engine.get(&key).await.expect("read").expect("created");
    let entry = ("entry_id", text(case.key("entry")));
    assert_eq!(
        found,
        case.item(Table::Journal, "day", &[entry, ("note", text("x"))])
    );
}

async fn add_to_a_text_is_refused<E: Engine>(case: &Case<'_, E>) {
    let item = case
        .put(Table::Products, "S", &[("name", text("Bolt"))])
        .await;
    let add = case.update("S", vec![Change::Add("name", 1)], Condition::Always);
    let alone = case.engine.write(&add).await;
    assert!(
        matches!(alone, Err(WriteError::Fault(Fault::Malformed(_)))),
        "{alone:?}"
    );
    malformed(case.engine.transact(&[add], &token()).await);
    assert_eq!(case.get(Table::Products, "S").await, Some(item));
}

async fn hundred_writes_pass_and_one_more_is_refused<E: Engine>(case: &Case<'_, E>) {
    let puts = |prefix: &str, count: usize| -> Vec<Write> {
        let item = |at| case.item(Table::Products, &format!("{prefix}{at}"), &[]);
        (0..count)
            .map(|at| absent(Table::Products, &item(at)))
            .collect()
    };
    assert_eq!(
        case.engine.transact(&puts("a", 100), &token()).await,
        Ok(())
    );
    assert!(case.get(Table::Products, "a0").await.is_some());
    assert!(case.get(Table::Products, "a99").await.is_some());
    malformed(case.engine.transact(&puts("b", 101), &token()).await);
    assert_eq!(case.get(Table::Products, "b0").await, None);
}

async fn an_item_twice_is_refused<E: Engine>(case: &Case<'_, E>) {
    let add = |name| case.update("S", vec![Change::Add(name, 1)], Condition::Always);
    malformed(case.engine.transact(&[add("n"), add("m")], &token()).await);
    assert_eq!(case.get(Table::Products, "S").await, None);
}

async fn failing_conditions_cancel_everything<E: Engine>(case: &Case<'_, E>) {
    let there = case
        .put(Table::Products, "there", &[("n", number(1))])
        .await;
    let writes = [
        absent(Table::Orders, &case.item(Table::Orders, "new", &[])),
        case.update(
            "there",
            vec![Change::Add("n", 1)],
            Condition::AtLeast("n", 2),
        ),
        case.update("other", vec![Change::Add("n", 1)], Condition::Always),
        case.update(
            "missing",
            vec![Change::Add("n", 1)],
            Condition::AtLeast("n", 1),
        ),
        absent(Table::Products, &case.item(Table::Products, "there2", &[])),
    ];
    let verdicts = vec![
        Verdict::Fine,
        Verdict::Condition(Some(there.clone())),
        Verdict::Fine,
        Verdict::Condition(None),
        Verdict::Fine,
    ];
    let answer = case.engine.transact(&writes, &token()).await;
    assert_eq!(answer, Err(TransactError::Cancelled(verdicts)));
    assert_eq!(case.get(Table::Products, "there").await, Some(there));
    assert_eq!(case.get(Table::Orders, "new").await, None);
    for id in ["other", "missing", "there2"] {
        assert_eq!(case.get(Table::Products, id).await, None, "{id}");
    }
}

async fn a_token_is_done_once<E: Engine>(case: &Case<'_, E>) {
    let writes = [
        case.update("S", vec![Change::Add("n", 1)], Condition::Always),
        absent(Table::Orders, &case.item(Table::Orders, "O", &[])),
    ];
    let token = token();
    for _ in 0..3 {
        assert_eq!(case.engine.transact(&writes, &token).await, Ok(()));
    }
    let once = case.item(Table::Products, "S", &[("n", number(1))]);
    assert_eq!(case.get(Table::Products, "S").await, Some(once));
}

async fn a_token_for_other_writes_is_corrupt<E: Engine>(case: &Case<'_, E>) {
    let add = |amount| case.update("S", vec![Change::Add("n", amount)], Condition::Always);
    let token = token();
    assert_eq!(case.engine.transact(&[add(1)], &token).await, Ok(()));
    let other = case.engine.transact(&[add(2)], &token).await;
    assert!(
        matches!(other, Err(TransactError::Fault(Fault::Corrupt(_)))),
        "{other:?}"
    );
    let once = case.item(Table::Products, "S", &[("n", number(1))]);
    assert_eq!(case.get(Table::Products, "S").await, Some(once));
}

async fn a_cancelled_token_can_be_used_again<E: Engine>(case: &Case<'_, E>) {
    let add = [case.update("S", vec![Change::Add("n", 1)], Condition::AtLeast("n", 1))];
    let token = token();
    let cancelled = Err(TransactError::Cancelled(vec![Verdict::Condition(None)]));
    assert_eq!(case.engine.transact(&add, &token).await, cancelled);
    case.put(Table::Products, "S", &[("n", number(1))]).await;
    assert_eq!(case.engine.transact(&add, &token).await, Ok(()));
    let twice = case.item(Table::Products, "S", &[("n", number(2))]);
    assert_eq!(case.get(Table::Products, "S").await, Some(twice));
}

async fn updates_together_are_each_on_their_own<E: Engine>(case: &Case<'_, E>) {
    let pending = case
        .put(Table::Products, "pending", &[("state", text("OPEN"))])
        .await;
    case.put(
        Table::Products,
        "open",
        &[("state", text("OPEN")), ("gone", text("x"))],
    )
    .await;
    case.put(Table::Products, "last", &[]).await;
    let paid = |id: &str, condition| {
        let changes = vec![Change::Set("state", text("PAID")), Change::Remove("gone")];
        case.update(id, changes, condition)
    };
    let open = || Condition::Is("state", text("OPEN"));
    let updates = [
        paid("missing", Condition::Always),
        paid(
            "open",
            Condition::All(vec![open(), Condition::Missing("other")]),
        ),
        paid(
            "pending",
            Condition::AnyOf("state", vec![text("SHUT"), text("PAID")]),
        ),
        paid(
            "last",
            Condition::Either(vec![open(), Condition::Missing("state")]),
        ),
    ];
    let answers = case.engine.update_many(&updates).await.expect("answered");
    let expected = vec![
        Err(WriteError::Condition(None)),
        Ok(()),
        Err(WriteError::Condition(Some(pending.clone()))),
        Ok(()),
    ];
    assert_eq!(answers, expected);
    assert_eq!(case.get(Table::Products, "missing").await, None);
    assert_eq!(case.get(Table::Products, "pending").await, Some(pending));
    for id in ["open", "last"] {
        let item = case.item(Table::Products, id, &[("state", text("PAID"))]);
        assert_eq!(case.get(Table::Products, id).await, Some(item));
    }
    let put = absent(Table::Products, &case.item(Table::Products, "put", &[]));
    let refused = case.engine.update_many(&[put]).await;
    assert!(matches!(refused, Err(Fault::Malformed(_))), "{refused:?}");
    let many: Vec<Write> = (0..26).map(|at| paid(&format!("m{at}"), open())).collect();
    let refused = case.engine.update_many(&many).await;
    assert!(matches!(refused, Err(Fault::Malformed(_))), "{refused:?}");
    let answers = case
        .engine
        .update_many(&many[..25])
        .await
        .expect("answered");
    assert_eq!(answers, vec![Err(WriteError::Condition(None)); 25]);
}

async fn get_many_answers_in_the_sequence_of_the_keys<E: Engine>(case: &Case<'_, E>) {
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

async fn empty_keys_are_refused<E: Engine>(case: &Case<'_, E>) {
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

async fn an_index_of_keys_only<E: Engine>(case: &Case<'_, E>) {
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

async fn an_index_is_sparse<E: Engine>(case: &Case<'_, E>) {
    let shard = ("pending_shard", text(case.key("P")));
    let until = ("pending_until", text("2026-01-01"));
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
    change(vec![Change::Remove("pending_until")]).await;
    case.index_shows(Table::Orders, &PENDING_PAYMENT, "P", &[])
        .await;
    change(vec![Change::Set("pending_until", text("2026-01-01"))]).await;
    case.index_shows(Table::Orders, &PENDING_PAYMENT, "P", &waiting)
        .await;
}

async fn an_index_includes<E: Engine>(case: &Case<'_, E>) {
    let shown = [
        ("entry_id", text(case.key("entry"))),
        ("import_id", text(case.key("I"))),
        ("completed", number(3)),
        ("failed", number(1)),
    ];
    let mut values = shown.to_vec();
    values.push(("changes", text("much")));
    case.put(Table::Journal, "day", &values).await;
    let expected = vec![case.item(Table::Journal, "day", &shown)];
    case.index_shows(Table::Journal, &BY_IMPORT, "I", &expected)
        .await;
}

async fn an_index_is_in_the_order_of_its_sort_key<E: Engine>(case: &Case<'_, E>) {
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

async fn an_index_pages_through_ties<E: Engine>(case: &Case<'_, E>) {
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

async fn a_table_pages_in_the_order_of_its_sort_key<E: Engine>(case: &Case<'_, E>) {
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

async fn a_scan_finds_everything<E: Engine>(case: &Case<'_, E>) {
    for at in 0..20 {
        case.put(Table::Imports, &format!("I{at}"), &[]).await;
    }
    let mut start = None;
    let mut found = Vec::new();
    loop {
        let page = case.engine.scan(Table::Imports, start).await.expect("read");
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

    async fn get(&self, table: Table, id: &str) -> Option<Item> {
        self.engine
            .get(&Key::new(table, &self.key(id)))
            .await
            .expect("read")
    }

    fn of(&self, table: Table, index: Option<&'static Index>, id: &str) -> Query {
        Query {
            table,
            index,
            partition: self.key(id),
            limit: None,
            start: None,
        }
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

/// Reads until it is as it should be, which an index need not be at once.
async fn eventually<T: Debug>(
    what: &str,
    read: impl AsyncFn() -> T,
    is_so: impl Fn(&T) -> bool,
) -> T {
    let deadline = Instant::now() + LAG;
    loop {
        let seen = read().await;
        if is_so(&seen) {
            return seen;
        }
        assert!(
            Instant::now() < deadline,
            "{what}: after {LAG:?} still {seen:?}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
