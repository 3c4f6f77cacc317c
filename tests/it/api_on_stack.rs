//! The API on the local stack, over HTTP: who may call, what its own description makes of it, and refunds that meet.

mod latency;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use domain::access::{Scopes, Token};
use domain::catalog::Policy;
use futures::stream::{self, StreamExt};
use jiff::{SignedDuration, Timestamp};
use ordermill::cloud::Stack;
use ordermill::commands::catalog;
use ordermill::gateway::{Behaviour, Server};
use ordermill::local::Workspace;
use reqwest::header::HeaderMap;
use reqwest::{Client, Method, StatusCode};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use store::Store;
use store::dynamo::DynamoEngine;
use store::tokens::TokenRecord;
use tokio::process::Command;

use crate::support::lambda::binaries;
use crate::support::policies;
use crate::support::stack::{deployed, deployed_with, ended, upload};
use crate::support::wait::{self, seen, until};
use crate::support::{drift, file, http, listening, read, stock};

/// Requests under way: the emulator starts a process for each, and the machine has few cores. All at once they are without
/// HTTP.
const AT_ONCE: usize = 12;

/// What calls the API of a stack.
struct Caller {
    client: Client,
    url: String,
    token: Option<String>,
}

impl Caller {
    fn new(stack: &Stack, token: Option<&Token>) -> Caller {
        Caller {
            client: http(),
            url: stack.api_url().expect("a URL"),
            token: token.map(|token| token.reveal().to_owned()),
        }
    }

    fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method: Method = method.parse().expect("a method");
        let request = self.client.request(method, format!("{}{path}", self.url));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    async fn ask(&self, method: &str, path: &str) -> (StatusCode, Value) {
        answered(self.request(method, path)).await
    }

    /// Asks again, under its key, where there is no answer: two hundred processes that start at once may take too long.
    async fn post(&self, path: &str, key: &str, body: &Value) -> (StatusCode, Value) {
        let started = Instant::now();
        let mut pause = Duration::from_millis(500);
        loop {
            let request = self.request("POST", path).header("Idempotency-Key", key);
            let request = request.header("Content-Type", "application/json");
            let (status, answer) = answered(request.body(body.to_string())).await;
            let is_none = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
            if !is_none || started.elapsed() > wait::LIMIT {
                return (status, answer);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(20));
        }
    }
}

async fn answered(request: reqwest::RequestBuilder) -> (StatusCode, Value) {
    let answer = request.send().await.expect("an answer");
    let status = answer.status();
    let body = answer.bytes().await.expect("a body");
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

/// A token on record.
async fn token(
    store: &Store<DynamoEngine>,
    scopes: &str,
    expires_in: Option<SignedDuration>,
) -> (Token, TokenRecord) {
    let mut bits = [0; 32];
    bits.fill_with(|| fastrand::u8(..));
    let (token, now) = (Token::new(bits), Timestamp::now());
    let scopes: Scopes = scopes.parse().expect("scopes");
    let expires = expires_in.map(|time| now + time);
    let record = TokenRecord::new(&token, "tests", scopes, expires, now);
    store.put_token(&record).await.expect("on record");
    (token, record)
}

async fn imported(stack: &Stack, store: &Store<DynamoEngine>) {
    let catalog = file("events/demo-catalog.csv");
    let loaded = catalog::load(stack, &catalog, Policy::Set).await;
    loaded.expect("a catalog");
    let id = upload(stack, "demo.csv", &read("events/demo-orders.csv")).await;
    ended(store, &id).await;
}

/// Each route takes a valid token, and nothing else. Which scope it takes is tried without HTTP.
#[tokio::test]
async fn no_route_is_open_to_who_has_no_valid_token() {
    let deployed = deployed("tokens").await;
    let stack = &deployed.stack;
    let store = stack.store().expect("a store");
    let (expired, _) = token(&store, "admin", Some(SignedDuration::from_secs(-1))).await;
    let (revoked, record) = token(&store, "admin", None).await;
    let (valid, own) = token(&store, "read", None).await;
    let now = Timestamp::now();
    store
        .revoke_token(&record.token_id, now)
        .await
        .expect("revoked");
    let unknown = Token::new([7; 32]);
    let strangers = [None, Some(&unknown), Some(&expired), Some(&revoked)];
    let document: Value = serde_json::from_str(api::document::PUBLISHED).expect("json");
    let mut open = BTreeSet::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for method in item.as_object().expect("methods").keys() {
            let method = method.to_uppercase();
            let filled = path.replace('{', "x-").replace('}', "");
            for token in strangers {
                let answer = Caller::new(stack, token).ask(&method, &filled).await;
                let (status, body) = answer;
                if status != StatusCode::UNAUTHORIZED || path.starts_with("/webhooks") {
                    open.insert(path.clone());
                    continue;
                }
                assert_eq!(body["code"], "unauthorized", "{method} {path}");
            }
        }
    }
    // The webhook says so itself, and a link that it is none: they are signed.
    let expected = ["/health", "/unsubscribe/{token}", "/webhooks/payments"];
    let expected = expected.map(str::to_owned);
    assert_eq!(open, BTreeSet::from(expected));

    let caller = Caller::new(stack, Some(&valid));
    let nobody = Caller::new(stack, None);
    looks_like_ours(&nobody, "GET", "/stats", StatusCode::UNAUTHORIZED).await;
    looks_like_ours(&caller, "TRACE", "/stats", StatusCode::METHOD_NOT_ALLOWED).await;
    looks_like_ours(&nobody, "GET", "/", StatusCode::UNAUTHORIZED).await;
    for method in ["GET", "POST", "PUT", "DELETE", "PATCH"] {
        let code = looks_like_ours(&caller, method, "/", StatusCode::NOT_FOUND).await;
        assert_eq!(code, "no_such_route", "{method} /");
    }

    // What is revoked is taken for as long as the template says, and no longer.
    assert_eq!(caller.ask("GET", "/stats").await.0, StatusCode::OK);
    let (status, body) = caller.post("/refunds", "k", &json!({})).await;
    assert_eq!(
        (status, &body["code"]),
        (StatusCode::FORBIDDEN, &json!("forbidden"))
    );
    let now = Timestamp::now();
    store
        .revoke_token(&own.token_id, now)
        .await
        .expect("revoked");
    until("the end of a revoked token", async || {
        caller.ask("GET", "/stats").await.0 == StatusCode::UNAUTHORIZED
    })
    .await;
}

