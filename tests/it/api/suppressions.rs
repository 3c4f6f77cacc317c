//! Addresses that get no mail any more, as operators see and change them.

use serde_json::{Value, json};

use super::bench::{Bench, Call, call};
use crate::notifications::has_address;

fn path(address: &str) -> String {
    format!("/suppressions/{address}")
}

fn put(address: &str) -> Call {
    call("PUT", &path(address)).caller("ada")
}

fn lift(address: &str) -> Call {
    call("DELETE", &path(address)).caller("bob")
}

#[tokio::test]
async fn an_address_is_put_on_the_list_and_taken_off_and_by_whom_is_on_record() {
    let bench = Bench::new();
    let shown = json!({
        "address": "ada@example.com", "cause": "manual", "reason": "she asked for it", "notification_id": null,
        "message_id": null, "since": "2026-03-01T12:00:00Z", "requested_by": "ada",
    });
    let why = json!({"reason": "she asked for it"});
    let added = bench.ask(put("Ada%40Example.com").json(why)).await;
    assert_eq!(added.data(), &shown);
    // Once more, by somebody else, and without a reason: it was there.
    assert_eq!(
        bench.ask(put("ada@example.com").caller("eve")).await.data(),
        &shown
    );
    assert_eq!(bench.get(&path("ADA@example.com")).await.data(), &shown);
    let all = bench.get("/suppressions").await;
    assert_eq!(
        (all.data(), &all.body["next"]),
        (&json!([shown]), &Value::Null)
    );

    assert_eq!(bench.ask(lift("ada@example.com")).await.data(), &shown);
    for gone in [
        lift("ada@example.com"),
        call("GET", &path("ada@example.com")),
        lift("ada"),
    ] {
        assert_eq!(bench.ask(gone).await.problem(), (404, "not_found"));
    }
    assert_eq!(bench.get("/suppressions").await.data(), &json!([]));
    // And on it again.
    let again = bench.ask(put("ada@example.com").caller("eve")).await;
    assert_eq!(
        (&again.data()["requested_by"], &again.data()["reason"]),
        (&json!("eve"), &Value::Null)
    );

    assert_eq!(
        bench.ask(put("ada")).await.problem(),
        (422, "unprocessable")
    );
    let empty = bench
        .ask(put("ada@example.com").json(json!({"reason": ""})))
        .await;
    assert_eq!(empty.problem(), (400, "invalid_field"));
}

#[tokio::test]
async fn the_list_is_walked_through_and_a_customer_is_told_of() {
    let bench = Bench::new();
    for number in 0..30 {
        bench.ask(put(&format!("c{number}@example.com"))).await;
    }
    for number in 0..10 {
        bench.ask(lift(&format!("c{number}@example.com"))).await;
    }
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = bench.get(&format!("/suppressions?limit=7{cursor}")).await;
        let rows = page.data().as_array().expect("rows").clone();
        found.extend(rows.iter().map(|row| row["address"].to_string()));
        let Some(next) = page.body["next"].as_str() else {
            break;
        };
        cursor = format!("&cursor={next}");
    }
    found.sort();
    found.dedup();
    assert_eq!(found.len(), 20);

    has_address(&bench.store, "C-1", "C20@example.com").await;
    let preferences = "/customers/C-1/preferences";
    let of = async || bench.get(preferences).await.data()["suppressed"].clone();
    assert_eq!(of().await["address"], "c20@example.com");
    let set = call("PUT", preferences).json(json!({"channel": "email"}));
    assert_eq!(bench.ask(set).await.data()["suppressed"], of().await);
    bench.ask(lift("c20@example.com")).await;
    assert_eq!(of().await, Value::Null);
}
