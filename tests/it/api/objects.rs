//! Bodies that are not what they look like: lists in place of objects, and text that was lost on its way.

use serde_json::{Value, json};

use super::bench::{Bench, Call, call};
use crate::refunds::support::sold;

/// Each way to put a list in place of an object, with all of its values.
fn listed(body: &Value) -> Vec<Value> {
    let mut all = Vec::new();
    match body {
        Value::Object(fields) => {
            all.push(fields.values().cloned().collect());
            for (name, value) in fields {
                for value in listed(value) {
                    let mut changed = body.clone();
                    changed[name] = value;
                    all.push(changed);
                }
            }
        }
        Value::Array(values) => {
            for (at, value) in values.iter().enumerate() {
                for value in listed(value) {
                    let mut changed = body.clone();
                    changed[at] = value;
                    all.push(changed);
                }
            }
        }
        _ => {}
    }
    all
}

fn bodies() -> Vec<(&'static str, &'static str, Value)> {
    let item = json!({"sku": "A", "quantity": 1, "unit_price": "1.00"});
    let order = json!({"order_id": "O-2", "customer_id": "C-1", "items": [item]});
    let line = json!({"sku": "A", "quantity": 1, "restock": true});
    let product = json!({"name": "S", "price": "1.00", "currency": "USD"});
    let preferences = json!({"channel": "log", "notifications": {"failed": true}});
    vec![
        ("POST", "/orders", order),
        (
            "POST",
            "/orders/O-1/refunds",
            json!({"lines": [line], "reason": "x"}),
        ),
        ("POST", "/orders/O-1/ship", json!({"reason": "x"})),
        ("POST", "/orders/O-1/cancel", json!({"reason": "x"})),
        ("POST", "/products/A/restock", json!({"quantity": 5})),
        ("PUT", "/products/A", product),
        ("PUT", "/customers/C-1/preferences", preferences),
        ("POST", "/notifications/n/resend", json!({"force": true})),
    ]
}

fn with(method: &'static str, path: &str, body: &Value) -> Call {
    let call = call(method, path).json(body.clone());
    match path == "/orders" {
        true => call,
        false => call.key("k"),
    }
}

#[tokio::test]
async fn list_in_place_of_an_object_is_rejected() {
    let bench = Bench::new();
    sold(&bench.store, "O-1", &[("A", 2)]).await;
    let before = bench.engine.write_units();
    for (method, path, body) in bodies() {
        let bodies = listed(&body);
        assert!(!bodies.is_empty());
        for list in bodies {
            let answer = bench.ask(with(method, path, &list)).await;
            assert_eq!(answer.problem(), (400, "invalid_field"), "{path} {list}");
            let detail = answer.body["detail"].as_str().unwrap_or_default();
            assert!(
                detail.contains("invalid type: sequence"),
                "{path} {list}: {detail}"
            );
        }
    }
    assert_eq!(bench.engine.write_units(), before);
    assert!(bench.done.files.lock().expect("a lock").is_empty());
    // The same bodies are known here.
    for (method, path, body) in bodies() {
        let answer = bench.ask(with(method, path, &body)).await;
        assert_ne!(answer.status, 400, "{path}: {answer:?}");
    }
}

#[tokio::test]
async fn text_that_was_lost_is_rejected() {
    let bench = Bench::new();
    let text = |name: &str| {
        let item = json!({"sku": "S", "quantity": 1, "unit_price": "1.00"});
        let order = json!({"order_id": "O-1", "customer_id": "C-1", "customer_name": name, "items": [item]});
        order.to_string()
    };
    let json = || call("POST", "/orders").header("content-type", "application/json");
    // As the gateway replaces it, and as it is where the gateway passes bytes on.
    let broken = text("Zo#").replace('#', "\u{fffd}");
    let bytes: Vec<u8> = text("Zo#")
        .bytes()
        .map(|byte| if byte == b'#' { 0xeb } else { byte })
        .collect();
    for call in [
        json().body(&broken),
        json().bytes(broken.as_bytes()),
        json().bytes(&bytes),
    ] {
        let answer = bench.ask(call).await;
        assert_eq!(answer.problem(), (400, "invalid_json"));
        let detail = answer.body["detail"].as_str().unwrap_or_default();
        assert!(detail.contains("UTF-8"), "{detail}");
    }
    assert!(bench.done.files.lock().expect("a lock").is_empty());
    let whole = bench.ask(json().body(&text("Zoë 😀"))).await;
    assert_eq!(whole.status, 202, "{whole:?}");
}
