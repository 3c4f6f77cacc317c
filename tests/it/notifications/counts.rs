//! The counters of notifications: each record counts once, under the status that it has.

use std::collections::BTreeMap;

use domain::Fault;
use domain::notification::{Kind, Standing};
use domain::preferences::{Channel, Preferences};
use edge::mail;
use jiff::SignedDuration;
use jiff::civil::Date;
use send::Posted;
use store::memory::{Faults, MemoryEngine};
use store::notifications::{Ended, Group};
use store::{Engine, Store};

use super::sending::{confirmation, told_all};
use super::support::{Office, Outbox, mailed, mortal, records, stream, told};
use super::telling::story;
use crate::support::now;

/// What the records come to, beside what the counters have.
pub async fn counted<E: Engine>(store: &Store<E>) -> BTreeMap<(Date, Group), i64> {
    let mut found = BTreeMap::new();
    for record in records(store).await.into_values() {
        *found.entry((record.day, record.group())).or_default() += 1;
    }
    let mut kept = store.notification_counts().await.expect("counters");
    kept.retain(|_, count| *count != 0);
    assert_eq!(kept, found);
    kept
}

/// How many there are by mail in each of these statuses, by the counters.
async fn mails(store: &Store<MemoryEngine>) -> [i64; 4] {
    let counted = counted(store).await;
    [
        Standing::Pending,
        Standing::Sent,
        Standing::Failed,
        Standing::Suppressed,
    ]
    .map(|wanted| {
        let mails = counted.iter().filter(|((_, (channel, _, status)), _)| {
            *channel == Channel::Email && *status == wanted
        });
        mails.map(|(_, count)| count).sum()
    })
}

#[tokio::test]
async fn a_notification_that_is_delivered_again_counts_once() {
    let engine = MemoryEngine::new();
    let (store, outbox) = told_all(&engine).await;
    let first = counted(&store).await;
    assert_eq!(first.values().sum::<i64>(), 8);
    for _ in 0..2 {
        let again = told(&store, &outbox, stream(&engine)).await;
        assert_eq!(again, Ok((0, Vec::new())));
    }
    assert_eq!(counted(&store).await, first);
    // Two at once, each from another delivery.
    let engine = MemoryEngine::new();
    let store = Store::new(engine.clone(), 1);
    story(&store).await;
    let outboxes = (Outbox::default(), Outbox::default());
    let (one, other) = tokio::join!(
        told(&store, &outboxes.0, stream(&engine)),
        told(&store, &outboxes.1, stream(&engine))
    );
    assert_eq!((one, other), (Ok((0, Vec::new())), Ok((0, Vec::new()))));
    assert_eq!(counted(&store).await, first);
}

#[tokio::test(start_paused = true)]
async fn a_notification_counts_once_when_the_function_dies_or_a_response_is_lost() {
    let mut whole = false;
    for steps in 0.. {
        let faults = Faults {
            conflict: 150,
            throttle: 100,
            lost_answer: 250,
            stale: 200,
        };
        let engine = MemoryEngine::new();
        let store = Store::new(engine.clone(), steps.into());
        story(&store).await;
        engine.set_faults(faults);
        let outbox = Outbox::default();
        whole = mortal(told(&store, &outbox, stream(&engine)), steps)
            .await
            .is_some_and(|answer| answer.is_ok());
        engine.set_faults(Faults::default());
        let again = told(&store, &outbox, stream(&engine)).await;
        assert_eq!(again, Ok((0, Vec::new())));
        assert_eq!(counted(&store).await.values().sum::<i64>(), 8);
        if whole && steps > 40 {
            break;
        }
    }
    assert!(whole);
}

