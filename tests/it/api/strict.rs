//! What nobody asked for is refused, and what is wrong is named, whichever route it comes to.

use serde_json::{Value, json};

use super::bench::{Bench, Call, call};
use super::rules::routes;
use crate::refunds::support::sold;

/// What is listed, or counted, from one day to another.
const LISTS: [&str; 5] = [
    "/refunds",
    "/refunds/stats",
    "/orders/stats",
    "/notifications",
    "/notifications/stats",
];

/// Programs that stand before customers put marks behind links.
fn takes_marks(path: &str) -> bool {
    path.starts_with("/unsubscribe/")
}

#[tokio::test]
async fn no_route_takes_a_parameter_that_it_does_not_describe() {
    let bench = Bench::new();
    for route in routes() {
        for (query, name) in [
            ("nothing=1", "nothing"),
            ("dry_run", "dry_run"),
            ("=1", ""),
            ("Limit=1", "Limit"),
        ] {
            let path = format!("{}?{query}", route.path);
            let answer = bench.ask(call(route.method, &path)).await;
            let told = (answer.status, answer.body["field"].as_str());
            let what = format!("{} {path}: {answer:?}", route.method);
            match takes_marks(&route.path) {
                true => assert_ne!(answer.body["code"], "unknown_parameter", "{what}"),
                false => {
                    assert_eq!(told, (400, Some(name)), "{what}");
                    assert_eq!(answer.body["code"], "unknown_parameter", "{what}");
                }
            }
        }
    }
}

#[tokio::test]
async fn no_route_takes_a_body_that_it_does_not_describe() {
    let bench = Bench::new();
    let long = format!("{{\"reason\": \"{}\"}}", "x".repeat(70_000));
    let mut without = 0;
    for route in routes().into_iter().filter(|route| !route.takes_body) {
        without += 1;
        let ask = async |body: &str| {
            let call = call(route.method, &route.path).body(body);
            let call = call.header("content-type", "application/json");
            let answer = bench.ask(call).await;
            let field = answer.body["field"].as_str().unwrap_or_default();
            let code = answer.body["code"].as_str().unwrap_or_default();
            (answer.status, code.to_owned(), field.to_owned())
        };
        for body in [
            "{\"force\": true}",
            "[]",
            "null",
            "a=b",
            "{}{}",
            long.as_str(),
        ] {
            let refused = (400, "unknown_field".to_owned(), "body".to_owned());
            assert_eq!(ask(body).await, refused, "{} {}", route.method, route.path);
        }
        for nothing in ["", "{}", " { }\n"] {
            assert_ne!(ask(nothing).await.2, "body", "{}", route.path);
        }
    }
    assert!(without > 40);
}

#[tokio::test]
async fn what_is_refused_is_not_done_at_all() {
    let bench = Bench::new();
    sold(&bench.store, "O-1", &[("A", 1)]).await;
    let item = json!({"sku": "A", "quantity": 1, "unit_price": "1.00"});
    let order = json!({"order_id": "O-2", "customer_id": "C-1", "items": [item]});
    let dry = call("POST", "/orders?dry_run=true").json(order);
    let refund = call("POST", "/orders/O-1/refunds?amount=1").key("k");
    let refund = refund.json(json!({"full": true, "reason": "x"}));
    let paused = call("POST", "/queues/batches/pause").json(json!({"for": "an hour"}));
    let shipped = call("POST", "/orders/O-1/ship?at=tomorrow");
    for call in [dry, refund, paused, shipped] {
        assert_eq!(bench.ask(call).await.status, 400);
    }
    assert!(bench.done.files.lock().expect("a lock").is_empty());
    assert!(!*bench.done.paused.lock().expect("a lock"));
    let story = bench.get("/orders/O-1").await;
    assert_eq!(story.data()["status"], "COMPLETED");
    assert_eq!(story.data()["refunds"], json!([]));
}

#[tokio::test]
async fn a_value_that_breaks_a_rule_is_named() {
    let bench = Bench::new();
    sold(&bench.store, "O-1", &[("A", 2)]).await;
    let refund = |wish: Value| {
        let mut body = json!({"reason": "x"});
        for (name, value) in wish.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        call("POST", "/orders/O-1/refunds").key("k").json(body)
    };
    let why = |deed: &str, reason: &str| {
        call("POST", &format!("/orders/O-1/{deed}")).json(json!({"reason": reason}))
    };
    let between = |path: &str, (first, last): (&str, &str)| {
        call(
            "GET",
            &format!("{path}?{first}=2026-02-02&{last}=2026-02-01"),
        )
    };
    let (long, line) = (
        "x".repeat(513),
        |quantity: u32| json!({"sku": "A", "quantity": quantity}),
    );
    let mut calls: Vec<(Call, &str)> = vec![
        (refund(json!({"amount": "1.005"})), "amount"),
        (refund(json!({"amount": "0"})), "amount"),
        (refund(json!({"lines": []})), "lines"),
        (
            refund(json!({"lines": [line(1), line(0)]})),
            "lines[1].quantity",
        ),
        (refund(json!({"full": true, "reason": long})), "reason"),
        (refund(json!({"full": true, "reason": ""})), "reason"),
        (refund(json!({"full": true, "reason": "a\u{7}"})), "reason"),
    ];
    for deed in ["ship", "deliver", "cancel"] {
        calls.push((why(deed, &long), "reason"));
        calls.push((why(deed, ""), "reason"));
    }
    for path in LISTS {
        calls.push((between(path, ("from_date", "to_date")), "to_date"));
    }
    calls.push((
        between("/kpis/range", ("start_date", "end_date")),
        "end_date",
    ));
    for (call, field) in calls {
        let answer = bench.ask(call).await;
        assert_eq!(answer.problem(), (422, "unprocessable"), "{answer:?}");
        assert_eq!(answer.body["field"], field, "{answer:?}");
    }
}