/// Whoever answers, a function or the gateway before it: a problem, with the headers that keep browsers out. Returns its code.
async fn looks_like_ours(caller: &Caller, method: &str, path: &str, status: StatusCode) -> Value {
    let ours = caller.request("GET", "/health").send().await;
    let ours = ours.expect("an answer").headers().clone();
    let answer = caller.request(method, path).send().await;
    let answer = answer.expect("an answer");
    assert_eq!(answer.status(), status, "{method} {path}");
    let headers = answer.headers();
    assert_eq!(headers["content-type"], "application/problem+json");
    for name in [
        "cache-control",
        "x-content-type-options",
        "content-security-policy",
        "referrer-policy",
        "strict-transport-security",
    ] {
        let value = |headers: &HeaderMap| {
            let value = headers.get(name).and_then(|value| value.to_str().ok());
            let value = value.unwrap_or_else(|| panic!("{method} {path} without {name}"));
            // The gateway has a list of nothing instead, which means the same.
            value.replace(" 'none'", "")
        };
        assert_eq!(value(headers), value(&ours), "{method} {path}");
    }
    let body = answer.bytes().await.expect("a body");
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    body["code"].clone()
}

/// Requests that are made up from the description: no 5xx, and nothing that it does not say.
#[tokio::test]
async fn the_api_does_what_its_description_says() {
    let deployed = deployed("described").await;
    let stack = &deployed.stack;
    let store = stack.store().expect("a store");
    imported(stack, &store).await;
    let (admin, _) = token(&store, "admin", None).await;
    let workspace = Workspace::at(&file(".")).expect("a checkout");
    let python = workspace.install("tests/api/requirements.txt").await;
    let python = python.expect("a generator of requests");
    let run = Command::new(python.program("st"))
        .arg("--config-file")
        .arg(file("tests/api/schemathesis.toml"))
        .arg("run")
        .arg(file("infra/api.openapi.json"))
        .args(["--url", &stack.api_url().expect("a URL")])
        .args(["-H", &format!("Authorization: Bearer {}", admin.reveal())])
        .args(["--checks", "all", "--phases", "examples,coverage,fuzzing"])
        .args(["--max-examples", "4", "--workers", "2", "--seed", "1"])
        .args([
            "--generation-database",
            "none",
            "--no-color",
            "--warnings",
            "off",
        ])
        // It leaves notes to itself where it runs.
        .current_dir(binaries())
        .output()
        .await
        .expect("requests that are made");
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(
        run.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&run.stderr)
    );
    let summary = said.lines().filter(|line| line.contains("generated"));
    println!("{}", summary.collect::<Vec<_>>().join("\n"));
    let health = Caller::new(stack, None).ask("GET", "/health").await;
    assert_eq!(health.0, StatusCode::OK);
    let seen = policies::check(stack).await;
    for function in ["authorize", "query", "command", "refund"] {
        assert!(seen.contains(function), "{function} did nothing: {seen:?}");
    }
    let role = policies::role(stack, "query").await;
    let writes = role
        .actions()
        .filter(|action| !policies::only_reads(action));
    let writes: Vec<_> = writes.collect();
    assert!(writes.is_empty(), "query may write: {writes:?}");
}

