//! One write at a time: what its condition lets pass, and what it makes of an item.

use domain::Fault;
use rust_decimal::Decimal;
use store::engine::Engine;
use store::ops::{Change, Condition, Key, Value, Write, WriteError, number, text};
use store::schema::{BY_CUSTOMER, Table};

use super::{Case, absent, malformed, token};

pub(super) async fn put_if_absent_twice<E: Engine>(case: &Case<'_, E>) {
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

pub(super) async fn every_condition<E: Engine>(case: &Case<'_, E>) {
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

/// Two pairs of parentheses around one expression would be refused.
pub(super) async fn nested_conditions_hold_as_one<E: Engine>(case: &Case<'_, E>) {
    let all = Condition::All;
    let open = || Condition::Is("state", text("OPEN"));
    let five = || Condition::AtLeast("count", 5);
    let item = [("state", text("OPEN")), ("count", number(5))];
    for (at, condition) in [
        all(vec![all(vec![open(), five()])]),
        all(vec![all(vec![all(vec![open()])])]),
        all(vec![Condition::Always, all(vec![open(), five()])]),
        all(vec![all(vec![]), all(vec![all(vec![])])]),
        all(vec![all(vec![open(), all(vec![five(), open()])]), five()]),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("S{at}");
        case.put(Table::Products, &id, &item).await;
        let mark = case.set(&id, "mark", text("x"), condition.clone());
        assert_eq!(case.engine.write(&mark).await, Ok(()), "{condition:?}");
        let again = case.engine.update_many(std::slice::from_ref(&mark)).await;
        assert_eq!(again, Ok(vec![Ok(())]), "{condition:?}");
        let done = case.engine.transact(&[mark], &token()).await;
        assert_eq!(done, Ok(()), "{condition:?}");
    }
}

pub(super) async fn hundred_operands_pass_and_one_more_is_refused<E: Engine>(case: &Case<'_, E>) {
    let any_of = |count: u32| Condition::AnyOf("n", (0..count).map(number).collect());
    case.put(Table::Products, "S", &[("n", number(7))]).await;
    let mark = |id, count| case.set(id, "mark", text("x"), any_of(count));
    assert_eq!(case.engine.write(&mark("S", 100)).await, Ok(()));
    for id in ["S", "missing"] {
        let alone = case.engine.write(&mark(id, 101)).await;
        assert!(
            matches!(alone, Err(WriteError::Fault(Fault::Malformed(_)))),
            "{alone:?}"
        );
        malformed(case.engine.transact(&[mark(id, 101)], &token()).await);
    }
}

pub(super) async fn put_replaces_the_whole_item<E: Engine>(case: &Case<'_, E>) {
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

pub(super) async fn set_add_remove<E: Engine>(case: &Case<'_, E>) {
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
        Change::Add("n", (-7).into()),
        Change::Add("m", 3.into()),
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

pub(super) async fn numbers_are_values_not_digits<E: Engine>(case: &Case<'_, E>) {
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
        vec![Change::Add("price", 2.into())],
        Condition::Below("price", 2),
    );
    assert_eq!(case.engine.write(&add).await, Ok(()));
    let after = [("price", number("3.5")), ("name", text("Bolt"))];
    let after = case.item(Table::Products, "S", &after);
    assert_eq!(case.get(Table::Products, "S").await, Some(after));
}

pub(super) async fn update_creates_what_is_not_there<E: Engine>(case: &Case<'_, E>) {
    let add = case.update("S", vec![Change::Add("n", 1.into())], Condition::Absent);
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

pub(super) async fn add_to_a_text_is_refused<E: Engine>(case: &Case<'_, E>) {
    let item = case
        .put(Table::Products, "S", &[("name", text("Bolt"))])
        .await;
    let add = case.update("S", vec![Change::Add("name", 1.into())], Condition::Always);
    let alone = case.engine.write(&add).await;
    assert!(
        matches!(alone, Err(WriteError::Fault(Fault::Malformed(_)))),
        "{alone:?}"
    );
    malformed(case.engine.transact(&[add], &token()).await);
    assert_eq!(case.get(Table::Products, "S").await, Some(item));
}

/// In floats, three tenths are more than one tenth three times.
pub(super) async fn amounts_are_added_exactly<E: Engine>(case: &Case<'_, E>) {
    let amount = |digits: &str| digits.parse::<Decimal>().expect("an amount");
    let add = async |digits: &str| {
        let add = vec![Change::Add("paid", amount(digits))];
        let add = case.update("S", add, Condition::Always);
        assert_eq!(case.engine.write(&add).await, Ok(()), "{digits}");
    };
    let paid = async |digits: &str| {
        let paid = case.item(Table::Products, "S", &[("paid", number(digits))]);
        assert_eq!(case.get(Table::Products, "S").await, Some(paid));
    };
    for _ in 0..3 {
        add("0.1").await;
    }
    paid("0.3").await;
    add("-1.35").await;
    paid("-1.05").await;
    add("12345678901234567.06").await;
    paid("12345678901234566.01").await;
    add("-0.01").await;
    paid("12345678901234566").await;
    add("-12345678901234566.5").await;
    add("0.50").await;
    let nothing = Condition::Is("paid", number(0));
    let checked = case.set("S", "checked", text("x"), nothing);
    assert_eq!(case.engine.write(&checked).await, Ok(()));
}

pub(super) async fn delete_takes_the_whole_item_away<E: Engine>(case: &Case<'_, E>) {
    let keys = [
        ("customer_id", text(case.key("C"))),
        ("created_at", text("2026-01-01")),
    ];
    let order = case.put(Table::Orders, "O", &keys).await;
    case.index_shows(Table::Orders, &BY_CUSTOMER, "C", &[order])
        .await;
    let delete = case.delete(Table::Orders, "O", Condition::Always);
    for _ in 0..2 {
        assert_eq!(case.engine.write(&delete).await, Ok(()));
        assert_eq!(case.get(Table::Orders, "O").await, None);
    }
    case.index_shows(Table::Orders, &BY_CUSTOMER, "C", &[])
        .await;
    let again = case.item(Table::Orders, "O", &[]);
    assert_eq!(
        case.engine.write(&absent(Table::Orders, &again)).await,
        Ok(())
    );
    assert_eq!(case.get(Table::Orders, "O").await, Some(again));
}

pub(super) async fn delete_restates_its_condition<E: Engine>(case: &Case<'_, E>) {
    let open = || Condition::Is("state", text("OPEN"));
    let shut = case
        .put(Table::Products, "S", &[("state", text("SHUT"))])
        .await;
    let delete = case.delete(Table::Products, "S", open());
    let refused = case.engine.write(&delete).await;
    assert_eq!(refused, Err(WriteError::Condition(Some(shut.clone()))));
    assert_eq!(case.get(Table::Products, "S").await, Some(shut));
    let missing = case.delete(Table::Products, "missing", open());
    let refused = case.engine.write(&missing).await;
    assert_eq!(refused, Err(WriteError::Condition(None)));
    let shut = Condition::Is("state", text("SHUT"));
    let delete = case.delete(Table::Products, "S", shut);
    assert_eq!(case.engine.write(&delete).await, Ok(()));
    assert_eq!(case.get(Table::Products, "S").await, None);
}
