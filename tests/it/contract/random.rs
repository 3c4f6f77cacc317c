//! Random operations on two engines: both have to answer alike, and hold the same items in the end.
//!
//! `FUZZ_SECONDS` sets how long the engines are compared, each time from another seed. Without it the sequences are the
//! same in every run.

use std::time::{Duration, Instant};

use disk::DiskEngine;
use domain::Fault;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, FileFailurePersistence, RngAlgorithm, TestRng, TestRunner};
use store::engine::Engine;
use store::memory::MemoryEngine;
use store::ops::{
    Change, Condition, Item, Key, Query, TransactError, Value, Verdict, Write, WriteError, text,
};
use store::schema::Table;

use super::operations::{Operation, every_key, every_query, operation};
use super::token;

/// Sequences in a usual run, and operations in one of them.
const SEQUENCES: u32 = 12;
const OPERATIONS: usize = 30;

/// What an engine says to an operation. Words of faults are its own.
#[derive(Debug, Clone, PartialEq)]
enum Answer {
    Done,
    Items(Vec<Option<Item>>),
    /// The sizes of the pages, and what is on them, with equals in one sequence.
    Pages(Vec<usize>, Vec<Item>),
    Count(u64),
    Each(Vec<Answer>),
    Condition(Option<Item>),
    Cancelled(Vec<Verdict>),
    Fault(&'static str),
}

/// The service refuses a change of the key whatever the condition is, and so does memory. The engine on disk looks at the
/// condition first. This fails once it does not any more: then the random operations may change keys.
#[tokio::test]
async fn disk_checks_the_condition_before_it_refuses_a_change_of_the_key() {
    let update = Write::Update {
        key: Key::sorted(Table::Journal, "r-a", "1"),
        changes: vec![Change::Remove("entry_id")],
        condition: Condition::Is("state", text("OPEN")),
    };
    let memory = written(MemoryEngine::new().write(&update).await);
    let disk = DiskEngine::in_memory().expect("a database");
    let disk = written(disk.write(&update).await);
    assert_eq!(
        (memory, disk),
        (Answer::Fault("Malformed"), Answer::Condition(None))
    );
}

#[test]
fn memory_and_disk_answer_alike() {
    let seconds = std::env::var("FUZZ_SECONDS").map(|seconds| {
        let seconds = seconds
            .parse()
            .expect("FUZZ_SECONDS is a number of seconds");
        Duration::from_secs(seconds)
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    let compare = |operations: Vec<Operation>| {
        runtime.block_on(async {
            let disk = DiskEngine::in_memory().expect("a database");
            alike(&MemoryEngine::new(), &disk, "r-", &operations).await
        })
    };
    let sequences = vec(operation("r-"), 1..OPERATIONS);
    let Ok(time) = seconds else {
        let seed = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let mut runner = TestRunner::new_with_rng(config(SEQUENCES), seed);
        return runner
            .run(&sequences, compare)
            .unwrap_or_else(|error| panic!("{error}"));
    };
    let deadline = Instant::now() + time;
    while Instant::now() < deadline {
        let mut runner = TestRunner::new(config(20));
        runner
            .run(&sequences, compare)
            .unwrap_or_else(|error| panic!("{error}"));
    }
}

fn config(cases: u32) -> Config {
    Config {
        cases,
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        // Each step of it makes two databases: a smaller sequence is worth a minute, and not more.
        max_shrink_iters: 100,
        ..Config::default()
    }
}

async fn alike<A: Engine, B: Engine>(
    one: &A,
    other: &B,
    run: &str,
    operations: &[Operation],
) -> Result<(), TestCaseError> {
    let tokens = [(); 4].map(|()| token());
    for (at, operation) in operations.iter().enumerate() {
        let answers = (
            answer(one, operation, &tokens).await,
            answer(other, operation, &tokens).await,
        );
        // A malformed request under a token that is used: one engine looks at the request first, and the other at the token.
        let both_refuse = matches!(&answers, (Answer::Fault(_), Answer::Fault(_)));
        if both_refuse && is_reused(&operations[..at], operation) {
            continue;
        }
        prop_assert_eq!(
            &answers.0,
            &answers.1,
            "operation {} is {:?}",
            at,
            operation
        );
    }
    for key in every_key(run) {
        let (one, other) = (one.get(&key).await, other.get(&key).await);
        prop_assert_eq!(one.map(kept), other.map(kept), "{:?}", key);
    }
    for query in every_query(run) {
        let (one, other) = (pages(one, &query).await, pages(other, &query).await);
        prop_assert_eq!(one, other, "{:?}", query);
    }
    Ok(())
}

/// Whether a transaction has the token of one before it.
fn is_reused(before: &[Operation], operation: &Operation) -> bool {
    let token = |operation: &Operation| match operation {
        Operation::Transact(_, token) => Some(*token),
        _ => None,
    };
    token(operation).is_some_and(|of| before.iter().any(|one| token(one) == Some(of)))
}

async fn answer<E: Engine>(engine: &E, operation: &Operation, tokens: &[String]) -> Answer {
    match operation {
        Operation::Write(write) => written(engine.write(write).await),
        Operation::UpdateMany(updates) => match engine.update_many(updates).await {
            Ok(each) => Answer::Each(each.into_iter().map(written).collect()),
            Err(fault) => Answer::Fault(fault.name()),
        },
        Operation::Transact(writes, token) => {
            match engine.transact(writes, &tokens[usize::from(*token)]).await {
                Ok(()) => Answer::Done,
                Err(TransactError::Cancelled(verdicts)) => {
                    Answer::Cancelled(verdicts.into_iter().map(verdict).collect())
                }
                Err(TransactError::Fault(fault)) => Answer::Fault(fault.name()),
            }
        }
        Operation::Get(key) => items(engine.get(key).await.map(|item| vec![item])),
        Operation::GetMany(keys) => items(engine.get_many(keys).await),
        Operation::Query(query) => pages(engine, query).await,
        Operation::Count(query) => counted(engine, query).await,
    }
}

fn written(outcome: Result<(), WriteError>) -> Answer {
    match outcome {
        Ok(()) => Answer::Done,
        Err(WriteError::Condition(found)) => Answer::Condition(kept(found)),
        Err(WriteError::Fault(fault)) => Answer::Fault(fault.name()),
    }
}

fn verdict(verdict: Verdict) -> Verdict {
    match verdict {
        Verdict::Condition(found) => Verdict::Condition(kept(found)),
        verdict => verdict,
    }
}

fn items(found: Result<Vec<Option<Item>>, Fault>) -> Answer {
    match found {
        Ok(items) => Answer::Items(items.into_iter().map(kept).collect()),
        Err(fault) => Answer::Fault(fault.name()),
    }
}

/// Each engine has an order of its own among the members of a set, and among items that an index has in one place.
fn kept(item: Option<Item>) -> Option<Item> {
    item.map(|item| {
        let item: std::collections::HashMap<String, Value> = item.into();
        let sorted = item.into_iter().map(|(name, value)| (name, sorted(value)));
        Item::from(sorted.collect::<std::collections::HashMap<_, _>>())
    })
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Ss(mut texts) => {
            texts.sort_unstable();
            Value::Ss(texts)
        }
        Value::Ns(mut numbers) => {
            numbers.sort_unstable();
            Value::Ns(numbers)
        }
        value => value,
    }
}

async fn pages<E: Engine>(engine: &E, query: &Query) -> Answer {
    let (mut query, mut sizes, mut found) = (query.clone(), Vec::new(), Vec::new());
    loop {
        let page = match engine.query(&query).await {
            Ok(page) => page,
            Err(fault) => return Answer::Fault(fault.name()),
        };
        sizes.push(page.items.len());
        found.extend(page.items.into_iter().filter_map(|item| kept(Some(item))));
        if page.next.is_none() {
            break;
        }
        query.start = page.next;
    }
    if let Some(index) = query.index {
        let place = |item: &Item| item.get(index.sort).cloned();
        for equals in found.chunk_by_mut(|one, other| place(one) == place(other)) {
            equals.sort_by_key(|item| Key::of_item(query.table, item));
        }
    }
    Answer::Pages(sizes, found)
}

async fn counted<E: Engine>(engine: &E, query: &Query) -> Answer {
    let (mut query, mut items) = (query.clone(), 0);
    loop {
        match engine.count(&query).await {
            Ok(count) => {
                items += count.items;
                query.start = count.next;
            }
            Err(fault) => return Answer::Fault(fault.name()),
        }
        if query.start.is_none() {
            return Answer::Count(items);
        }
    }
}
