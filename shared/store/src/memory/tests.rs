//! What only this engine can show: faults on request, limits that the service would take too long to reach.
//! The rest is in the contract suite, which runs on both engines.

mod reads;

use std::collections::HashMap;

use super::*;
use crate::ops::{Change, Condition, TransactError, Value, Verdict, number, text};
use crate::schema::{BY_CUSTOMER, PENDING_PAYMENT};

fn item(table: Table, key: &str, values: &[(&str, Value)]) -> Item {
    let mut item = HashMap::from([(table.partition().to_owned(), text(key))]);
    item.extend(
        values
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone())),
    );
    Item::from(item)
}

fn put(table: Table, key: &str, values: &[(&str, Value)]) -> Write {
    Write::Put {
        table,
        item: item(table, key, values),
        condition: Condition::Always,
    }
}

fn sell(sku: &str) -> Write {
    let changes = vec![
        Change::Add("sold", 1.into()),
        Change::Add("available", (-1).into()),
    ];
    Write::Update {
        key: Key::new(Table::Products, sku),
        changes,
        condition: Condition::Always,
    }
}

fn count(item: &Item, name: &str) -> i64 {
    match item.get(name) {
        Some(Value::N(digits)) => digits.parse().expect("a count"),
        _ => 0,
    }
}

const ROUGH: Faults = Faults {
    conflict: 200,
    throttle: 200,
    lost_answer: 200,
    stale: 200,
};

/// A thousand transactions over five products, each tried until it is answered, and every answer on the way.
async fn rough_run(seed: u64) -> (Vec<Item>, Injected, Vec<TransactError>) {
    let engine = MemoryEngine::with_faults(seed, ROUGH);
    let mut random = fastrand::Rng::with_seed(seed);
    let mut errors = Vec::new();
    for round in 0..1000 {
        let skus = random.choose_multiple(0..5, 3);
        let writes: Vec<Write> = skus.iter().map(|sku| sell(&format!("S-{sku}"))).collect();
        while let Err(error) = engine.transact(&writes, &round.to_string()).await {
            errors.push(error);
        }
    }
    (engine.items(Table::Products), engine.injected(), errors)
}

#[tokio::test]
async fn the_same_seed_meets_the_same_faults() {
    assert_eq!(rough_run(7).await, rough_run(7).await);
    assert_ne!(rough_run(7).await.2, rough_run(8).await.2);
}

#[tokio::test]
async fn retried_under_its_token_a_transaction_is_done_once_and_whole() {
    for seed in 0..10 {
        let (products, injected, errors) = rough_run(seed).await;
        let sold: i64 = products.iter().map(|item| count(item, "sold")).sum();
        assert_eq!(sold, 3000, "seed {seed}");
        for product in &products {
            assert_eq!(
                count(product, "sold") + count(product, "available"),
                0,
                "seed {seed}"
            );
        }
        let lost = errors
            .iter()
            .filter(|error| matches!(error, TransactError::Fault(_)))
            .count();
        assert_eq!(lost as u64, injected.lost_answers);
        assert_eq!(
            errors.len() as u64,
            lost as u64 + injected.conflicts + injected.throttles
        );
    }
}

#[tokio::test]
async fn a_conflict_cancels_everything_and_names_an_item() {
    let engine = MemoryEngine::with_faults(
        1,
        Faults {
            conflict: 1000,
            ..Faults::default()
        },
    );
    let there = item(Table::Products, "S-1", &[]);
    engine.overwrite(Table::Products, &there).expect("valid");
    let absent = Write::Put {
        table: Table::Products,
        item: there.clone(),
        condition: Condition::Absent,
    };
    for round in 0..100 {
        let writes = [sell("S-2"), absent.clone(), sell("S-3")];
        let answer = engine.transact(&writes, &round.to_string()).await;
        let Err(TransactError::Cancelled(verdicts)) = answer else {
            panic!("{answer:?}")
        };
        assert_eq!(verdicts.len(), 3);
        assert!(verdicts.contains(&Verdict::Conflict));
        let expected = [Verdict::Conflict, Verdict::Condition(Some(there.clone()))];
        assert!(
            expected.contains(&verdicts[1]),
            "a conflict may hide a failed condition"
        );
    }
    assert_eq!(engine.items(Table::Products), vec![there]);
    assert_eq!(engine.injected().conflicts, 100);
    let alone = engine.write(&sell("S-2")).await;
    assert!(matches!(alone, Err(WriteError::Fault(Fault::Transient(_)))));
}

#[tokio::test]
async fn a_lost_answer_is_a_write_that_was_done() {
    let engine = MemoryEngine::with_faults(
        1,
        Faults {
            lost_answer: 1000,
            ..Faults::default()
        },
    );
    let answer = engine.write(&sell("S-1")).await;
    assert!(matches!(
        answer,
        Err(WriteError::Fault(Fault::Transient(_)))
    ));
    let set = Write::Update {
        key: Key::new(Table::Products, "S-1"),
        changes: vec![Change::Set("name", text("Bolt"))],
        condition: Condition::Always,
    };
    assert!(matches!(
        engine.update_many(&[set]).await,
        Err(Fault::Transient(_))
    ));
    let sold = [
        ("sold", number(1)),
        ("available", number(-1)),
        ("name", text("Bolt")),
    ];
    assert_eq!(
        engine.items(Table::Products),
        vec![item(Table::Products, "S-1", &sold)]
    );
    assert_eq!(engine.injected().lost_answers, 2);
}

