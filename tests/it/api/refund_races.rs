//! Many ask for refunds of one order at the same time, some of them again and again, and the store does not always answer.

use std::collections::{BTreeMap, BTreeSet};

use domain::refund::RefundStatus;
use fastrand::Rng;
use futures::future::join_all;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use store::memory::Faults;
use store::schema::Table;

use super::bench::{Answer, Bench, call};
use crate::refunds::bank::{Bank, compared, worked_off};
use crate::refunds::support::{cents, kept, sold_through};
use crate::support::{drift, tally_and_verify};

const ROUGH: Faults = Faults {
    conflict: 60,
    throttle: 60,
    lost_answer: 60,
    stale: 100,
};

/// Asks until there is an answer, as a client does that is told to try again in a moment.
async fn asked(bench: &Bench, key: &str, body: &Value) -> Answer {
    for _ in 0..50 {
        let wish = call("POST", "/orders/O-1/refunds").key(key);
        let answer = bench.ask(wish.json(body.clone())).await;
        if answer.status != 503 {
            return answer;
        }
        assert_eq!(answer.problem(), (503, "unavailable"));
    }
    panic!("{key} has no answer");
}

/// A thousand of A, for 9,990.
async fn mill() -> (Bench, Bank) {
    let (bench, bank) = (Bench::new(), Bank::new(0, 0));
    sold_through(&bench.store, &bank, "O-1", &[("A", 1_000)]).await;
    (bench, bank)
}

async fn is_balanced(bench: &Bench) {
    let order = kept(&bench.store, "O-1").await;
    assert_eq!(
        order.refunded + order.refunding + order.refundable,
        order.total
    );
    let report = tally_and_verify(&bench.store).await;
    assert!(drift(&report).is_empty(), "{report:#?}");
}

#[tokio::test(start_paused = true)]
async fn no_more_goes_back_than_was_paid_however_many_ask() {
    for seed in 0..5 {
        let (bench, bank) = mill().await;
        bench.engine.set_faults(ROUGH);
        bench.engine.hold_items(seed, 1..=5);
        let mut random = Rng::with_seed(seed);
        let amounts: Vec<Decimal> = (0..120)
            .map(|_| cents(random.i64(10_000..30_000)))
            .collect();
        // So many that not all of them are granted; of two that share a key, some want something else.
        let wishes: Vec<(String, Value)> = (0..200)
            .map(|_| {
                let number = random.usize(..amounts.len());
                let key = format!("key-{number}");
                let body = match random.u32(0..20) {
                    0 => json!({"lines": [{"sku": "A", "quantity": random.u32(1..9), "restock": true}], "reason": "x"}),
                    1 => json!({"amount": "0.01", "reason": "x"}),
                    _ => json!({"amount": amounts[number].to_string(), "reason": "x"}),
                };
                (key, body)
            })
            .collect();
        let asking = wishes.iter().map(|(key, body)| asked(&bench, key, body));
        let answers = join_all(asking).await;
        bench.engine.set_faults(Faults::default());
        assert!(bench.engine.injected().conflicts > 50);
        // What one key was granted was granted once, and told everybody in the same words.
        let mut granted: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        let mut refused = 0;
        for ((key, _), answer) in wishes.iter().zip(&answers) {
            match answer.status {
                202 => {
                    granted.entry(key).or_default().insert(&answer.text);
                }
                409 => {
                    assert_eq!(answer.problem(), (409, "not_refundable"));
                    assert!(answer.body["refundable"].is_string());
                    refused += 1;
                }
                _ => assert_eq!(answer.problem(), (422, "idempotency_key_reused")),
            }
        }
        assert!(refused > 0 && granted.len() > 20, "seed {seed}");
        for (key, texts) in &granted {
            assert_eq!(texts.len(), 1, "{key}: {texts:?}");
        }
        let refunds = bench.engine.items(Table::Refunds);
        assert_eq!(refunds.len(), granted.len());
        let mut ids = Vec::new();
        let mut sum = Decimal::ZERO;
        let each = |refund: store::refunds::RefundRecord| {
            assert_eq!(refund.status, RefundStatus::Pending);
            sum += refund.amount;
            ids.push(refund.refund_id);
        };
        bench.store.each_refund(each).await.expect("all refunds");
        let order = kept(&bench.store, "O-1").await;
        assert_eq!(order.refunding, sum, "seed {seed}");
        is_balanced(&bench).await;
        let sent: BTreeSet<String> = bench
            .done
            .refunds
            .lock()
            .expect("a lock")
            .drain(..)
            .collect();
        assert_eq!(sent, ids.iter().cloned().collect(), "seed {seed}");
        for id in ids.iter().step_by(3) {
            bank.refuse(id, 1);
        }
        worked_off(&bench.store, &bank, &ids).await;
        let order = kept(&bench.store, "O-1").await;
        assert_eq!(order.refunding, Decimal::ZERO);
        assert_eq!(order.refunded, bank.given_back("O-1"));
        assert_eq!(compared(&bench.store, &bank).await, [""; 0]);
        is_balanced(&bench).await;
    }
}

#[tokio::test(start_paused = true)]
async fn fifty_repetitions_at_once_are_one_refund() {
    let body = json!({"amount": "12.34", "reason": "x"});
    let (bench, _) = mill().await;
    let asking = (0..50).map(|_| asked(&bench, "k", &body));
    let answers = join_all(asking).await;
    let replays = answers
        .iter()
        .filter(|answer| answer.header("idempotent-replayed") == Some("true"));
    assert_eq!(replays.count(), 49);
    for answer in &answers {
        assert_eq!((answer.status, &answer.text), (202, &answers[0].text));
    }
    assert_eq!(bench.engine.items(Table::Refunds).len(), 1);
    assert_eq!(kept(&bench.store, "O-1").await.refunding, cents(1234));
    is_balanced(&bench).await;
}
