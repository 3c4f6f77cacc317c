//! The function `refund`, and those who send it messages: under faults, killed anywhere, many at once.

use std::collections::BTreeSet;

use aws_lambda_events::sqs::SqsEvent;
use domain::Fault;
use domain::refund::{RefundStatus, Wanted};
use edge::refunds;
use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use payments::{Gateway, Refund, Refunded};
use rust_decimal::Decimal;
use store::memory::{Faults, MemoryEngine};
use store::ops::Item;
use store::refunds::Requested;
use store::schema::Table;
use store::{Engine, Store};

use super::bank::{Bank, Outbox, at, compared, messages, run, worked_off};
use super::support::{begun, cents, kept, lines, opened, refund, request, sold_through};
use crate::support::{drift, now, read, tally_and_verify};

const ROUGH: Faults = Faults {
    conflict: 60,
    throttle: 60,
    lost_answer: 60,
    stale: 100,
};

/// What is asked for of `O-1`, three of A and two of B, and of `O-2`, under these keys.
fn wishes() -> Vec<(&'static str, &'static str, Wanted)> {
    vec![
        ("amount", "O-1", Wanted::Amount(cents(700))),
        ("lines", "O-1", lines(&[("A", 1, true), ("B", 2, false)])),
        ("again", "O-1", lines(&[("A", 2, true)])),
        ("too much", "O-1", Wanted::Amount(cents(100_000))),
        ("all", "O-2", Wanted::Full),
        ("refused", "O-3", lines(&[("A", 1, true)])),
        ("late", "O-3", Wanted::Amount(cents(1))),
    ]
}

async fn mill(engine: &MemoryEngine, bank: &Bank) {
    let store = Store::new(engine.clone(), 1);
    sold_through(&store, bank, "O-1", &[("A", 3), ("B", 2)]).await;
    sold_through(&store, bank, "O-2", &[("B", 4)]).await;
    sold_through(&store, bank, "O-3", &[("A", 5)]).await;
    bank.refuse(&domain::ids::refund_id("refused"), u32::MAX);
}

/// Asks for everything until there is an answer, each time as somebody else.
async fn asked(engine: &MemoryEngine, bank: &Bank, seed: u64) {
    // Whoever has the seed of somebody else would draw the same tokens.
    let mut seeds = (1..).map(|number| seed * 100_000 + number);
    let mut store = || Store::new(engine.clone(), seeds.next().unwrap_or_default());
    for (key, order_id, wanted) in wishes() {
        let outbox = Outbox::default();
        let request = request(key, order_id, &wanted);
        for attempt in 0.. {
            match refunds::request(&store(), &outbox, &request, now()).await {
                Ok(_) => break,
                Err(Fault::Transient(_)) if attempt < 50 => {}
                Err(fault) => panic!("{fault}"),
            }
        }
        let ids = outbox.take();
        worked_off(&store(), bank, &ids).await;
    }
}

/// Everything that is stored, but for when it was looked at.
fn everything(engine: &MemoryEngine) -> Vec<Vec<Item>> {
    Table::ALL.map(|table| engine.items(table)).to_vec()
}

#[tokio::test(start_paused = true)]
async fn whatever_goes_wrong_on_the_way_ends_as_if_nothing_had() {
    let (clean, calm) = (MemoryEngine::new(), Bank::new(0, 0));
    mill(&clean, &calm).await;
    asked(&clean, &calm, 9).await;
    let mut injected = 0;
    for seed in 1..=300 {
        let engine = MemoryEngine::with_faults(seed, Faults::default());
        let bank = Bank::new(seed, 40);
        mill(&engine, &bank).await;
        engine.set_faults(ROUGH);
        asked(&engine, &bank, seed).await;
        // And once more, all of it.
        asked(&engine, &bank, seed + 1_000).await;
        injected += engine.injected().lost_answers;
        engine.set_faults(Faults::default());
        assert_eq!(everything(&engine), everything(&clean), "seed {seed}");
        let store = Store::new(engine, 1);
        assert_eq!(compared(&store, &bank).await, [""; 0], "seed {seed}");
        if seed % 20 == 0 {
            let report = tally_and_verify(&store).await;
            assert!(drift(&report).is_empty(), "seed {seed}: {report:#?}");
        }
    }
    assert!(injected > 300, "{injected} answers were lost");
}

