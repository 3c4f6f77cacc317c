//! What is stuck, and what people do about it.

use domain::Fault;
use edge::figures::Rebuild;
use edge::resend::NotSent;
use jiff::SignedDuration;
use serde_json::{Value, json};
use store::failures::Buried;

use super::bench::{Answer, Bench, Call, call};
use crate::support::now;

/// Puts a failure aside, so many minutes after the first.
async fn bury(bench: &Bench, id: &str, queue: &str, fault: &str, minutes: i64) {
    let buried = Buried {
        failure_id: id.to_owned(),
        queue: queue.to_owned(),
        fault: fault.to_owned(),
        reason: "not a batch".to_owned(),
        payload: format!("the message of {id}"),
        group: None,
    };
    let at = now() + SignedDuration::from_mins(minutes);
    bench.store.bury(&buried, at).await.expect("buried");
}

fn retry(id: &str, query: &str) -> Call {
    call("POST", &format!("/failures/{id}/retry{query}")).caller("ada")
}

fn discard(id: &str) -> Call {
    call("DELETE", &format!("/failures/{id}")).caller("bob")
}

async fn failure(bench: &Bench, id: &str) -> Value {
    let answer = bench.get(&format!("/failures/{id}")).await;
    answer.data().clone()
}

fn is_refused(answer: &Answer) {
    assert_eq!(answer.problem(), (409, "wrong_state"));
}

#[tokio::test]
async fn a_message_is_sent_again_once_and_by_whom_is_on_record() {
    let bench = Bench::new();
    bury(&bench, "fl_1", "batches", "Malformed", 0).await;
    let shown = failure(&bench, "fl_1").await;
    let expected = json!({
        "failure_id": "fl_1", "queue": "batches", "state": "OPEN", "fault": "Malformed", "reason": "not a batch",
        "attempts": 1, "first_at": "2026-03-01T12:00:00Z", "buried_at": "2026-03-01T12:00:00Z", "retried_at": null,
        "discarded_at": null, "decided_by": null, "payload": "the message of fl_1",
    });
    assert_eq!(shown, expected);
    let retried = bench.ask(retry("fl_1", "")).await;
    assert_eq!(retried.data()["state"], "RETRIED");
    assert_eq!(retried.data()["retried_at"], "2026-03-01T12:00:00Z");
    let [sent] = bench.done.sources.take().try_into().expect("one message");
    assert_eq!(
        (sent.queue.as_str(), sent.body.as_str()),
        ("batches", "the message of fl_1")
    );
    let after = failure(&bench, "fl_1").await;
    assert_eq!(
        (&after["state"], &after["decided_by"]),
        (&json!("RETRIED"), &json!("ada"))
    );
    is_refused(&bench.ask(retry("fl_1", "")).await);
    is_refused(&bench.ask(retry("fl_1", "?again=false")).await);
    is_refused(&bench.ask(discard("fl_1")).await);
    assert_eq!(bench.done.sources.take(), []);
    let again = bench.ask(retry("fl_1", "?again=true").caller("eve")).await;
    assert_eq!(again.status, 200);
    assert_eq!(bench.done.sources.take().len(), 1);
    assert_eq!(failure(&bench, "fl_1").await["decided_by"], "eve");
    let odd = bench.ask(retry("fl_1", "?again=yes")).await;
    assert_eq!(odd.problem(), (400, "invalid_parameter"));
}

#[tokio::test]
async fn a_message_that_is_left_comes_back_only_on_purpose() {
    let bench = Bench::new();
    bury(&bench, "fl_1", "batches", "Malformed", 0).await;
    let discarded = bench.ask(discard("fl_1")).await;
    assert_eq!(discarded.data()["state"], "DISCARDED");
    assert_eq!(failure(&bench, "fl_1").await["decided_by"], "bob");
    // A moment later, for a repetition of the same instant is the same request.
    bench.wait(SignedDuration::from_secs(1));
    is_refused(&bench.ask(discard("fl_1").caller("eve")).await);
    assert_eq!(failure(&bench, "fl_1").await["decided_by"], "bob");
    is_refused(&bench.ask(retry("fl_1", "")).await);
    let back = bench.ask(retry("fl_1", "?again=true")).await;
    assert_eq!(back.data()["state"], "RETRIED");
    for unknown in [
        retry("fl_9", ""),
        discard("fl_9"),
        call("GET", "/failures/fl_9"),
    ] {
        assert_eq!(bench.ask(unknown).await.problem(), (404, "not_found"));
    }
}

#[tokio::test]
async fn a_queue_that_does_not_take_it_leaves_it_open_or_in_doubt() {
    let bench = Bench::new();
    bury(&bench, "fl_1", "batches", "Malformed", 0).await;
    bury(&bench, "fl_2", "gone", "Malformed", 0).await;
    is_refused(&bench.ask(retry("fl_2", "")).await);
    let refusals = &bench.done.sources.refusals;
    let refuse = |how| refusals.lock().expect("a lock").push(how);
    let why = "AccessDenied: arn:aws:sts::123456789012:assumed-role/ordermill-command";
    refuse(NotSent::Surely(Fault::Refused(why.to_owned())));
    let refused = bench.ask(retry("fl_1", "")).await;
    is_refused(&refused);
    assert!(!refused.text.contains("arn"), "{}", refused.text);
    assert_eq!(failure(&bench, "fl_1").await["state"], "OPEN");
    refuse(NotSent::Surely(Fault::Transient(why.to_owned())));
    let busy = bench.ask(retry("fl_1", "")).await;
    assert_eq!(busy.problem(), (503, "unavailable"));
    assert!(!busy.text.contains("arn"), "{}", busy.text);
    assert_eq!(failure(&bench, "fl_1").await["state"], "OPEN");
    refuse(NotSent::Perhaps("no answer".to_owned()));
    let doubtful = bench.ask(retry("fl_1", "")).await;
    assert_eq!(doubtful.problem(), (503, "unavailable"));
    assert_eq!(failure(&bench, "fl_1").await["state"], "RETRYING");
    is_refused(&bench.ask(retry("fl_1", "")).await);
    let again = bench.ask(retry("fl_1", "?again=true")).await;
    assert_eq!(again.data()["state"], "RETRIED");
}

