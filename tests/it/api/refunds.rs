//! Refunds by request: asked for three ways, repeated, refused, taken back and tried again.

use domain::refund::RefundStatus;
use serde_json::{Value, json};
use store::schema::Table;

use super::bench::{Answer, Bench, Call, call};
use crate::lifecycle::support::units;
use crate::refunds::bank::{Bank, worked_off};
use crate::refunds::support::{cents, kept, refund, sold, sold_through};
use crate::support::{approving, batch, drift, order, saga, stock, tally_and_verify};

fn wish(key: &str, body: Value) -> Call {
    call("POST", "/orders/O-1/refunds").key(key).json(body)
}

fn amount(amount: &str) -> Value {
    json!({"amount": amount, "reason": "broken"})
}

fn id(answer: &Answer) -> String {
    let id = answer.data()["refund_id"].as_str();
    id.expect("an id").to_owned()
}

fn is_replay(answer: &Answer) -> bool {
    answer.header("idempotent-replayed") == Some("true")
}

fn sent(bench: &Bench) -> Vec<String> {
    std::mem::take(&mut bench.done.refunds.lock().expect("a lock"))
}

/// Three of A and two of B, for 49.95.
async fn mill() -> (Bench, Bank) {
    let (bench, bank) = (Bench::new(), Bank::new(0, 0));
    sold_through(&bench.store, &bank, "O-1", &[("A", 3), ("B", 2)]).await;
    (bench, bank)
}

#[tokio::test]
async fn an_amount_and_lines_and_what_is_left_go_back() {
    let (bench, bank) = mill().await;
    let lines = json!([{"sku": "A", "quantity": 2, "restock": true}, {"sku": "B", "quantity": 1}]);
    let shown = |sku: &str, quantity: u32, restock: bool| json!({"sku": sku, "quantity": quantity, "unit_price": "9.99", "restock": restock});
    for (key, body, kind, amount, lines) in [
        ("a", amount("10"), "partial", "10.00", json!([])),
        (
            "b",
            json!({"lines": lines, "reason": "came back"}),
            "partial",
            "29.97",
            json!([shown("A", 2, true), shown("B", 1, false)]),
        ),
        (
            "c",
            json!({"full": true, "reason": "never came"}),
            "full",
            "9.98",
            json!([]),
        ),
    ] {
        let answer = bench.ask(wish(key, body.clone())).await;
        assert_eq!((answer.status, is_replay(&answer)), (202, false), "{key}");
        let refund_id = id(&answer);
        let url = format!("/refunds/{refund_id}");
        assert_eq!(answer.header("location"), Some(url.as_str()));
        let expected = json!({
            "refund_id": refund_id, "url": url, "order_id": "O-1", "customer_id": "C-1", "currency": "USD",
            "amount": amount, "type": kind, "lines": lines, "reason": body["reason"], "requested_by": "tests",
            "status": "pending", "attempts": 0, "failure": null, "reference": null,
            "created_at": "2026-03-01T12:00:00Z", "ended_at": null, "retried_by": null, "cancelled_by": null,
        });
        assert_eq!(answer.data(), &expected, "{key}");
        assert_eq!(bench.get(&url).await.data(), &expected, "{key}");
        assert_eq!(sent(&bench), std::slice::from_ref(&refund_id));
        worked_off(&bench.store, &bank, &[refund_id]).await;
        let done = bench.get(&url).await;
        assert_eq!(done.data()["status"], "completed");
        assert!(done.data()["reference"].is_string());
    }
    let order = bench.get("/orders/O-1").await;
    for (field, value) in [
        ("refunded", "49.95"),
        ("refunding", "0.00"),
        ("refundable", "0.00"),
        ("payment_status", "refunded"),
        ("status", "COMPLETED"),
    ] {
        assert_eq!(order.data()[field], value, "{field}");
    }
    assert_eq!(units(&bench.store, "A").await, (999, 1));
    assert_eq!(units(&bench.store, "B").await, (998, 2));
    let report = tally_and_verify(&bench.store).await;
    assert!(drift(&report).is_empty(), "{report:#?}");
}

