//! What failed is kept, over memory: once, whole, and open again whenever a retry of it fails, whatever comes twice,
//! late or not at all.

use std::time::Duration;

use aws_lambda_events::sqs::SqsEvent;
use domain::{Fault, ids};
use edge::resend::{self, Claim, NotSent};
use edge::{Invocation, aside};
use jiff::Timestamp;
use store::failures::{Changed, FailureRecord, RetryOf, State};
use store::memory::{Faults, MemoryEngine};
use store::schema::Table;
use store::{Engine, Store};

use crate::support::failed::{MemorySources, message, put_aside, received};
use crate::support::memory::delivered;
use crate::support::now;

fn later(seconds: i64) -> Timestamp {
    now() + jiff::SignedDuration::from_secs(seconds)
}

fn at(now: Timestamp) -> Invocation {
    Invocation {
        now,
        remaining: Duration::from_secs(20),
        draw: 1,
    }
}

async fn bury<E: Engine>(store: &Store<E>, event: SqsEvent, now: Timestamp) {
    let answer = bury::handle(store, event, at(now)).await.expect("answered");
    assert!(answer.batch_item_failures.is_empty());
}

fn malformed(why: &str) -> Fault {
    Fault::Malformed(why.to_owned())
}

async fn record<E: Engine>(store: &Store<E>, failure_id: &str) -> FailureRecord {
    let found = store.failure(failure_id).await.expect("an answer");
    found.expect("a failure")
}

async fn retry<E: Engine>(
    store: &Store<E>,
    sources: &MemorySources,
    failure_id: &str,
    token: &str,
    again: bool,
) -> Result<Changed, Fault> {
    let claim = Claim {
        token,
        again,
        by: "tests",
    };
    resend::retry(store, sources, failure_id, claim, later(60)).await
}

/// A store with one failure, "garbage", and its id.
async fn with_failure() -> (MemoryEngine, Store<MemoryEngine>, String) {
    let engine = MemoryEngine::new();
    let store = Store::new(engine.clone(), 1);
    let mut original = message("m-1", "garbage", []);
    original
        .attributes
        .insert("MessageGroupId".to_owned(), "im_1".to_owned());
    let mut event = put_aside("d-1", &original, &malformed("not a batch"));
    event.records[0].attributes = original.attributes;
    bury(&store, event, now()).await;
    (engine, store, ids::failure_id("batches", "m-1"))
}

#[tokio::test]
async fn every_delivery_and_every_copy_is_one_failure() {
    let engine = MemoryEngine::new();
    let store = Store::new(engine.clone(), 1);
    for delivery in 0..3 {
        bury(&store, delivered("bury", delivery), later(delivery as i64)).await;
    }
    // A function that dies between putting a message aside and saying so puts it aside again.
    let mut copied = delivered("bury", 3);
    copied.records[0].message_id = Some("another-copy".to_owned());
    bury(&store, copied, later(9)).await;
    assert_eq!(engine.items(Table::Failures).len(), 2);

    let listed = store.failures_of("batches").await.expect("a list");
    assert_eq!(listed.len(), 2);
    assert!(listed.iter().all(|failure| failure.attempts == 1
        && failure.state == State::Open
        && failure.buried_at == now()));
    let told = ids::failure_id("batches", "6f1c2b1e-0000-4000-8000-000000000002");
    let told = record(&store, &told).await;
    assert_eq!(
        (told.payload.as_str(), told.listed.fault.as_str()),
        ("not a batch", "Malformed")
    );
    assert!(told.listed.reason.starts_with("not a batch: "));
    let moved = ids::failure_id("batches", "6f1c2b1e-0000-4000-8000-000000000102");
    let moved = record(&store, &moved).await;
    assert_eq!(moved.listed.fault, "Transient");
    assert!(moved.listed.reason.contains("too often"));
    assert_eq!(moved.group.as_deref(), Some("im_0000000000000000"));
    assert!(serde_json::from_str::<domain::Batch>(&moved.payload).is_ok());
}