#[tokio::test]
async fn of_updates_sent_together_some_may_be_throttled() {
    let engine = MemoryEngine::new();
    let set = |at: usize| Write::Update {
        key: Key::new(Table::Products, &format!("S-{at}")),
        changes: vec![Change::Set("name", text("Bolt"))],
        condition: Condition::Missing("name"),
    };
    for at in 0..25 {
        engine
            .overwrite(
                Table::Products,
                &item(Table::Products, &format!("S-{at}"), &[]),
            )
            .expect("valid");
    }
    engine.set_faults(Faults {
        throttle: 300,
        ..Faults::default()
    });
    let mut open: Vec<usize> = (0..25).collect();
    let mut partial = 0;
    while !open.is_empty() {
        let request: Vec<Write> = open.iter().map(|at| set(*at)).collect();
        let Ok(answers) = engine.update_many(&request).await else {
            continue;
        };
        let before = open.len();
        let mut answers = answers.iter();
        // Each succeeds once: were a throttled one written, its condition would fail on the retry.
        open.retain(|_| match answers.next() {
            Some(Ok(())) => false,
            Some(Err(WriteError::Fault(Fault::Transient(_)))) => true,
            other => panic!("{other:?}"),
        });
        partial += usize::from(!open.is_empty() && open.len() < before);
    }
    assert!(partial > 0);
}

#[tokio::test]
async fn a_stale_read_sees_the_item_before_its_last_write() {
    let engine = MemoryEngine::with_faults(
        1,
        Faults {
            stale: 1000,
            ..Faults::default()
        },
    );
    let key = Key::new(Table::Products, "S-1");
    engine.write(&sell("S-1")).await.expect("written");
    assert_eq!(
        engine.get_many(std::slice::from_ref(&key)).await,
        Ok(vec![None])
    );
    engine.write(&sell("S-1")).await.expect("written");
    let seen = engine
        .get_many(std::slice::from_ref(&key))
        .await
        .expect("read");
    assert_eq!(count(seen[0].as_ref().expect("there"), "sold"), 1);
    let now = engine.get(&key).await.expect("read").expect("there");
    assert_eq!(count(&now, "sold"), 2, "a consistent read is never stale");
}

#[tokio::test]
async fn what_the_service_refuses_is_malformed() {
    let engine = MemoryEngine::new();
    let long = "x".repeat(3000);
    let refused = [
        put(
            Table::Orders,
            "O-1",
            &[("note", text("x".repeat(400 * 1024)))],
        ),
        put(Table::Orders, "", &[]),
        put(Table::Orders, &long, &[]),
        put(Table::Journal, "day#0", &[]),
        put(Table::Orders, "O-1", &[("customer_id", text(""))]),
        put(Table::Orders, "O-1", &[("customer_id", number(1))]),
        put(Table::Orders, "O-1", &[("total", number("1,50"))]),
        Write::Update {
            key: Key::new(Table::Orders, "O-1"),
            changes: vec![Change::Set("order_id", text("O-2"))],
            condition: Condition::Always,
        },
        Write::Update {
            key: Key::new(Table::Orders, "O-1"),
            changes: vec![Change::Set("a", text("x")), Change::Remove("a")],
            condition: Condition::Always,
        },
    ];
    for write in refused {
        let answer = engine.write(&write).await;
        assert!(
            matches!(answer, Err(WriteError::Fault(Fault::Malformed(_)))),
            "{answer:?}"
        );
    }
    let large = |at| {
        put(
            Table::Orders,
            &format!("O-{at}"),
            &[("n", text("x".repeat(399 * 1024)))],
        )
    };
    let writes: Vec<Write> = (0..11).map(large).collect();
    let answer = engine.transact(&writes, "t").await;
    assert!(
        matches!(answer, Err(TransactError::Fault(Fault::Malformed(_)))),
        "over 4 MB"
    );
    let sorted = Key::sorted(Table::Orders, "O-1", "x");
    assert!(matches!(
        engine.get(&sorted).await,
        Err(Fault::Malformed(_))
    ));
    let mut query = Query::of(Table::Products, Some(&BY_CUSTOMER), "C-1");
    assert!(
        matches!(engine.query(&query).await, Err(Fault::Malformed(_))),
        "no such index"
    );
    query.table = Table::Orders;
    query.start = Some(item(Table::Orders, "O-1", &[]));
    assert!(
        matches!(engine.query(&query).await, Err(Fault::Malformed(_))),
        "not a place"
    );
    let keys = [("customer_id", text("C-1")), ("created_at", text("2026"))];
    query.start = Some(item(Table::Orders, "", &keys));
    assert!(
        matches!(engine.query(&query).await, Err(Fault::Malformed(_))),
        "not an order"
    );
    assert!(
        Table::ALL
            .into_iter()
            .all(|table| engine.items(table).is_empty())
    );
}

#[tokio::test]
async fn writes_are_billed_in_transactions_twice() {
    let engine = MemoryEngine::new();
    let waits = [
        ("pending_shard", text("0")),
        ("pending_check", text("2030")),
    ];
    let order = put(Table::Orders, "O-1", &waits);
    engine
        .transact(&[order, sell("S-1")], "t")
        .await
        .expect("written");
    engine.write(&sell("S-1")).await.expect("written");
    let index = format!("orders/{}", PENDING_PAYMENT.name);
    let expected = [
        ("orders".to_owned(), 2),
        (index, 1),
        ("products".to_owned(), 3),
    ];
    assert_eq!(engine.write_units(), WriteUnits::from(expected));
}

#[tokio::test]
async fn tasks_meet_between_requests() {
    let engine = MemoryEngine::new();
    let key = Key::new(Table::Products, "S-1");
    let read = async || {
        let before = engine.get(&key).await.expect("read");
        engine.write(&sell("S-1")).await.expect("written");
        before
    };
    let (one, other) = tokio::join!(read(), read());
    assert_eq!((one, other), (None, None), "both read before either wrote");
}