#[tokio::test(start_paused = true)]
async fn who_dies_anywhere_is_followed_by_one_who_ends_it() {
    let (clean, calm) = (MemoryEngine::new(), Bank::new(0, 0));
    mill(&clean, &calm).await;
    asked(&clean, &calm, 9).await;
    let mut deaths = 0;
    for steps in 0.. {
        let (engine, bank) = (MemoryEngine::new(), Bank::new(0, 0));
        mill(&engine, &bank).await;
        let dies = async {
            for _ in 0..steps {
                tokio::task::yield_now().await;
            }
        };
        let ended = tokio::select! {
            biased;
            () = asked(&engine, &bank, 1) => true,
            () = dies => false,
        };
        for seed in 2..4 {
            asked(&engine, &bank, seed).await;
        }
        assert_eq!(
            everything(&engine),
            everything(&clean),
            "after {steps} steps"
        );
        if ended {
            break;
        }
        deaths += 1;
    }
    assert!(deaths >= 30, "it died {deaths} times only");
}

/// One of those who want something back of the same order.
async fn wants<E: Engine>(store: Store<E>, bank: &Bank, key: String, wanted: Wanted) {
    let outbox = Outbox::default();
    let request = request(&key, "O-1", &wanted);
    let answer = loop {
        match refunds::request(&store, &outbox, &request, now()).await {
            Ok(answer) => break answer,
            Err(Fault::Transient(_)) => {}
            Err(fault) => panic!("{fault}"),
        }
    };
    if let Requested::New(_) | Requested::Replayed(_) = answer {
        worked_off(&store, bank, &outbox.take()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn two_hundred_who_want_more_than_there_is_get_no_more() {
    let (engine, bank) = (MemoryEngine::new(), Bank::new(5, 30));
    let mut random = fastrand::Rng::with_seed(7);
    let store = Store::new(engine.clone(), 1);
    sold_through(&store, &bank, "O-1", &[("A", 90), ("B", 10)]).await;
    let total = kept(&store, "O-1").await.total;
    engine.hold_items(3, 5..=20);
    let work = (0..200).map(|number| {
        // Every fourth key comes twice, and with the same wish.
        let key = number - u64::from(number % 4 == 3);
        let mut wish = fastrand::Rng::with_seed(key);
        let wanted = match wish.u8(..4) {
            0 => lines(&[("A", wish.u32(1..4), wish.bool()), ("B", 1, true)]),
            _ => Wanted::Amount(cents(wish.i64(1..2_000))),
        };
        let store = Store::new(engine.clone(), random.u64(..));
        wants(store, &bank, format!("k-{key}"), wanted)
    });
    join_all(work).await;
    let order = kept(&store, "O-1").await;
    let refunds = store.refunds_of("O-1").await.expect("refunds");
    let completed = refunds
        .iter()
        .filter(|one| one.status == RefundStatus::Completed);
    let sum: Decimal = completed.map(|refund| refund.amount).sum();
    assert!(
        sum <= total && sum > total - cents(4_000),
        "{sum} of {total}"
    );
    assert_eq!((order.refunded, order.refunding), (sum, Decimal::ZERO));
    assert_eq!(bank.given_back("O-1"), sum);
    assert_eq!(compared(&store, &bank).await, [""; 0]);
    let report = tally_and_verify(&store).await;
    assert!(drift(&report).is_empty(), "{report:#?}");
}

#[tokio::test(start_paused = true)]
async fn fifty_repeats_of_one_key_are_one_refund() {
    let (engine, bank) = (MemoryEngine::new(), Bank::new(5, 30));
    let store = Store::new(engine.clone(), 1);
    sold_through(&store, &bank, "O-1", &[("A", 3)]).await;
    engine.set_faults(ROUGH);
    let work = (0..50).map(|seed| {
        let store = Store::new(engine.clone(), seed + 10);
        wants(store, &bank, "k".to_owned(), Wanted::Amount(cents(999)))
    });
    join_all(work).await;
    engine.set_faults(Faults::default());
    assert_eq!(engine.items(Table::Refunds).len(), 1);
    assert_eq!(kept(&store, "O-1").await.refunded, cents(999));
    assert_eq!(bank.given_back("O-1"), cents(999));
    assert!(drift(&tally_and_verify(&store).await).is_empty());
}

#[tokio::test]
async fn what_the_gateway_refuses_can_be_asked_for_again() {
    let (store, bank) = (Store::new(MemoryEngine::new(), 1), Bank::new(0, 0));
    sold_through(&store, &bank, "O-1", &[("A", 3)]).await;
    let id = opened(&store, "k", "O-1", &Wanted::Full).await;
    bank.refuse(&id, 1);
    let ids = [id.clone()];
    worked_off(&store, &bank, &ids).await;
    let failed = refund(&store, &id).await;
    assert_eq!(failed.status, RefundStatus::Failed);
    assert_eq!(failed.failure.as_deref(), Some("not today"));
    assert_eq!(kept(&store, "O-1").await.refundable, cents(2997));
    // A message that comes again does not try it again: people do.
    worked_off(&store, &bank, &ids).await;
    assert_eq!(refund(&store, &id).await, failed);
    let outbox = Outbox::default();
    let retried = refunds::retry(&store, &outbox, &id, "ada", now()).await;
    retried.expect("an answer");
    worked_off(&store, &bank, &outbox.take()).await;
    let done = refund(&store, &id).await;
    assert_eq!(
        (done.status, done.attempts, done.failure),
        (RefundStatus::Completed, 2, None)
    );
    assert_eq!(compared(&store, &bank).await, [""; 0]);
    assert!(drift(&tally_and_verify(&store).await).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_yes_that_could_not_be_put_on_record_is_not_lost_behind_a_no() {
    for taken in [false, true] {
        let (store, bank) = (Store::new(MemoryEngine::new(), 1), Bank::new(0, 0));
        sold_through(&store, &bank, "O-1", &[("A", 3)]).await;
        let id = opened(&store, "k", "O-1", &Wanted::Amount(cents(2000))).await;
        let ids = [id.clone()];
        bank.refuse(&id, 1);
        worked_off(&store, &bank, &ids).await;
        let failed = refund(&store, &id).await;
        assert_eq!(failed.status, RefundStatus::Failed);
        // A second run of the same attempt was granted it. It finds what the first one wrote, and cannot change it then.
        let asked = Refund {
            key: &id,
            charge: "O-1",
            amount: failed.money().expect("an amount"),
        };
        bank.refund(&asked).await.expect("an answer");
        if taken {
            opened(&store, "other", "O-1", &Wanted::Amount(cents(1500))).await;
            // What it needs was promised to the other one since: somebody has to look.
            let (back, buried) = run(&store, &bank, messages(&ids)).await.expect("a run");
            assert!(back == 1 || !buried.is_empty(), "the message is gone");
            assert_eq!(refund(&store, &id).await, failed);
            continue;
        }
        worked_off(&store, &bank, &ids).await;
        assert_eq!(refund(&store, &id).await.status, RefundStatus::Completed);
        assert_eq!(kept(&store, "O-1").await.refundable, cents(997));
        assert_eq!(compared(&store, &bank).await, [""; 0]);
        assert!(drift(&tally_and_verify(&store).await).is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_forgets_its_keys_gives_nothing_back_twice() {
    for again in [false, true] {
        let (store, bank) = (Store::new(MemoryEngine::new(), 1), Bank::new(0, 0));
        sold_through(&store, &bank, "O-1", &[("A", 3)]).await;
        let id = opened(&store, "k", "O-1", &Wanted::Amount(cents(500))).await;
        let ids = [id.clone()];
        if again {
            bank.refuse(&id, 1);
            worked_off(&store, &bank, &ids).await;
            let retried = refunds::retry(&store, &Outbox::default(), &id, "ada", now()).await;
            retried.expect("an answer");
        }
        // Granted to a run that died before it could say so; the second time, before somebody tried again.
        let found = match again {
            true => refund(&store, &id).await,
            false => begun(&store, &id).await,
        };
        let asked = Refund {
            key: &id,
            charge: "O-1",
            amount: found.money().expect("an amount"),
        };
        let granted = bank.refund(&asked).await.expect("an answer");
        bank.forgets.set(true);
        worked_off(&store, &bank, &ids).await;
        let done = refund(&store, &id).await;
        let reference = done.reference.expect("the gateway's reference");
        assert_eq!(granted, Refunded::Done { refund: reference });
        assert_eq!(done.status, RefundStatus::Completed);
        assert_eq!(bank.given_back("O-1"), cents(500));
        assert_eq!(compared(&store, &bank).await, [""; 0]);
    }
}

#[tokio::test]
async fn a_yes_holds_against_a_no_that_somebody_else_was_told() {
    let mut reopened = 0;
    for seed in 0..20 {
        let (engine, bank) = (MemoryEngine::new(), Bank::new(0, 0));
        let store = Store::new(engine.clone(), 1);
        sold_through(&store, &bank, "O-1", &[("A", 3)]).await;
        let id = opened(&store, "k", "O-1", &lines(&[("A", 2, true)])).await;
        bank.refuse(&id, 1);
        let (one, other) = (Store::new(engine.clone(), 2), Store::new(engine, 3));
        let late = async {
            for _ in 0..seed {
                tokio::task::yield_now().await;
            }
            worked_off(&other, &bank, std::slice::from_ref(&id)).await;
        };
        tokio::join!(worked_off(&one, &bank, std::slice::from_ref(&id)), late);
        let ended = refund(&store, &id).await;
        let status = ended.status;
        if let Some(by) = ended.retried_by {
            assert_eq!(by, "gateway");
            reopened += 1;
        }
        let went_back = bank.given_back("O-1") > Decimal::ZERO;
        assert_eq!(
            status == RefundStatus::Completed,
            went_back,
            "{seed}: {status}"
        );
        assert_eq!(compared(&store, &bank).await, [""; 0], "{seed}");
        assert!(drift(&tally_and_verify(&store).await).is_empty(), "{seed}");
    }
    assert!(reopened > 0, "the yes was never the later one");
}

#[tokio::test]
async fn one_that_was_never_sent_is_found_at_a_growing_distance() {
    let (store, bank) = (Store::new(MemoryEngine::new(), 1), Bank::new(0, 0));
    sold_through(&store, &bank, "O-1", &[("A", 3)]).await;
    let id = opened(&store, "k", "O-1", &Wanted::Full).await;
    let minute = |minute: i64| -> Timestamp { now() + SignedDuration::from_mins(minute) };
    let mut sent_at = Vec::new();
    let outbox = Outbox::default();
    for at_minute in 0..300 {
        let sent = expire::refunds::send_again(&store, &outbox, at(minute(at_minute))).await;
        if sent.expect("sent") > 0 {
            sent_at.push(at_minute);
            assert_eq!(outbox.take(), std::slice::from_ref(&id));
        }
    }
    assert_eq!(sent_at[0], 5);
    let distances: Vec<i64> = sent_at.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(
        distances.is_sorted() && distances.len() < 12,
        "{distances:?}"
    );
    worked_off(&store, &bank, &[id]).await;
    let sent = expire::refunds::send_again(&store, &outbox, at(minute(9_000))).await;
    assert_eq!(sent, Ok(0));
}

#[tokio::test]
async fn the_sample_message_is_taken_and_what_is_none_is_put_aside() {
    let (store, bank) = (Store::new(MemoryEngine::new(), 1), Bank::new(0, 0));
    sold_through(&store, &bank, "O-1", &[("A", 3)]).await;
    let id = opened(&store, "key", "O-1", &Wanted::Full).await;
    let sample: SqsEvent = serde_json::from_slice(&read("events/refund.json")).expect("an event");
    for _ in 0..2 {
        let answer = run(&store, &bank, sample.clone()).await.expect("an answer");
        assert_eq!(answer, (0, Vec::new()));
        assert_eq!(refund(&store, &id).await.status, RefundStatus::Completed);
    }
    let mut wrong = messages(&["re_none".to_owned()]);
    wrong.records[0].body = Some("garbage".to_owned());
    wrong
        .records
        .extend(messages(&["re_none".to_owned()]).records);
    let (back, buried) = run(&store, &bank, wrong).await.expect("an answer");
    let names: BTreeSet<&str> = buried.iter().map(Fault::name).collect();
    assert_eq!(
        (back, buried.len(), names),
        (0, 2, BTreeSet::from(["Malformed"]))
    );
}
