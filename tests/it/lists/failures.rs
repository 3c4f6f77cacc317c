//! Failures: queue by queue, and within a queue what was put aside last comes first.

use fastrand::Rng;
use jiff::Timestamp;
use store::failures::{Buried, Listed, RetryOf, State};
use store::lists::failures::FailureFilter;
use store::{Engine, Store};

use super::{none_lost, small_pages, sometime, turned};
use crate::support::now;

const QUEUES: [&str; 3] = ["batches", "imports", "entries"];

/// One more failure, about which some of the time somebody decides.
pub async fn add<E: Engine>(store: &Store<E>, random: &mut Rng, at: Timestamp) {
    let id = format!("fl_{:016x}", random.u64(..));
    let buried = Buried {
        failure_id: id.clone(),
        queue: QUEUES[random.usize(..3)].to_owned(),
        fault: ["Malformed", "Corrupt"][random.usize(..2)].to_owned(),
        reason: "no".to_owned(),
        payload: "p".to_owned(),
        group: None,
    };
    store.bury(&buried, at).await.expect("buried");
    match random.u8(..4) {
        0 => {
            let discarded = store.discard_failure(&id, "tests", now()).await;
            discarded.expect("discarded");
        }
        1 => {
            let retry = RetryOf {
                failure_id: id,
                attempt: 1,
            };
            let again = store.bury_again(&retry, &buried, sometime(random)).await;
            assert_eq!(again, Ok(true));
        }
        _ => {}
    }
}

#[tokio::test]
async fn pages_of_failures_are_what_looking_at_all_finds() {
    let mut random = Rng::with_seed(1);
    let (_, store) = small_pages();
    for _ in 0..300 {
        let at = sometime(&mut random);
        add(&store, &mut random, at).await;
    }
    let mut listed = 0;
    for round in 0..100 {
        let mut queues = QUEUES.to_vec();
        queues.extend(["", "batches", "nothing"]);
        random.shuffle(&mut queues);
        queues.truncate(random.usize(..7));
        let states = [
            &[][..],
            &[State::Open, State::Retrying],
            &[State::Discarded],
        ];
        let filter = FailureFilter {
            queues: &queues,
            states: states[random.usize(..3)],
            fault: [None, Some("corrupt")][random.usize(..2)],
            since: random.bool().then(|| sometime(&mut random)),
        };
        let is_like = |failure: &Listed| {
            filter.queues.contains(&&*failure.queue)
                && (filter.states.is_empty() || filter.states.contains(&failure.state))
                && filter.fault.is_none_or(|_| failure.fault == "Corrupt")
                && filter.since.is_none_or(|since| failure.buried_at >= since)
        };
        let mut before: Vec<Listed> = Vec::new();
        for queue in filter.queues {
            let known = before.iter().any(|failure| failure.queue == **queue);
            if queue.is_empty() || known {
                continue;
            }
            let mut failures = store.failures_of(queue).await.expect("failures");
            failures.reverse();
            before.extend(failures.into_iter().filter(is_like));
        }
        let adds = round % 2 == 0;
        let found = turned(
            &mut random,
            async |limit, position| store.list_failures(&filter, limit, position).await,
            async |random| {
                if adds && random.u8(..4) == 0 {
                    add(&store, random, now()).await;
                }
            },
        )
        .await;
        assert!(found.iter().all(is_like));
        let ids = |failures: &[Listed]| -> Vec<String> {
            let ids = failures.iter().map(|failure| failure.failure_id.clone());
            ids.collect()
        };
        none_lost(&ids(&found), &ids(&before));
        if !adds {
            assert_eq!(found, before, "{filter:?}");
        }
        for queue in QUEUES {
            let of_queue = found.iter().filter(|failure| failure.queue == queue);
            assert!(of_queue.map(|failure| failure.buried_at).rev().is_sorted());
        }
        listed += before.len();
    }
    assert!(listed > 3_000, "{listed}");
}