#[tokio::test]
async fn failures_are_listed_by_what_is_known_of_them() {
    let bench = Bench::new();
    for number in 0..9 {
        let queue = if number % 3 == 0 {
            "refunds"
        } else {
            "batches"
        };
        let fault = if number % 2 == 0 {
            "Malformed"
        } else {
            "Corrupt"
        };
        bury(&bench, &format!("fl_{number}"), queue, fault, number).await;
    }
    bench.ask(retry("fl_1", "")).await;
    bench.ask(discard("fl_2")).await;
    for (query, expected) in [
        ("", &[8, 7, 5, 4, 6, 3, 0][..]),
        ("state=open", &[8, 7, 5, 4, 6, 3, 0]),
        ("state=retried", &[1]),
        ("state=discarded", &[2]),
        ("state=all&queue=batches", &[8, 7, 5, 4, 2, 1]),
        ("queue=refunds", &[6, 3, 0]),
        ("fault=Corrupt", &[7, 5, 3]),
        ("since=2026-03-01T12:05:00Z", &[8, 7, 5, 6]),
        ("queue=elsewhere", &[]),
    ] {
        for limit in [1, 2, 100] {
            let (mut found, mut cursor) = (Vec::new(), String::new());
            loop {
                let path = format!("/failures?{query}&limit={limit}{cursor}");
                let page = bench.get(&path).await;
                let rows = page.data().as_array().expect("rows");
                assert!(rows.iter().all(|row| row.get("payload").is_none()));
                found.extend(
                    rows.iter()
                        .map(|row| row["failure_id"].as_str().expect("an id").to_owned()),
                );
                let Some(next) = page.body["next"].as_str() else {
                    break;
                };
                cursor = format!("&cursor={next}");
                assert!(found.len() < 20);
            }
            let expected: Vec<String> = expected
                .iter()
                .map(|number| format!("fl_{number}"))
                .collect();
            assert_eq!(found, expected, "{query}, {limit} at a time");
        }
    }
    for wrong in [
        "state=OPEN",
        "fault=malformed",
        "since=yesterday",
        "limit=0",
    ] {
        let answer = bench.get(&format!("/failures?{wrong}")).await;
        assert_eq!(answer.problem(), (400, "invalid_parameter"), "{wrong}");
    }
    let forged = bench.get("/failures?cursor=x").await;
    assert_eq!(forged.problem(), (422, "invalid_cursor"));
}

#[tokio::test]
async fn a_queue_is_paused_and_goes_on() {
    let bench = Bench::new();
    let queues = |state: &str| {
        json!([
            {"name": "batches", "waiting": 3, "in_flight": 2, "dead": 1, "state": state},
            {"name": "bulk_batches", "waiting": 40, "in_flight": 20, "dead": 0, "state": "working"},
        ])
    };
    assert_eq!(bench.get("/queues").await.data(), &queues("working"));
    for (wish, state) in [
        ("pause", "paused"),
        ("pause", "paused"),
        ("continue", "working"),
    ] {
        let answer = bench
            .ask(call("POST", &format!("/queues/batches/{wish}")))
            .await;
        assert_eq!(answer.data(), &json!({"name": "batches", "state": state}));
        assert_eq!(bench.get("/queues").await.data(), &queues(state));
        let unknown = bench
            .ask(call("POST", &format!("/queues/none/{wish}")))
            .await;
        assert_eq!(unknown.problem(), (404, "not_found"));
    }
}

#[tokio::test]
async fn a_wish_for_new_figures_is_a_message() {
    let bench = Bench::new();
    let rebuild = |query: &str| call("POST", &format!("/leaderboard/rebuild{query}"));
    for (query, date) in [
        ("", json!(null)),
        ("?date=2026-03-01", json!("2026-03-01")),
        ("", json!(null)),
    ] {
        let answer = bench.ask(rebuild(query)).await;
        assert_eq!(
            (answer.status, answer.data()),
            (202, &json!({"date": date}))
        );
    }
    let wrong = bench.ask(rebuild("?date=2026-02-30")).await;
    assert_eq!(wrong.problem(), (400, "invalid_parameter"));
    *bench.done.is_down.lock().expect("a lock") = true;
    assert_eq!(bench.ask(rebuild("")).await.problem(), (503, "unavailable"));
    let day = Rebuild::Day("2026-03-01".parse().expect("a day"));
    let mut sent = bench.done.rebuilds.lock().expect("a lock").clone();
    sent.truncate(3);
    assert_eq!(sent, [Rebuild::Everything, day, Rebuild::Everything]);
}
