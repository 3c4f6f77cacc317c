//! Several writes in one request: transactions, which are done whole and once, and updates each on their own.

use domain::Fault;
use store::engine::Engine;
use store::ops::{
    Change, Condition, TransactError, Value, Verdict, Write, WriteError, number, text,
};
use store::schema::Table;

use super::{Case, absent, malformed, token};

pub(super) async fn hundred_writes_pass_and_one_more_is_refused<E: Engine>(case: &Case<'_, E>) {
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

pub(super) async fn an_item_twice_is_refused<E: Engine>(case: &Case<'_, E>) {
    let add = |name| case.update("S", vec![Change::Add(name, 1.into())], Condition::Always);
    malformed(case.engine.transact(&[add("n"), add("m")], &token()).await);
    assert_eq!(case.get(Table::Products, "S").await, None);
}

pub(super) async fn failing_conditions_cancel_everything<E: Engine>(case: &Case<'_, E>) {
    let there = case
        .put(Table::Products, "there", &[("n", number(1))])
        .await;
    let writes = [
        absent(Table::Orders, &case.item(Table::Orders, "new", &[])),
        case.update(
            "there",
            vec![Change::Add("n", 1.into())],
            Condition::AtLeast("n", 2),
        ),
        case.update("other", vec![Change::Add("n", 1.into())], Condition::Always),
        case.update(
            "missing",
            vec![Change::Add("n", 1.into())],
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

pub(super) async fn a_token_is_done_once<E: Engine>(case: &Case<'_, E>) {
    let writes = [
        case.update("S", vec![Change::Add("n", 1.into())], Condition::Always),
        absent(Table::Orders, &case.item(Table::Orders, "O", &[])),
    ];
    let token = token();
    for _ in 0..3 {
        assert_eq!(case.engine.transact(&writes, &token).await, Ok(()));
    }
    let once = case.item(Table::Products, "S", &[("n", number(1))]);
    assert_eq!(case.get(Table::Products, "S").await, Some(once));
}

pub(super) async fn a_token_for_other_writes_is_corrupt<E: Engine>(case: &Case<'_, E>) {
    let add = |amount: i64| {
        case.update(
            "S",
            vec![Change::Add("n", amount.into())],
            Condition::Always,
        )
    };
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

pub(super) async fn a_cancelled_token_can_be_used_again<E: Engine>(case: &Case<'_, E>) {
    let add = [case.update(
        "S",
        vec![Change::Add("n", 1.into())],
        Condition::AtLeast("n", 1),
    )];
    let token = token();
    let cancelled = Err(TransactError::Cancelled(vec![Verdict::Condition(None)]));
    assert_eq!(case.engine.transact(&add, &token).await, cancelled);
    case.put(Table::Products, "S", &[("n", number(1))]).await;
    assert_eq!(case.engine.transact(&add, &token).await, Ok(()));
    let twice = case.item(Table::Products, "S", &[("n", number(2))]);
    assert_eq!(case.get(Table::Products, "S").await, Some(twice));
}

pub(super) async fn updates_together_are_each_on_their_own<E: Engine>(case: &Case<'_, E>) {
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
        paid("last", Condition::Missing("state")),
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
    let put = Write::Put {
        table: Table::Products,
        item: case.item(Table::Products, "put", &[]),
        condition: Condition::Always,
    };
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

pub(super) async fn a_delete_is_whole_with_its_transaction<E: Engine>(case: &Case<'_, E>) {
    let old = case.put(Table::Products, "old", &[("n", number(1))]).await;
    let new = case.item(Table::Products, "new", &[]);
    let moved = |condition| {
        [
            case.delete(Table::Products, "old", condition),
            absent(Table::Products, &new),
            case.delete(Table::Products, "never", Condition::Always),
        ]
    };
    let refused = moved(Condition::Is("n", number(2)));
    let verdicts = vec![
        Verdict::Condition(Some(old.clone())),
        Verdict::Fine,
        Verdict::Fine,
    ];
    let answer = case.engine.transact(&refused, &token()).await;
    assert_eq!(answer, Err(TransactError::Cancelled(verdicts)));
    assert_eq!(case.get(Table::Products, "old").await, Some(old.clone()));
    assert_eq!(case.get(Table::Products, "new").await, None);
    let (moved, token) = (moved(Condition::Is("n", number(1))), token());
    for _ in 0..2 {
        assert_eq!(case.engine.transact(&moved, &token).await, Ok(()));
        assert_eq!(case.get(Table::Products, "old").await, None);
        assert_eq!(case.get(Table::Products, "new").await, Some(new.clone()));
    }
    let twice = [
        case.delete(Table::Products, "new", Condition::Always),
        absent(Table::Products, &new),
    ];
    malformed(case.engine.transact(&twice, &self::token()).await);
}

pub(super) async fn puts_together_are_each_on_their_own<E: Engine>(case: &Case<'_, E>) {
    let known = case
        .put(Table::Products, "known", &[("name", text("first"))])
        .await;
    let values = [
        ("name", text("it's a \"name\"")),
        ("count", number(5)),
        ("lines", Value::L(vec![text("a"), number(1)])),
    ];
    let item = |id: &str| case.item(Table::Products, id, &values);
    let puts = ["new", "known", "other"].map(|id| absent(Table::Products, &item(id)));
    let answers = case.engine.update_many(&puts).await.expect("answered");
    // What is known is not brought along.
    let expected = vec![Ok(()), Err(WriteError::Condition(None)), Ok(())];
    assert_eq!(answers, expected);
    assert_eq!(case.get(Table::Products, "known").await, Some(known));
    for id in ["new", "other"] {
        assert_eq!(case.get(Table::Products, id).await, Some(item(id)));
    }
    let again = case.engine.update_many(&puts).await.expect("answered");
    assert_eq!(again, vec![Err(WriteError::Condition(None)); 3]);
}

pub(super) async fn deletes_are_not_sent_together<E: Engine>(case: &Case<'_, E>) {
    let item = case.put(Table::Products, "S", &[]).await;
    let delete = case.delete(Table::Products, "S", Condition::Always);
    let refused = case.engine.update_many(&[delete]).await;
    assert!(matches!(refused, Err(Fault::Malformed(_))), "{refused:?}");
    assert_eq!(case.get(Table::Products, "S").await, Some(item));
}