#[tokio::test]
async fn what_cannot_be_kept_stays_in_the_dead_letter_queue() {
    let engine = MemoryEngine::new();
    let store = Store::new(engine.clone(), 1);
    engine.set_faults(Faults {
        throttle: 1_000,
        ..Faults::default()
    });
    let event = delivered("bury", 1);
    let answer = bury::handle(&store, event.clone(), at(now())).await;
    let answer = answer.expect("answered");
    let left: Vec<&str> = answer
        .batch_item_failures
        .iter()
        .map(|failure| failure.item_identifier.as_str())
        .collect();
    let sent: Vec<&str> = event
        .records
        .iter()
        .filter_map(|message| message.message_id.as_deref())
        .collect();
    assert_eq!(left, sent);
    assert!(engine.items(Table::Failures).is_empty());
}

#[tokio::test]
async fn a_retry_that_fails_opens_its_record_again_and_stale_copies_change_nothing() {
    let (engine, store, id) = with_failure().await;
    let sources = MemorySources::default();
    let answer = retry(&store, &sources, &id, "one", false).await;
    assert!(matches!(answer, Ok(Changed::Done(_))), "{answer:?}");
    let retried = record(&store, &id).await;
    assert_eq!(retried.listed.state, State::Retried);
    assert_eq!(retried.listed.retried_at, Some(later(60)));
    let kept = retried.expires.expect("an end") - now().as_second();
    assert_eq!(kept, 60 + 90 * 86_400);
    let [first] = &sources.take()[..] else {
        panic!("one message")
    };
    assert_eq!(
        (
            first.body.as_str(),
            first.group.as_deref(),
            first.retry.attempt
        ),
        ("garbage", Some("im_1"), 1)
    );

    let failed = received("m-2", first);
    let again = put_aside("d-2", &failed, &Fault::Corrupt("worse".to_owned()));
    for seconds in [70, 80] {
        bury(&store, again.clone(), later(seconds)).await;
    }
    let open = record(&store, &id).await;
    assert_eq!((open.listed.state, open.listed.attempts), (State::Open, 2));
    assert_eq!(
        (open.listed.fault.as_str(), open.listed.reason.as_str()),
        ("Corrupt", "worse")
    );
    assert_eq!(
        (open.listed.first_at, open.listed.buried_at),
        (now(), later(70))
    );
    assert_eq!((open.expires, open.payload.as_str()), (None, "garbage"));

    // The second retry is on its way when another copy of the first is put aside.
    assert!(retry(&store, &sources, &id, "two", false).await.is_ok());
    let stale = put_aside("d-3", &received("m-3", first), &malformed("stale"));
    bury(&store, stale, later(90)).await;
    let retried = record(&store, &id).await;
    assert_eq!(
        (retried.listed.state, retried.listed.attempts),
        (State::Retried, 2)
    );
    assert_eq!(sources.take()[0].retry.attempt, 2);
    assert_eq!(engine.items(Table::Failures).len(), 1);
}

#[tokio::test]
async fn a_message_that_only_claims_to_be_a_retry_is_a_failure_of_its_own() {
    let (engine, store, id) = with_failure().await;
    let sources = MemorySources::default();
    assert!(retry(&store, &sources, &id, "one", false).await.is_ok());
    let mut strange = sources.take().remove(0);
    strange.body = "something else".to_owned();
    let event = put_aside("d-2", &received("m-2", &strange), &malformed("other"));
    bury(&store, event, later(70)).await;
    strange.retry.failure_id = "fl_of_nobody".to_owned();
    let event = put_aside("d-3", &received("m-3", &strange), &malformed("gone"));
    bury(&store, event, later(70)).await;
    assert_eq!(engine.items(Table::Failures).len(), 3);
    assert_eq!(record(&store, &id).await.listed.state, State::Retried);
    for message in ["m-2", "m-3"] {
        let own = record(&store, &ids::failure_id("batches", message)).await;
        assert_eq!((own.listed.attempts, own.listed.state), (1, State::Open));
    }
}

#[tokio::test]
async fn of_two_who_retry_at_once_one_does() {
    let (_, store, id) = with_failure().await;
    let sources = MemorySources::default();
    let (one, other) = tokio::join!(
        retry(&store, &sources, &id, "one", false),
        retry(&store, &sources, &id, "other", false),
    );
    let done = [one, other].map(|answer| matches!(answer, Ok(Changed::Done(_))));
    assert_eq!(done.iter().filter(|done| **done).count(), 1);
    assert_eq!(sources.take().len(), 1);
    // Once more is refused, and says since when; --again does it all the same.
    let answer = retry(&store, &sources, &id, "three", false).await;
    let Ok(Changed::Refused(found)) = answer else {
        panic!("{answer:?}")
    };
    assert_eq!(
        (found.listed.state, found.listed.since()),
        (State::Retried, later(60))
    );
    let answer = retry(&store, &sources, &id, "four", true).await;
    assert!(matches!(answer, Ok(Changed::Done(_))));
    assert_eq!(sources.take().len(), 1);
    let nobody = retry(&store, &sources, "fl_of_nobody", "five", true).await;
    assert_eq!(nobody, Ok(Changed::Unknown));
}