#[tokio::test]
async fn three_ways_lead_to_the_same_refund() {
    let (bench, _) = mill().await;
    let first = bench.ask(wish("k", amount("5"))).await;
    let of_old = call("POST", "/orders/O-1").key("k").json(amount("5.00"));
    let named = json!({"reason": "broken", "amount": "5.0", "order_id": "O-1"});
    for other in [of_old, call("POST", "/refunds").key("k").json(named)] {
        let again = bench.ask(other).await;
        assert!(is_replay(&again));
        assert_eq!((again.status, &again.text), (202, &first.text));
        assert_eq!(again.header("location"), first.header("location"));
    }
    assert_eq!(bench.engine.items(Table::Refunds).len(), 1);
    let nameless = call("POST", "/refunds").key("l").json(amount("5"));
    let nameless = bench.ask(nameless).await;
    assert_eq!(nameless.problem(), (400, "missing_field"));
    assert_eq!(nameless.body["field"], "order_id");
}

#[tokio::test]
async fn whoever_repeats_a_request_gets_the_first_answer_whatever_happened_since() {
    let (bench, bank) = mill().await;
    let lines = json!({"lines": [{"sku": "B", "quantity": 2, "restock": true}], "reason": "x"});
    let full = json!({"full": true, "reason": "x"});
    let wishes = [("a", amount("1.50")), ("b", lines), ("c", full)];
    let mut firsts = Vec::new();
    for (key, body) in &wishes {
        let first = bench.ask(wish(key, body.clone())).await;
        assert_eq!((first.status, is_replay(&first)), (202, false));
        firsts.push(first);
    }
    let ids: Vec<String> = firsts.iter().map(id).collect();
    let again = async |sends: bool| {
        for ((key, body), first) in wishes.iter().zip(&firsts) {
            let again = bench.ask(wish(key, body.clone())).await;
            assert!(is_replay(&again), "{key}");
            assert_eq!((again.status, &again.text), (202, &first.text), "{key}");
            assert_eq!(again.header("location"), first.header("location"));
        }
        assert_eq!(sent(&bench), if sends { &ids[..] } else { &[] });
    };
    assert_eq!(sent(&bench), ids);
    // The message of one that is open may have been lost.
    again(true).await;
    bank.refuse(&ids[0], 1);
    worked_off(&bench.store, &bank, &ids[..2]).await;
    let statuses = async || {
        let mut statuses = Vec::new();
        for id in &ids {
            statuses.push(refund(&bench.store, id).await.status);
        }
        statuses
    };
    let (failed, completed) = (RefundStatus::Failed, RefundStatus::Completed);
    let expected = [failed, completed, RefundStatus::Pending];
    assert_eq!(statuses().await, expected);
    for (key, body) in &wishes[..2] {
        let answer = bench.ask(wish(key, body.clone())).await;
        assert!(is_replay(&answer));
    }
    assert!(sent(&bench).is_empty());
    let retry = call("POST", &format!("/refunds/{}/retry", ids[0]));
    assert_eq!(bench.ask(retry).await.status, 200);
    assert_eq!(sent(&bench), ids[..1]);
    worked_off(&bench.store, &bank, &ids).await;
    assert_eq!(statuses().await, [completed; 3]);
    assert_eq!(kept(&bench.store, "O-1").await.refundable, cents(0));
    again(false).await;
}