#[tokio::test]
async fn a_change_of_status_is_counted_once() {
    let (store, outbox) = told_all(&MemoryEngine::new()).await;
    assert_eq!(mails(&store).await, [7, 0, 0, 0]);
    let event = outbox.mail_event();
    // One that may pass, one that is refused, and five that are taken.
    let office = Office::saying([
        Err(Fault::Transient("Throttling".to_owned())),
        Ok(Posted::Refused {
            why: "MessageRejected".to_owned(),
        }),
    ]);
    for expected in [[1, 5, 1, 0], [0, 6, 1, 0], [0, 6, 1, 0]] {
        mailed(&store, &office, event.clone(), now())
            .await
            .expect("an answer");
        assert_eq!(mails(&store).await, expected);
    }
    // One comes back, twice; it is sent again, and its customer does not want it any more.
    let name = confirmation();
    let record = records(&store).await[&name.id()].clone();
    let message_id = record.message_id.clone().unwrap_or_default();
    let refused = i64::from(record.status == Standing::Failed);
    for _ in 0..2 {
        let bounced = (Standing::Failed, "550 5.1.1");
        let noted = store
            .mail_came_back(&name, &message_id, bounced, now())
            .await;
        noted.expect("an answer");
        assert_eq!(mails(&store).await, [0, 5 + refused, 2 - refused, 0]);
    }
    let by_log = Preferences {
        channel: Channel::Log,
        ..Preferences::default()
    };
    let said = store.set_preferences("C-1", &by_log, "tests", now()).await;
    assert_eq!(said, Ok(true));
    for _ in 0..2 {
        let again = mail::resend(&store, &outbox, &name, false, "ada", now()).await;
        again.expect("an answer");
        assert_eq!(mails(&store).await, [1, 5 + refused, 1 - refused, 0]);
    }
    mailed(&store, &office, outbox.mail_event(), now())
        .await
        .expect("an answer");
    assert_eq!(mails(&store).await, [0, 5 + refused, 1 - refused, 1]);
}

#[tokio::test(start_paused = true)]
async fn two_runs_that_end_the_same_attempt_count_it_once() {
    for seed in 0..50 {
        let engine = MemoryEngine::with_faults(seed, Faults::default());
        let (store, _) = told_all(&engine).await;
        engine.set_faults(Faults {
            conflict: 200,
            lost_answer: 400,
            ..Faults::default()
        });
        let record = records(&store).await[&confirmation().id()].clone();
        let until = now() + SignedDuration::from_mins(1);
        let begun = store.begin_sending(&record, now(), until).await;
        // The response may be lost, and then another attempt has begun.
        let _begun = begun.expect("an answer");
        let record = records(&store).await[&confirmation().id()].clone();
        let (sent, failed) = (
            Ended::Sent {
                message_id: Some("ses-1".to_owned()),
            },
            Ended::Failed("no".to_owned()),
        );
        let (one, other) = tokio::join!(
            store.end_sending(&record, &sent, now()),
            store.end_sending(&record, &failed, now())
        );
        assert_eq!((one, other), (Ok(()), Ok(())));
        engine.set_faults(Faults::default());
        let [pending, sent, failed, _] = mails(&store).await;
        assert_eq!((pending, sent + failed), (6, 1), "seed {seed}");
    }
}

#[tokio::test]
async fn stats_are_those_of_the_days_that_are_asked_for() {
    let (store, _) = told_all(&MemoryEngine::new()).await;
    let today: Date = "2026-03-01".parse().expect("a day");
    let of = async |from: Date, to: Date| {
        let stats = store.notification_stats(Some(from), Some(to), now()).await;
        let stats = stats.expect("stats");
        let sum = |counts: store::notifications::Counts| counts.values().sum::<u64>();
        (sum(stats.counts), sum(stats.today))
    };
    assert_eq!(of(today, today).await, (8, 8));
    let before = today.yesterday().expect("a day");
    assert_eq!(of(before, before).await, (0, 8));
    let stats = store.notification_stats(None, None, now()).await;
    let counts = stats.expect("stats").counts;
    assert_eq!(counts[&(Channel::Log, Kind::Failed, Standing::Sent)], 1);
    assert!(counts.values().all(|count| *count > 0), "{counts:?}");
}
