//! Counters that are built anew, while notifications are added, sent and sent again.

use std::time::Duration;

use domain::notification::{Name, Standing};
use edge::mail;
use jiff::SignedDuration;
use store::lists::notifications::NotificationFilter;
use store::memory::{Faults, MemoryEngine};
use store::ops::{Change, Condition, Key, Write, number};
use store::schema::Table;
use store::{Engine, Store};

use super::counts::counted;
use super::lists::{all_of, filled};
use super::sending::told_all;
use super::support::{Office, Outbox, mailed, mortal, records, stream, told};
use super::telling::story;
use crate::support::now;

/// As records of a release without counters are.
fn forget(engine: &MemoryEngine) {
    for mut item in engine.items(Table::Notifications) {
        for name in ["counted", "day_group", "place"] {
            item.remove(name);
        }
        engine
            .overwrite(Table::Notifications, &item)
            .expect("an item");
    }
}

/// Counters that are wrong, as nothing of ours makes them.
async fn spoil(store: &Store<MemoryEngine>) {
    let mut spoilt = 0;
    for item in store.engine().items(Table::Tallies) {
        let text = |name: &str| match item.get(name) {
            Some(store::ops::Value::S(text)) => text.clone(),
            _ => String::new(),
        };
        if text("pk").starts_with("notifications#") {
            let write = Write::Update {
                key: Key::sorted(Table::Tallies, &text("pk"), &text("sk")),
                changes: vec![Change::Set("sent", number(77))],
                condition: Condition::Always,
            };
            store.engine().write(&write).await.expect("written");
            spoilt += 1;
        }
    }
    assert!(spoilt > 0);
}

#[tokio::test]
async fn records_of_an_earlier_release_are_counted_and_listed_by_a_recount() {
    let engine = MemoryEngine::new();
    let (store, outbox) = told_all(&engine).await;
    let office = Office::default();
    mailed(&store, &office, outbox.mail_event(), now())
        .await
        .expect("sent");
    let before = counted(&store).await;
    forget(&engine);
    for item in engine.items(Table::Tallies) {
        let (Some(pk), Some(sk)) = (item.get("pk"), item.get("sk")) else {
            continue;
        };
        if let (store::ops::Value::S(pk), store::ops::Value::S(sk)) = (pk, sk)
            && pk.starts_with("notifications#")
        {
            engine.remove(&Key::sorted(Table::Tallies, pk, sk));
        }
    }
    let sent = NotificationFilter {
        channel: Some(domain::preferences::Channel::Email),
        ..NotificationFilter::default()
    };
    assert_eq!(all_of(&store, &sent).await.len(), 0);
    // A change of an uncounted record is not counted, and the record is counted as it is then.
    let name = Name::at("O-1", "confirmation#1").expect("a name");
    let again = mail::resend(&store, &outbox, &name, true, "ada", now()).await;
    again.expect("an answer");
    mailed(&store, &office, outbox.mail_event(), now())
        .await
        .expect("sent");
    assert_eq!(store.recount_notifications(|_| ()).await, Ok(8));
    assert_eq!(counted(&store).await, before);
    assert_eq!(all_of(&store, &sent).await.len(), 7);
}

#[tokio::test]
async fn wrong_counters_are_right_after_a_recount() {
    let (store, _) = told_all(&MemoryEngine::new()).await;
    let before = counted(&store).await;
    spoil(&store).await;
    let spoilt = store.notification_counts().await.expect("counters");
    assert_ne!(spoilt, before);
    for _ in 0..2 {
        assert_eq!(store.recount_notifications(|_| ()).await, Ok(8));
        assert_eq!(counted(&store).await, before);
    }
}

#[tokio::test(start_paused = true)]
async fn a_recount_counts_each_once_while_others_write() {
    let mut met = 0;
    for seed in 0..60 {
        let engine = MemoryEngine::with_faults(seed, Faults::default()).page_size(3);
        let store = Store::new(engine.clone(), seed);
        filled(&store, 40).await;
        spoil(&store).await;
        story(&store).await;
        engine.set_faults(Faults {
            conflict: 100,
            throttle: 50,
            lost_answer: 150,
            stale: 200,
        });
        engine.hold_items(seed, 1..=20);
        let outbox = Outbox::default();
        let office = Office::default();
        let mut random = fastrand::Rng::with_seed(seed);
        let pause = Duration::from_millis(random.u64(0..80));
        let others = async {
            tokio::time::sleep(pause).await;
            // What could not be told comes again, and so does what was not sent.
            loop {
                let answer = told(&store, &outbox, stream(&engine)).await;
                let handed = std::mem::take(&mut *outbox.subjects.lock().expect("a lock"));
                if answer.is_ok() && handed.is_empty() {
                    break;
                }
            }
            let (event, mut at) = (outbox.mail_event(), now());
            while mailed(&store, &office, event.clone(), at).await != Ok((0, Vec::new())) {
                at += SignedDuration::from_secs(61);
            }
        };
        let recounts = async { while store.recount_notifications(|_| ()).await.is_err() {} };
        let second = async {
            tokio::time::sleep(pause / 2).await;
            while store.recount_notifications(|_| ()).await.is_err() {}
        };
        tokio::join!(others, recounts, second);
        met += engine.conflicts_met();
        engine.set_faults(Faults::default());
        // What the first spoilt generation held is dropped.
        assert_eq!(
            counted(&store).await.values().sum::<i64>(),
            48,
            "seed {seed}"
        );
    }
    assert!(met > 30, "{met} conflicts: they hardly met");
}

#[tokio::test]
async fn a_recount_that_stopped_half_way_is_continued() {
    let mut stopped = 0;
    for steps in 0.. {
        let engine = MemoryEngine::new().page_size(7);
        let store = Store::new(engine.clone(), 1);
        filled(&store, 40).await;
        let before = counted(&store).await;
        spoil(&store).await;
        let ended = mortal(store.recount_notifications(|_| ()), steps).await;
        stopped += u32::from(ended.is_none());
        assert_eq!(store.recount_notifications(|_| ()).await, Ok(40));
        assert_eq!(counted(&store).await, before, "after {steps} steps");
        if ended.is_some() {
            break;
        }
    }
    assert!(stopped > 20, "{stopped}");
}

#[tokio::test]
async fn a_recount_leaves_statuses_and_attempts_alone() {
    let engine = MemoryEngine::new();
    let store = Store::new(engine.clone(), 1);
    filled(&store, 40).await;
    let before = records(&store).await;
    assert_eq!(store.recount_notifications(|_| ()).await, Ok(40));
    for (id, mut record) in records(&store).await {
        assert_eq!(record.counted, Some(2));
        record.counted = Some(1);
        assert_eq!(record, before[&id]);
    }
    let failed = |status| before.values().filter(move |one| one.status == status);
    assert!(failed(Standing::Failed).count() > 0);
}
