//! Whoever is quicker wins, and only he: against others, without an answer, or dead half way.

use domain::journal::Kind;
use domain::refund::{RefundStatus, Wanted};
use domain::{Fault, Status};
use edge::refunds::{self, Cancelled};
use jiff::SignedDuration;
use store::lifecycle::{Changed, Refused};
use store::memory::{Faults, MemoryEngine};
use store::ops::Item;
use store::refunds::Requested;
use store::schema::Table;
use store::{Engine, Store};

use super::support::{ADA, asked, its_refund};
use crate::refunds::bank::{Bank, Outbox, at, compared, messages, run, worked_off};
use crate::refunds::support::{
    cents, completed, kept, lines, opened, refund, requested, sold, sold_through,
};
use crate::support::{drift, moment, now, tally_and_verify};

const ROUGH: Faults = Faults {
    conflict: 60,
    throttle: 60,
    lost_answer: 150,
    stale: 100,
};

async fn yields(times: u64) {
    for _ in 0..times {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn either_it_is_shipped_or_cancelled() {
    let mut won = [0, 0];
    for seed in 0..100 {
        let engine = MemoryEngine::new();
        let store = Store::new(engine.clone(), seed);
        sold(&store, "O-1", &[("A", 2)]).await;
        let rival = Store::new(engine.clone(), seed + 1_000);
        if seed % 2 == 0 {
            engine.hold_items(seed, 1..=5);
        }
        let one = async {
            yields(seed / 6 % 6).await;
            asked(&store, Kind::Cancelled, "O-1").await
        };
        let other = async {
            yields(seed % 6).await;
            asked(&rival, Kind::Shipped, "O-1").await
        };
        let (cancelled, shipped) = tokio::join!(one, other);
        let status = kept(&store, "O-1").await.status;
        let refused = |kind, status| Changed::Refused(Refused::Status(kind, status));
        match status {
            Status::Cancelled => {
                assert_eq!(shipped, refused(Kind::Shipped, Status::Cancelled));
                completed(&store, &its_refund(&store, "O-1").await.refund_id).await;
            }
            _ => assert_eq!(cancelled, refused(Kind::Cancelled, Status::Shipped)),
        }
        won[usize::from(status == Status::Cancelled)] += 1;
        assert!(drift(&tally_and_verify(&store).await).is_empty(), "{seed}");
    }
    assert!(won.iter().all(|times| *times > 5), "{won:?}");
}

#[tokio::test(start_paused = true)]
async fn either_a_refund_is_asked_for_or_the_order_is_cancelled() {
    let mut won = [0, 0];
    for seed in 0..100 {
        let engine = MemoryEngine::new();
        let store = Store::new(engine.clone(), seed);
        sold(&store, "O-1", &[("A", 2)]).await;
        let rival = Store::new(engine.clone(), seed + 1_000);
        if seed % 2 == 0 {
            engine.hold_items(seed, 1..=5);
        }
        let wanted = lines(&[("A", 1, true)]);
        let one = async {
            yields(seed / 6 % 6).await;
            asked(&store, Kind::Cancelled, "O-1").await
        };
        let other = async {
            yields(seed % 6).await;
            requested(&rival, "k", "O-1", &wanted).await
        };
        let (cancelled, refunded) = tokio::join!(one, other);
        let is_cancelled = matches!(cancelled, Changed::Done(_));
        match is_cancelled {
            true => assert!(matches!(refunded, Requested::Refused(_)), "{refunded:?}"),
            false => {
                assert_eq!(cancelled, Changed::Refused(Refused::RefundOnItsWay));
                assert!(matches!(refunded, Requested::New(_)), "{refunded:?}");
            }
        }
        won[usize::from(is_cancelled)] += 1;
        assert!(drift(&tally_and_verify(&store).await).is_empty(), "{seed}");
    }
    assert!(won.iter().all(|times| *times > 5), "{won:?}");
}

#[tokio::test(start_paused = true)]
async fn twenty_who_cancel_an_order_cancel_it_once() {
    for seed in 0..20 {
        let engine = MemoryEngine::new();
        let store = Store::new(engine.clone(), seed);
        sold(&store, "O-1", &[("A", 2)]).await;
        engine.hold_items(seed, 1..=5);
        let stores: Vec<_> = (0..20)
            .map(|other| Store::new(engine.clone(), seed * 100 + other + 50))
            .collect();
        let all = stores
            .iter()
            .map(|store| asked(store, Kind::Cancelled, "O-1"));
        let answers = futures::future::join_all(all).await;
        let done = answers.iter().filter(|one| matches!(one, Changed::Done(_)));
        assert_eq!(done.count(), 1);
        let mut rest = answers.iter();
        assert!(rest.all(|one| matches!(one, Changed::Done(_) | Changed::Already(_))));
        assert_eq!(engine.items(Table::Refunds).len(), 1);
        assert!(drift(&tally_and_verify(&store).await).is_empty(), "{seed}");
    }
}

async fn mill(engine: &MemoryEngine, bank: &Bank) {
    let store = Store::new(engine.clone(), 1);
    sold_through(&store, bank, "O-1", &[("A", 3), ("B", 2)]).await;
    sold_through(&store, bank, "O-2", &[("B", 4)]).await;
    let id = opened(&store, "k", "O-1", &lines(&[("A", 1, true)])).await;
    worked_off(&store, bank, &[id]).await;
}

/// Ships and delivers one order, and cancels the other, each until there is an answer, as somebody else each time.
async fn all_of_it(engine: &MemoryEngine, bank: &Bank, seed: u64) {
    let mut seeds = (1..).map(|number| seed * 100_000 + number);
    let mut store = || Store::new(engine.clone(), seeds.next().unwrap_or_default());
    let outbox = Outbox::default();
    patiently(async || refunds::cancel_order(&store(), &outbox, "O-1", &ADA, &moment()).await)
        .await;
    worked_off(&store(), bank, &outbox.take()).await;
    patiently(async || store().ship_order("O-2", &ADA, &moment()).await).await;
    patiently(async || store().deliver_order("O-2", &ADA, &moment()).await).await;
}

async fn patiently<T>(mut ask: impl AsyncFnMut() -> Result<T, Fault>) {
    for _ in 0..50 {
        match ask().await {
            Ok(_) => return,
            Err(Fault::Transient(_)) => {}
            Err(fault) => panic!("{fault}"),
        }
    }
    panic!("no answer");
}

fn everything(engine: &MemoryEngine) -> Vec<Vec<Item>> {
    Table::ALL.map(|table| engine.items(table)).to_vec()
}

#[tokio::test(start_paused = true)]
async fn whatever_goes_wrong_it_ends_as_if_nothing_had() {
    let (clean, calm) = (MemoryEngine::new(), Bank::new(0, 0));
    mill(&clean, &calm).await;
    all_of_it(&clean, &calm, 9).await;
    let mut injected = 0;
    for seed in 1..=200 {
        let engine = MemoryEngine::with_faults(seed, Faults::default());
        let bank = Bank::new(seed, 40);
        mill(&engine, &bank).await;
        engine.set_faults(ROUGH);
        all_of_it(&engine, &bank, seed).await;
        // And once more, all of it.
        all_of_it(&engine, &bank, seed + 1_000).await;
        injected += engine.injected().lost_answers;
        engine.set_faults(Faults::default());
        assert_eq!(everything(&engine), everything(&clean), "seed {seed}");
        let store = Store::new(engine, 1);
        assert_eq!(compared(&store, &bank).await, [""; 0], "seed {seed}");
    }
    assert!(injected > 100, "{injected} answers were lost");
    assert_eq!(calm.given_back("O-1"), cents(999 * 5));
    let store = Store::new(clean, 1);
    assert!(drift(&tally_and_verify(&store).await).is_empty());
}

#[tokio::test(start_paused = true)]
async fn who_dies_anywhere_is_followed_by_one_who_ends_it() {
    let (clean, calm) = (MemoryEngine::new(), Bank::new(0, 0));
    mill(&clean, &calm).await;
    all_of_it(&clean, &calm, 9).await;
    let mut deaths = 0;
    for steps in 0.. {
        let (engine, bank) = (MemoryEngine::new(), Bank::new(0, 0));
        mill(&engine, &bank).await;
        let ended = tokio::select! {
            biased;
            () = all_of_it(&engine, &bank, 1) => true,
            () = yields(steps) => false,
        };
        for seed in 2..4 {
            all_of_it(&engine, &bank, seed).await;
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
    assert!(deaths >= 10, "it died {deaths} times only");
}

#[tokio::test]
async fn a_refund_that_was_never_sent_is_found() {
    let (store, bank) = (Store::new(MemoryEngine::new(), 1), Bank::new(0, 0));
    sold_through(&store, &bank, "O-1", &[("A", 3)]).await;
    asked(&store, Kind::Cancelled, "O-1").await;
    let outbox = Outbox::default();
    let later = at(now() + SignedDuration::from_mins(6));
    let sent = expire::refunds::send_again(&store, &outbox, later).await;
    assert_eq!(sent, Ok(1));
    worked_off(&store, &bank, &outbox.take()).await;
    assert_eq!(bank.given_back("O-1"), cents(2997));
    // Whoever repeats it is told how its refund stands, and sends nothing more.
    let again = repeated(&store, &outbox).await;
    assert!(matches!(again.changed, Changed::Already(_)));
    let status = again.refund.map(|refund| refund.status);
    assert_eq!(status, Some(RefundStatus::Completed));
    assert!(outbox.take().is_empty());
    let full = requested(&store, "k", "O-1", &Wanted::Full).await;
    assert!(matches!(full, Requested::Refused(_)), "{full:?}");
}

async fn repeated<E: Engine>(store: &Store<E>, outbox: &Outbox) -> Cancelled {
    let again = refunds::cancel_order(store, outbox, "O-1", &ADA, &moment()).await;
    again.expect("an answer")
}

/// One run is told no, another one yes, and in between the order is cancelled. The money that went back is on record in the
/// end, and the rest goes back, too.
#[tokio::test]
async fn a_yes_that_comes_after_the_cancellation_holds() {
    let mut met = 0;
    for seed in 0..60 {
        let (engine, bank) = (MemoryEngine::new(), Bank::new(0, 0));
        let store = Store::new(engine.clone(), 1);
        sold_through(&store, &bank, "O-1", &[("A", 3)]).await;
        let id = opened(&store, "k", "O-1", &lines(&[("A", 1, true)])).await;
        bank.refuse(&id, 1);
        let stores = [2, 3, 4].map(|seed| Store::new(engine.clone(), seed));
        let ids = [id];
        let [one, other, third] = &stores;
        let other = async {
            yields(seed % 12).await;
            run(other, &bank, messages(&ids)).await
        };
        let outbox = Outbox::default();
        let cancels = async {
            for _ in 0..50 {
                let cancelled = refunds::cancel_order(third, &outbox, "O-1", &ADA, &moment()).await;
                if cancelled.expect("an answer").refund.is_some() {
                    return;
                }
                yields(1).await;
            }
        };
        let (first, second, ()) = tokio::join!(run(one, &bank, messages(&ids)), other, cancels);
        first.and(second).expect("answers");
        let stands = refund(&store, &ids[0]).await.status;
        let yes = bank.given_back("O-1") > cents(0);
        let cancelled = kept(&store, "O-1").await.status == Status::Cancelled;
        met += u32::from(cancelled && yes && stands == RefundStatus::Failed);
        // Messages come again, and somebody looks after what failed.
        for _ in 0..4 {
            for id in [&ids[0], &domain::ids::refund_id_of_cancelled("O-1")] {
                if store.refund(id).await.expect("an answer").is_none() {
                    continue;
                }
                run(&store, &bank, messages(std::slice::from_ref(id)))
                    .await
                    .expect("an answer");
                let retried = refunds::retry(&store, &outbox, id, "tests", now()).await;
                retried.expect("an answer");
                run(&store, &bank, messages(std::slice::from_ref(id)))
                    .await
                    .expect("an answer");
            }
        }
        if !kept(&store, "O-1").await.refundable.is_zero() {
            let rest = opened(&store, "rest", "O-1", &Wanted::Full).await;
            worked_off(&store, &bank, &[rest]).await;
        }
        let order = kept(&store, "O-1").await;
        assert_eq!(bank.given_back("O-1"), order.refunded, "{seed}: {order:?}");
        assert_eq!(order.refunded, order.total, "{seed}");
        assert_eq!(compared(&store, &bank).await, [""; 0], "{seed}");
        let report = tally_and_verify(&store).await;
        assert!(drift(&report).is_empty(), "{seed}: {report:#?}");
    }
    assert!(met > 2, "it came too late {met} times");
}