#[tokio::test]
async fn what_was_not_sent_stands_open_and_what_nobody_knows_says_so() {
    let (_, store, id) = with_failure().await;
    let sources = MemorySources::default();
    let refuse = |refusal| sources.refusals.lock().expect("a lock").push(refusal);

    refuse(NotSent::Surely(Fault::Refused("no such queue".to_owned())));
    let answer = retry(&store, &sources, &id, "one", false).await;
    assert!(matches!(answer, Err(Fault::Refused(_))), "{answer:?}");
    let open = record(&store, &id).await;
    assert_eq!(
        (open.listed.state, open.listed.retried_at),
        (State::Open, None)
    );

    refuse(NotSent::Perhaps("no answer".to_owned()));
    let answer = retry(&store, &sources, &id, "two", false).await;
    assert!(matches!(answer, Err(Fault::Transient(_))), "{answer:?}");
    assert_eq!(record(&store, &id).await.listed.state, State::Retrying);
    // As after a process that died: nobody takes it by accident, and whoever wants to may.
    let answer = retry(&store, &sources, &id, "three", false).await;
    assert!(matches!(answer, Ok(Changed::Refused(_))), "{answer:?}");
    let answer = retry(&store, &sources, &id, "four", true).await;
    assert!(matches!(answer, Ok(Changed::Done(_))), "{answer:?}");
    assert_eq!(sources.take().len(), 1);
}

#[tokio::test]
async fn discarded_is_what_is_open_and_a_retry_brings_it_back() {
    let (_, store, id) = with_failure().await;
    let sources = MemorySources::default();
    for _ in 0..2 {
        let answer = store.discard_failure(&id, "tests", later(10)).await;
        assert!(matches!(answer, Ok(Changed::Done(_))), "{answer:?}");
    }
    let answer = store.discard_failure(&id, "tests", later(11)).await;
    let Ok(Changed::Refused(found)) = answer else {
        panic!("{answer:?}")
    };
    assert_eq!(
        (found.listed.state, found.listed.since()),
        (State::Discarded, later(10))
    );
    assert!(found.expires.is_some());
    let answer = retry(&store, &sources, &id, "one", false).await;
    assert!(matches!(answer, Ok(Changed::Refused(_))), "{answer:?}");
    let answer = retry(&store, &sources, &id, "two", true).await;
    assert!(matches!(answer, Ok(Changed::Done(_))), "{answer:?}");
    assert_eq!(record(&store, &id).await.listed.discarded_at, None);
    let answer = store.discard_failure(&id, "tests", later(70)).await;
    assert!(matches!(answer, Ok(Changed::Refused(_))), "{answer:?}");
    // What was retried and fails stands open, also where somebody had given it up.
    let failed = received("m-2", &sources.take()[0]);
    bury(
        &store,
        put_aside("d-2", &failed, &malformed("still")),
        later(80),
    )
    .await;
    let open = record(&store, &id).await;
    assert_eq!((open.listed.state, open.listed.attempts), (State::Open, 2));
    assert_eq!((open.listed.discarded_at, open.expires), (None, None));
    let nobody = store.discard_failure("fl_of_nobody", "tests", now()).await;
    assert_eq!(nobody, Ok(Changed::Unknown));
}

#[tokio::test]
async fn what_was_sent_says_so_even_if_it_was_discarded_meanwhile() {
    for sent in [true, false] {
        let (_, store, id) = with_failure().await;
        let claimed = store
            .claim_failure(&id, "one", false, "tests", later(1))
            .await;
        assert!(matches!(claimed, Ok(Changed::Done(_))), "{claimed:?}");
        let discarded = store.discard_failure(&id, "tests", later(2)).await;
        assert!(matches!(discarded, Ok(Changed::Done(_))), "{discarded:?}");
        let (said, state) = if sent {
            let said = store.failure_was_sent(&id, "one", later(3)).await;
            (said, State::Retried)
        } else {
            let said = store.failure_was_not_sent(&id, "one").await;
            (said, State::Discarded)
        };
        assert_eq!(said, Ok(()));
        assert_eq!(record(&store, &id).await.listed.state, state);
    }
}