#[tokio::test]
async fn what_cannot_go_back_is_refused_and_leaves_no_trace() {
    let (bench, _) = mill().await;
    let lines = |lines: Value| json!({"lines": lines, "reason": "x"});
    for (body, problem, field) in [
        (amount("49.96"), (409, "not_refundable"), "refundable"),
        (
            amount("999999999999999"),
            (409, "not_refundable"),
            "refundable",
        ),
        (
            lines(json!([{"sku": "A", "quantity": 4}])),
            (409, "not_refundable"),
            "refundable",
        ),
        (
            lines(json!([{"sku": "Z", "quantity": 1}])),
            (409, "not_refundable"),
            "refundable",
        ),
        (amount("1.005"), (422, "unprocessable"), "detail"),
        (amount("0"), (422, "unprocessable"), "detail"),
        (lines(json!([])), (422, "unprocessable"), "detail"),
        (
            lines(json!([{"sku": "A", "quantity": 0}])),
            (422, "unprocessable"),
            "detail",
        ),
        (
            json!({"full": true, "reason": ""}),
            (422, "unprocessable"),
            "detail",
        ),
        (
            json!({"full": true, "reason": "x".repeat(513)}),
            (422, "unprocessable"),
            "detail",
        ),
    ] {
        let answer = bench.ask(wish("k", body.clone())).await;
        assert_eq!(answer.problem(), problem, "{body}");
        assert!(answer.body[field].is_string(), "{answer:?}");
        if field == "refundable" {
            assert_eq!(answer.body["refundable"], "49.95");
        }
    }
    let elsewhere = call("POST", "/orders/O-9/refunds").key("k");
    let elsewhere = bench.ask(elsewhere.json(amount("1"))).await;
    assert_eq!(elsewhere.problem(), (404, "not_found"));
    let keyless = call("POST", "/orders/O-1/refunds").json(amount("1"));
    let keyless = bench.ask(keyless).await;
    assert_eq!(keyless.problem(), (400, "idempotency_key_missing"));
    assert!(bench.engine.items(Table::Refunds).is_empty());
    assert!(sent(&bench).is_empty());
    // A key that led to nothing is free.
    let answer = bench.ask(wish("k", amount("49.95"))).await;
    assert_eq!((answer.status, is_replay(&answer)), (202, false));
    let more = bench.ask(wish("l", amount("0.01"))).await;
    assert_eq!(more.problem(), (409, "not_refundable"));
    assert_eq!(more.body["refundable"], "0.00");
}

#[tokio::test]
async fn an_order_that_nobody_paid_has_nothing_to_go_back() {
    let bench = Bench::new();
    stock(&bench.store, &[("A", 5)]).await;
    let batch = batch("im_1", 0, vec![order(1, "O-1", &[("A", 1)])]);
    let declined = saga(&bench.store, &approving("0"), &batch).await;
    declined.expect("settled");
    for body in [amount("1"), json!({"full": true, "reason": "x"})] {
        let answer = bench.ask(wish("k", body)).await;
        assert_eq!(answer.problem(), (409, "wrong_state"));
        assert_eq!(answer.body["refundable"], "0.00");
    }
}

#[tokio::test]
async fn a_key_stands_for_one_wish() {
    let (bench, _) = mill().await;
    sold(&bench.store, "O-2", &[("A", 1)]).await;
    let first = bench.ask(wish("k", amount("5"))).await;
    let others = [
        wish("k", amount("5.01")),
        wish("k", json!({"amount": "5", "reason": "late"})),
        wish("k", json!({"full": true, "reason": "broken"})),
        call("POST", "/orders/O-2/refunds")
            .key("k")
            .json(amount("5")),
        call("POST", "/orders/O-9/refunds")
            .key("k")
            .json(amount("5")),
    ];
    for other in others {
        let answer = bench.ask(other).await;
        assert_eq!(answer.problem(), (422, "idempotency_key_reused"));
        assert_eq!(answer.body["field"], "Idempotency-Key");
    }
    // Who renewed a token, under whatever name, asks for the same.
    let renewed = bench.ask(wish("k", amount("5")).caller("ada")).await;
    assert_eq!((is_replay(&renewed), &renewed.text), (true, &first.text));
    let second = bench.ask(wish("l", amount("5")).caller("ada")).await;
    assert_eq!((second.status, is_replay(&second)), (202, false));
    assert_eq!(second.data()["requested_by"], "ada");
    assert_ne!(id(&first), id(&second));
    assert_eq!(kept(&bench.store, "O-1").await.refunding, cents(1000));
}

