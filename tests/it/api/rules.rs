//! What holds for every route: who may call it, and what is said to who calls it wrongly.

use std::collections::BTreeSet;

use api::Origin;
use api::document::PUBLISHED;
use jiff::SignedDuration;
use serde_json::{Value, json};
use store::schema::Table;

use super::bench::{Bench, call};

/// What is open to everybody.
const OPEN: [(&str, &str); 4] = [
    ("GET", "/health"),
    ("GET", "/unsubscribe/x-1"),
    ("POST", "/unsubscribe/x-1"),
    ("POST", "/webhooks/payments"),
];

pub struct Route {
    pub method: &'static str,
    pub path: String,
    scope: Option<String>,
    pub takes_body: bool,
}

pub fn routes() -> Vec<Route> {
    let document: Value = serde_json::from_str(PUBLISHED).expect("json");
    let mut routes = Vec::new();
    for (template, item) in document["paths"].as_object().expect("paths") {
        for (name, method) in [
            ("get", "GET"),
            ("put", "PUT"),
            ("post", "POST"),
            ("delete", "DELETE"),
        ] {
            if let Some(operation) = item.get(name) {
                let scope = operation["security"][0]["token"][0].as_str();
                routes.push(Route {
                    method,
                    path: filled(template),
                    scope: scope.map(str::to_owned),
                    takes_body: operation.get("requestBody").is_some(),
                });
            }
        }
    }
    routes
}