/// Of one order, in random amounts and under repeated keys, many at once.
#[tokio::test]
async fn two_hundred_refunds_that_meet_give_back_no_more_than_was_paid() {
    let (listener, url) = listening().await;
    let parameters = [("PaymentGateway", url)];
    let deployed = deployed_with("meeting", &parameters).await;
    let stack = &deployed.stack;
    let key = stack.payment_key().await.expect("a key");
    let gateway = Server::start(listener, key, Behaviour::default(), None).await;
    let gateway = gateway.expect("a gateway");
    let store = stack.store().expect("a store");
    stock(&store, &[("R-1", 1_000)]).await;
    let rows = "order_id,customer_id,product_sku,quantity,unit_price\nR-1,C-1,R-1,100,10.00\n";
    let rows = format!("{rows}R-2,C-2,R-1,10,10.00\n");
    let id = upload(stack, "refunds.csv", rows.as_bytes()).await;
    let import = ended(&store, &id).await;
    assert_eq!(import.progress.completed, 2);

    let (token, _) = token(&store, "refund", None).await;
    let caller = Caller::new(stack, Some(&token));
    let mut random = fastrand::Rng::with_seed(11);
    let requests: Vec<(u32, String)> = (0..200_u32)
        .map(|number| {
            // Every fourth comes under the key of another one, and for its amount.
            let number = number - u32::from(number % 4 == 3);
            let mut of_key = fastrand::Rng::with_seed(u64::from(number));
            (number, Decimal::new(of_key.i64(1..2_000), 2).to_string())
        })
        .collect();
    let mut order = requests.clone();
    random.shuffle(&mut order);
    let asked = order.iter().map(|(number, amount)| {
        let body = json!({"amount": amount, "reason": "broken"});
        let key = format!("key {number}");
        let caller = &caller;
        async move {
            (
                number,
                caller.post("/orders/R-1/refunds", &key, &body).await,
            )
        }
    });
    let mut ids = BTreeSet::new();
    let mut refused = 0;
    let mut answers = stream::iter(asked).buffer_unordered(AT_ONCE);
    while let Some((number, (status, body))) = answers.next().await {
        match status {
            StatusCode::ACCEPTED => {
                ids.insert((number, body["data"]["refund_id"].to_string()));
            }
            StatusCode::CONFLICT => refused += 1,
            other => panic!("{other}: {body}"),
        }
    }
    let keys: BTreeSet<_> = ids.iter().map(|(number, _)| number).collect();
    assert_eq!(keys.len(), ids.len(), "a key has one refund");
    let same = (0..50).map(|_| {
        let body = json!({"full": true, "reason": "never arrived"});
        let caller = &caller;
        async move {
            caller
                .post("/refunds", "once", &with_order(&body, "R-2"))
                .await
        }
    });
    let same = stream::iter(same).buffer_unordered(AT_ONCE);
    let same: BTreeSet<String> = same
        .map(|(status, body)| {
            assert_eq!(status, StatusCode::ACCEPTED, "{body}");
            body.to_string()
        })
        .collect()
        .await;
    assert_eq!(same.len(), 1, "fifty repeats have one answer");

    until("the end of all refunds", async || {
        let mut open = 0;
        let each = |refund: store::refunds::RefundRecord| {
            open += u32::from(refund.status.is_open());
        };
        store.each_refund(each).await.expect("the refunds");
        open == 0
    })
    .await;
    for (order_id, total) in [("R-1", 1_000), ("R-2", 100)] {
        let order = store
            .order(order_id)
            .await
            .expect("an answer")
            .expect("an order");
        assert!(order.refunded <= Decimal::from(total), "{order:?}");
        assert_eq!(order.refunded + order.refundable, Decimal::from(total));
    }
    println!("{} refunds, {refused} refused", ids.len());
    balanced(&store, &gateway).await;
    policies::check(stack).await;
}

fn with_order(body: &Value, order_id: &str) -> Value {
    let mut body = body.clone();
    body["order_id"] = json!(order_id);
    body
}

/// Our books, and the gateway's ledger. The figures are behind by a moment.
async fn balanced(store: &Store<DynamoEngine>, gateway: &Server) {
    let read = async || {
        let books = ordermill::verify::Books::load(store, &jiff::tz::TimeZone::UTC).await;
        let books = books.expect("books that can be read");
        let mut report = books.verify(Timestamp::now());
        let ledger = gateway.entries();
        report.add(ordermill::verify::payments::check(
            &books,
            &ledger,
            Timestamp::MAX,
        ));
        report
    };
    let report = seen("the books", read, |report| report.balanced).await;
    assert!(drift(&report).is_empty());
}