#[tokio::test]
async fn a_refund_is_taken_back_while_nobody_asked_for_it() {
    let (bench, bank) = mill().await;
    let first = bench.ask(wish("k", amount("5"))).await;
    let cancel = |id: &str| call("POST", &format!("/refunds/{id}/cancel"));
    let cancelled = bench.ask(cancel(&id(&first)).caller("ada")).await;
    assert_eq!(cancelled.data()["status"], "cancelled");
    assert_eq!(cancelled.data()["cancelled_by"], "ada");
    assert_eq!(kept(&bench.store, "O-1").await.refundable, cents(4995));
    let again = bench.ask(cancel(&id(&first)).caller("bob")).await;
    assert_eq!((again.status, &again.text), (200, &cancelled.text));
    let story = bench.get("/orders/O-1").await;
    let timeline = story.data()["timeline"].as_array().expect("a timeline");
    let is_that = |event: &&Value| event["what"] == "refund_cancelled";
    let told = timeline.iter().find(is_that).expect("an event");
    assert_eq!(told["details"]["by"], "ada");
    // What was asked for is gone, and its key with it.
    let replay = bench.ask(wish("k", amount("5"))).await;
    assert!(is_replay(&replay));
    assert_eq!(replay.text, first.text);

    let second = id(&bench.ask(wish("l", amount("5"))).await);
    worked_off(&bench.store, &bank, std::slice::from_ref(&second)).await;
    let late = bench.ask(cancel(&second)).await;
    assert_eq!(late.problem(), (409, "wrong_state"));
    let unknown = bench.ask(cancel("re_none")).await;
    assert_eq!(unknown.problem(), (404, "not_found"));
    assert_eq!(bank.given_back("O-1"), cents(500));
    assert!(drift(&tally_and_verify(&bench.store).await).is_empty());
}

#[tokio::test]
async fn what_the_gateway_refused_is_tried_again_by_somebody() {
    let (bench, bank) = mill().await;
    let refund_id = id(&bench.ask(wish("k", amount("40"))).await);
    let retry = |by| call("POST", &format!("/refunds/{refund_id}/retry")).caller(by);
    // It has not failed: nobody is sent to try it again.
    sent(&bench);
    let open = bench.ask(retry("eve")).await;
    assert_eq!(open.problem(), (409, "wrong_state"));
    assert!(sent(&bench).is_empty());
    bank.refuse(&refund_id, 1);
    worked_off(&bench.store, &bank, std::slice::from_ref(&refund_id)).await;
    let failed = bench.get(&format!("/refunds/{refund_id}")).await;
    assert_eq!(failed.data()["status"], "failed");
    assert_eq!(failed.data()["failure"], "not today");
    // Meanwhile its money is promised to somebody else.
    let other = id(&bench.ask(wish("l", amount("20"))).await);
    let short = bench.ask(retry("ada")).await;
    assert_eq!(short.problem(), (409, "not_refundable"));
    assert_eq!(short.body["refundable"], "29.95");
    bench
        .ask(call("POST", &format!("/refunds/{other}/cancel")))
        .await;
    sent(&bench);
    for by in ["ada", "bob"] {
        let retried = bench.ask(retry(by)).await;
        assert_eq!(retried.data()["status"], "pending");
        assert_eq!(retried.data()["retried_by"], "ada");
        assert_eq!(sent(&bench), std::slice::from_ref(&refund_id));
    }
    // It may have gone back, though nobody was told.
    let cancel = call("POST", &format!("/refunds/{refund_id}/cancel"));
    assert_eq!(bench.ask(cancel).await.problem(), (409, "wrong_state"));
    worked_off(&bench.store, &bank, std::slice::from_ref(&refund_id)).await;
    let done = bench.get(&format!("/refunds/{refund_id}")).await;
    assert_eq!(done.data()["status"], "completed");
    assert_eq!(done.data()["attempts"], 2);
    assert_eq!(
        bench.ask(retry("ada")).await.problem(),
        (409, "wrong_state")
    );
    let unknown = call("POST", "/refunds/re_none/retry");
    assert_eq!(bench.ask(unknown).await.problem(), (404, "not_found"));
    assert!(sent(&bench).is_empty());
    assert!(drift(&tally_and_verify(&bench.store).await).is_empty());
}