/// A retry may fail before its sender comes to say that it was sent: what is newer stands.
#[tokio::test]
async fn a_retry_that_fails_at_once_stays_open() {
    let (_, store, id) = with_failure().await;
    let claimed = store
        .claim_failure(&id, "one", false, "tests", later(1))
        .await;
    assert!(matches!(claimed, Ok(Changed::Done(_))), "{claimed:?}");
    let retry = RetryOf {
        failure_id: id.clone(),
        attempt: 1,
    };
    let failed = message("m-2", "garbage", aside::of_retry(&retry));
    let event = put_aside("d-2", &failed, &malformed("still"));
    bury(&store, event, later(2)).await;
    let said = store.failure_was_sent(&id, "one", later(3)).await;
    assert_eq!(said, Ok(()));
    let open = record(&store, &id).await;
    assert_eq!((open.listed.state, open.listed.attempts), (State::Open, 2));
}

/// Whoever does what, in whatever sequence: what is open is kept, and what is resolved has an end.
#[tokio::test]
async fn nothing_open_expires_and_nothing_counts_down() {
    for seed in 0..50 {
        let (_, store, id) = with_failure().await;
        let mut random = fastrand::Rng::with_seed(seed);
        let mut attempts = 1;
        for step in 0..60 {
            let token = ["one", "two", "three"][random.usize(..3)];
            let at = later(step);
            match random.u8(..5) {
                0 => drop(
                    store
                        .claim_failure(&id, token, random.bool(), "tests", at)
                        .await,
                ),
                1 => drop(store.failure_was_sent(&id, token, at).await),
                2 => drop(store.failure_was_not_sent(&id, token).await),
                3 => drop(store.discard_failure(&id, "tests", at).await),
                _ => {
                    let retry = RetryOf {
                        failure_id: id.clone(),
                        attempt: random.u32(1..=attempts),
                    };
                    let event = put_aside(
                        "d-2",
                        &message("m-2", "garbage", aside::of_retry(&retry)),
                        &malformed("still"),
                    );
                    bury(&store, event, at).await;
                    attempts += u32::from(retry.attempt == attempts);
                }
            }
            let record = record(&store, &id).await;
            let state = record.listed.state;
            assert_eq!(record.listed.attempts, attempts, "seed {seed}, step {step}");
            assert_eq!(
                (
                    record.expires.is_none(),
                    record.listed.discarded_at.is_some()
                ),
                (state.is_unresolved(), state == State::Discarded),
                "seed {seed}, step {step}: {record:?}"
            );
        }
    }
}

/// Throttles and lost answers at every step: five rounds of failing and retrying are counted as five.
#[tokio::test(start_paused = true)]
async fn lost_answers_count_nothing_twice() {
    let mut lost = 0;
    for seed in 0..100 {
        let engine = MemoryEngine::with_faults(
            seed,
            Faults {
                throttle: 100,
                lost_answer: 150,
                ..Faults::default()
            },
        );
        let store = Store::new(engine.clone(), seed);
        let sources = MemorySources::default();
        let id = ids::failure_id("batches", "m-0");
        let mut failing = message("m-0", "garbage", []);
        for round in 1..=5 {
            let event = put_aside(&format!("d-{round}"), &failing, &malformed("still"));
            for _ in 0..2 {
                bury(&store, event.clone(), later(round)).await;
            }
            let open = record(&store, &id).await;
            assert_eq!(
                (open.listed.state, i64::from(open.listed.attempts)),
                (State::Open, round),
                "seed {seed}"
            );
            let token = format!("{seed}-{round}");
            let answer = retry(&store, &sources, &id, &token, false).await;
            assert!(matches!(answer, Ok(Changed::Done(_))), "seed {seed}");
            assert_eq!(record(&store, &id).await.listed.state, State::Retried);
            let sent = sources.take();
            assert_eq!(sent.len(), 1, "seed {seed}");
            failing = received(&format!("m-{round}"), &sent[0]);
        }
        assert_eq!(engine.items(Table::Failures).len(), 1);
        lost += engine.injected().lost_answers;
    }
    assert!(lost > 100, "too little was lost to prove anything: {lost}");
}