fn filled(template: &str) -> String {
    let parts = template.split('/').map(|part| match part {
        "{date}" => "2026-03-01",
        part if part.starts_with('{') => "x-1",
        part => part,
    });
    parts.collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn each_route_is_open_to_its_scope_and_to_no_other() {
    let bench = Bench::new();
    let mut open = BTreeSet::new();
    for route in routes() {
        let (method, path) = (route.method, route.path.as_str());
        let what = format!("{method} {path}");
        let ask = async |scopes| {
            let answer = bench.ask(call(method, path).with(scopes)).await;
            answer.body["code"].as_str().unwrap_or_default().to_owned()
        };
        let Some(scope) = route.scope else {
            open.insert((method, path.to_owned()));
            continue;
        };
        assert_eq!(ask(None).await, "unauthorized", "{what}");
        for (given, others) in [
            ("read", "import refund operate"),
            ("import", "read refund operate"),
            ("refund", "read import operate"),
            ("operate", "read import refund"),
            ("admin", "read import refund operate"),
        ] {
            let allowed = given == scope || given == "admin";
            let refused = ask(Some(given)).await == "forbidden";
            assert_eq!(refused, !allowed, "{what} with {given}");
            if given == scope {
                assert_eq!(ask(Some(others)).await, "forbidden", "{what} with {others}");
            }
        }
        assert_eq!(ask(Some("")).await, "forbidden", "{what} with nothing");
        assert_eq!(ask(Some("nonsense")).await, "unauthorized", "{what}");
    }
    let expected = OPEN.map(|(method, path)| (method, path.to_owned()));
    assert_eq!(open, BTreeSet::from(expected));
}

#[tokio::test]
async fn what_is_no_route_is_said_to_be_none() {
    let bench = Bench::new();
    for path in [
        "/", "/nothing", "/orders/", "//health", "/health/", "/kpis", "/Health",
    ] {
        for method in ["GET", "POST", "PUT", "DELETE"] {
            let answer = bench.ask(call(method, path)).await;
            assert_eq!(answer.problem(), (404, "no_such_route"), "{method} {path}");
        }
    }
    for (method, path, allowed) in [
        ("POST", "/health", "GET"),
        ("DELETE", "/kpis/daily", "GET"),
        ("PUT", "/refunds/x/cancel", "POST"),
        ("GET", "/refunds/x/cancel", "POST"),
        ("PATCH", "/orders", "GET, POST"),
    ] {
        let answer = bench.ask(call(method, path)).await;
        let problem = answer.problem();
        assert_eq!(problem, (405, "method_not_allowed"), "{method} {path}");
        assert_eq!(answer.header("allow"), Some(allowed));
    }
    // Wherever there is a GET, a router answers HEAD, too: not here, where nothing guards it.
    for scopes in [Some("import"), Some("read"), None] {
        let head = bench.ask(call("HEAD", "/orders/x").with(scopes)).await;
        assert_eq!((head.status, head.text.as_str()), (405, ""));
        assert_eq!(head.header("allow"), Some("GET, POST"));
    }
}

#[tokio::test]
async fn a_wrong_request_is_told_what_is_wrong_with_it() {
    let bench = Bench::new();
    for (path, code, field) in [
        ("/kpis/daily?date=2026-02-30", "invalid_parameter", "date"),
        ("/kpis/daily?date=", "invalid_parameter", "date"),
        ("/kpis/daily?currency=XAU", "invalid_parameter", "currency"),
        ("/kpis/daily?day=2026-03-01", "unknown_parameter", "day"),
        ("/kpis/daily/yesterday", "invalid_parameter", "date"),
        ("/kpis/daily/%00", "not_found", "path"),
        ("/kpis/daily/%FF", "invalid_parameter", "path"),
        ("/kpis/range", "invalid_parameter", "start_date"),
        (
            "/kpis/range?start_date=2026-03-02&end_date=2026-03-01",
            "unprocessable",
            "end_date",
        ),
        (
            "/kpis/range?start_date=2020-01-01&end_date=2026-03-01",
            "unprocessable",
            "end_date",
        ),
        (
            "/leaderboard/customers?limit=0",
            "invalid_parameter",
            "limit",
        ),
        (
            "/leaderboard/customers?limit=1001",
            "invalid_parameter",
            "limit",
        ),
        (
            "/leaderboard/customers?limit=ten",
            "invalid_parameter",
            "limit",
        ),
        ("/leaderboard/products?by=weight", "invalid_parameter", "by"),
        (
            &format!("/leaderboard/customers/{}/rank", "x".repeat(129)),
            "not_found",
            "path",
        ),
    ] {
        let answer = bench.get(path).await;
        let status = match code {
            "not_found" => 404,
            "unprocessable" => 422,
            _ => 400,
        };
        assert_eq!(answer.problem(), (status, code), "{path}");
        assert_eq!(answer.body["field"], field, "{path}: {answer:?}");
    }
}

#[tokio::test]
async fn a_wrong_body_is_told_what_is_wrong_with_it() {
    let bench = Bench::new();
    let good = json!({"amount": "1.00", "reason": "broken"});
    let post = || call("POST", "/orders/O-1/refunds");
    let no_key = bench.ask(post().json(good.clone())).await;
    assert_eq!(no_key.problem(), (400, "idempotency_key_missing"));
    let typed = |kind: &str| post().key("k").header("content-type", kind).body("{}");
    for kind in ["text/plain", "application/jsonx", ""] {
        let answer = bench.ask(typed(kind)).await;
        assert_eq!(answer.problem(), (415, "unsupported_media_type"), "{kind}");
    }
    let untyped = bench.ask(post().key("k").body("{}")).await;
    assert_eq!(untyped.problem(), (415, "unsupported_media_type"));
    let long = format!("{{\"reason\": \"{}\"}}", "x".repeat(70_000));
    let json_of = |body: &str| {
        let call = post()
            .key("k")
            .header("content-type", "application/json; charset=utf-8");
        call.body(body)
    };
    assert_eq!(
        bench.ask(json_of(&long)).await.problem(),
        (413, "body_too_large")
    );
    for (body, code, field) in [
        ("", "invalid_json", None),
        ("{", "invalid_json", None),
        (
            "{\"amount\": \"1\", \"reason\": \"x\"} {}",
            "invalid_json",
            None,
        ),
        ("[]", "invalid_field", Some(".")),
        ("{\"reason\": \"x\"}", "missing_field", Some("amount")),
        ("{\"amount\": \"1\"}", "missing_field", Some("reason")),
        (
            "{\"amount\": \"1\", \"reason\": \"x\", \"to\": \"me\"}",
            "unknown_field",
            Some("to"),
        ),
        (
            "{\"amount\": \"1\", \"reason\": \"x\", \"order_id\": \"O-2\"}",
            "unknown_field",
            Some("order_id"),
        ),
        (
            "{\"amount\": 1, \"reason\": \"x\"}",
            "invalid_field",
            Some("amount"),
        ),
        (
            "{\"amount\": \"-1\", \"reason\": \"x\"}",
            "invalid_field",
            Some("amount"),
        ),
        (
            "{\"amount\": \"1e3\", \"reason\": \"x\"}",
            "invalid_field",
            Some("amount"),
        ),
        (
            "{\"amount\": \"1\", \"full\": true, \"reason\": \"x\"}",
            "invalid_field",
            Some("."),
        ),
        (
            "{\"full\": false, \"reason\": \"x\"}",
            "invalid_field",
            Some("."),
        ),
        (
            "{\"lines\": [{\"sku\": \"A\", \"quantity\": -1}], \"reason\": \"x\"}",
            "invalid_field",
            Some("lines[0].quantity"),
        ),
        (
            "{\"amount\": \"1\", \"amount\": \"2\", \"reason\": \"x\"}",
            "invalid_field",
            None,
        ),
    ] {
        let answer = bench.ask(json_of(body)).await;
        assert_eq!(answer.problem(), (400, code), "{body}");
        if let Some(field) = field {
            assert_eq!(answer.body["field"], field, "{body}: {answer:?}");
        }
    }
    for key in ["", " ", "\u{7f}", &"k".repeat(257), "schlüssel"] {
        let answer = bench.ask(post().key(key).json(good.clone())).await;
        assert_eq!(answer.status, 400, "{key}");
        assert_eq!(answer.body["field"], "Idempotency-Key");
    }
}

/// The gateway hands on both, and the last one once more where it has place for one. Proxies join them with a comma.
#[tokio::test]
async fn two_idempotency_keys_are_rejected_however_they_arrive() {
    let bench = Bench::new();
    let item = json!({"sku": "S", "quantity": 1, "unit_price": "1.00"});
    let order = json!({"customer_id": "C-1", "items": [item]});
    let refund = json!({"full": true, "reason": "x"});
    let product = json!({"name": "S", "price": "1.00", "currency": "USD", "stock": 1});
    for (method, path, body) in [
        ("POST", "/orders", order),
        ("POST", "/orders/O-1/refunds", refund),
        ("POST", "/products/S/restock", json!({"quantity": 1})),
        ("PUT", "/products/S", product),
    ] {
        let keyed = || call(method, path).json(body.clone()).key("k");
        let joined = |value: &str| call(method, path).json(body.clone()).key(value);
        for twice in [
            keyed().header("Idempotency-Key", "l"),
            keyed().header("idempotency-key", "l"),
            keyed().key("k"),
            keyed().header("idempotency-key", "k"),
            joined("k, l"),
            joined("k,k"),
            joined("k,"),
        ] {
            let answer = bench.ask(twice).await;
            assert_eq!(answer.problem(), (400, "invalid_header"), "{path}");
            assert_eq!(answer.body["field"], "Idempotency-Key");
        }
        let once = bench.ask(keyed()).await;
        assert_ne!(once.status, 400, "{path}: {once:?}");
    }
}

#[tokio::test]
async fn every_answer_has_the_headers_that_keep_browsers_out() {
    let bench = Bench::new();
    for path in ["/health", "/nothing", "/kpis/daily?date=x"] {
        let answer = bench
            .ask(call("GET", path).header("Origin", "https://a.example"))
            .await;
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert!(answer.header("strict-transport-security").is_some());
        assert!(answer.header("content-security-policy").is_some());
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
    let preflight = bench.ask(call("OPTIONS", "/kpis/daily")).await;
    assert_eq!(preflight.problem(), (405, "method_not_allowed"));
}

#[tokio::test]
async fn one_site_may_be_let_in() {
    let site = "https://office.example";
    let bench = Bench::with(Origin::new(site));
    let preflight = call("OPTIONS", "/refunds")
        .with(None)
        .header("Origin", site);
    let preflight = bench.ask(preflight).await;
    assert_eq!(preflight.status, 204);
    assert_eq!(preflight.header("access-control-allow-origin"), Some(site));
    let refused = call("POST", "/refunds").header("Origin", site);
    let refused = bench.ask(refused).await;
    assert_eq!(refused.status, 400);
    assert_eq!(refused.header("access-control-allow-origin"), Some(site));
    for other in ["https://other.example", "http://office.example", "null"] {
        let answer = bench
            .ask(call("GET", "/health").header("Origin", other))
            .await;
        assert_eq!(
            answer.header("access-control-allow-origin"),
            None,
            "{other}"
        );
    }
}

#[tokio::test]
async fn an_error_of_ours_says_nothing_of_us() {
    let bench = Bench::new();
    *bench.done.is_down.lock().expect("a lock") = true;
    let answer = bench.get("/kpis/realtime").await;
    assert_eq!(answer.problem(), (503, "unavailable"));
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert!(!answer.body.to_string().contains("no answer"));
    let health = bench.ask(call("GET", "/health").with(None)).await;
    assert_eq!(
        (health.status, &health.body["status"]),
        (503, &json!("down"))
    );
    let services = |queues: &str, journal: &str| json!({"orders": "up", "journal": journal, "tallies": "up", "queues": queues, "files": "up"});
    assert_eq!(health.body["services"], services("down", "up"));
    *bench.done.is_down.lock().expect("a lock") = false;
    let health = async || bench.ask(call("GET", "/health").with(None)).await;
    // The last answer holds for a while: anybody may ask.
    assert_eq!(health().await.status, 503);
    bench.wait(SignedDuration::from_secs(5));
    let now = health().await;
    assert_eq!((now.status, &now.body["status"]), (200, &json!("up")));
    // One table is enough.
    *bench.done.away.lock().expect("a lock") = Some(Table::Journal);
    bench.wait(SignedDuration::from_secs(5));
    let now = health().await;
    assert_eq!((now.status, &now.body["status"]), (503, &json!("down")));
    assert_eq!(now.body["services"], services("up", "down"));
}

#[tokio::test]
async fn the_sample_events_are_what_the_gateway_sends() {
    let bench = Bench::new();
    let sample = |name: &str| {
        let event = crate::support::read(&format!("events/{name}.json"));
        serde_json::from_slice::<Value>(&event).expect("json")
    };
    let day = bench.take(sample("query")).await;
    assert_eq!(day.data()["date"], "2026-03-01");
    let refund = bench.take(sample("command")).await;
    assert_eq!(refund.problem(), (404, "not_found"));
    let webhook = bench.take(sample("command-webhook")).await;
    assert_eq!(webhook.problem(), (401, "unauthorized"));
    // Signed with the key of the tests, and of nobody that they know.
    let click = bench.take(sample("command-unsubscribe")).await;
    assert_eq!(click.status, 404);
    assert!(click.text.contains("no such customer"), "{}", click.text);
}
