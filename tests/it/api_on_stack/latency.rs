//! How long an answer takes, beside one that asks nothing of anybody.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{Caller, imported, token};
use crate::support::stack::deployed;

const WARM: usize = 20;
const TIMED: usize = 200;

async fn timed(what: &str, beside: Option<Duration>, ask: impl AsyncFn(usize)) -> Duration {
    for number in 0..WARM {
        ask(number).await;
    }
    let mut times = Vec::new();
    for number in WARM..WARM + TIMED {
        let begun = Instant::now();
        ask(number).await;
        times.push(begun.elapsed());
    }
    times.sort();
    let (p50, p99) = (times[TIMED / 2], times[TIMED * 99 / 100]);
    let beside = beside.unwrap_or(p50);
    let ratio = |time: Duration| time.as_secs_f64() / beside.as_secs_f64();
    println!(
        "{what:<24} p50 {:6.1} ms ({:.2})   p99 {:6.1} ms ({:.2})",
        p50.as_secs_f64() * 1000.0,
        ratio(p50),
        p99.as_secs_f64() * 1000.0,
        ratio(p99),
    );
    p50
}

/// In brackets: as a multiple of the median of the answer that asks nothing of anybody.
#[tokio::test]
#[ignore = "a measurement"]
async fn measure_the_latency() {
    let deployed = deployed("latency").await;
    let stack = &deployed.stack;
    let store = stack.store().expect("a store");
    imported(stack, &store).await;
    let mut completed = None;
    let mut look = |order: store::orders::OrderRecord| {
        if order.status == domain::Status::Completed && completed.is_none() {
            completed = Some((order.order_id, order.customer_id));
        }
    };
    store.each_order(&mut look).await.expect("the orders");
    let (order_id, customer_id) = completed.expect("an order");
    let (token, _) = token(&store, "admin", None).await;
    let caller = Caller::new(stack, Some(&token));
    let get = async |path: &str| {
        let (status, body) = caller.ask("GET", path).await;
        assert!(status.is_success(), "{status}: {body}");
    };
    // The same way, and a function that says no at its end.
    let bare = async |_| assert_eq!(caller.ask("GET", "/nothing").await.0, 404);
    let bare = timed("an answer, and no more", None, bare).await;
    let order = format!("/orders/{order_id}");
    let rank = format!("/leaderboard/customers/{customer_id}/rank");
    for path in [
        order.as_str(),
        "/kpis/daily",
        "/leaderboard/customers",
        rank.as_str(),
    ] {
        timed(&format!("GET {path}"), Some(bare), async |_| {
            get(path).await
        })
        .await;
    }
    let refunds = format!("/orders/{order_id}/refunds");
    timed("POST refund", Some(bare), async |number| {
        let body = json!({"amount": "0.01", "reason": "a measurement"});
        let key = format!("key {number}");
        let (status, body) = caller.post(&refunds, &key, &body).await;
        assert!(status.is_success() || status == 409, "{status}: {body}");
    })
    .await;
}
