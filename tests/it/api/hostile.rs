//! Requests as nobody means them. Whatever is sent, the answer is a success or says what is wrong, and the books balance.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use api::document::PUBLISHED;
use api::views::segment;
use domain::notification::Kind;
use fastrand::Rng;
use serde_json::{Value, json};
use store::failures::Buried;

use super::bench::{Answer, Bench, Call, call};
use super::mill::settled;
use super::optout::token;
use crate::lists::refunds::{all, fill};
use crate::notifications::support::{self as notifications, Outbox, records, stream};
use crate::support::{drift, now, tally, tally_and_verify};

const SEEDS: u64 = 2_000;

/// Seeds that share one set of tables.
const TOGETHER: u64 = 100;

struct Known {
    /// Templates with the methods that they take.
    routes: Vec<(String, &'static str)>,
    with_bodies: BTreeSet<(String, &'static str)>,
    parameters: Vec<String>,
    fields: Vec<String>,
    codes: Vec<String>,
}

static KNOWN: LazyLock<Known> = LazyLock::new(|| {
    let document: Value = serde_json::from_str(PUBLISHED).expect("json");
    let mut known = Known {
        routes: Vec::new(),
        with_bodies: BTreeSet::new(),
        parameters: Vec::new(),
        fields: Vec::new(),
        codes: Vec::new(),
    };
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (name, method) in [
            ("get", "GET"),
            ("put", "PUT"),
            ("post", "POST"),
            ("delete", "DELETE"),
        ] {
            if let Some(operation) = item.get(name) {
                known.routes.push((path.clone(), method));
                if operation.get("requestBody").is_some() {
                    known.with_bodies.insert((path.clone(), method));
                }
                let parameters = operation["parameters"].as_array().into_iter().flatten();
                let names = parameters.filter_map(|parameter| parameter["name"].as_str());
                known.parameters.extend(names.map(str::to_owned));
            }
        }
    }
    collect(&document["components"]["schemas"], &mut known.fields);
    let codes = document["components"]["schemas"]["Code"]["oneOf"].as_array();
    let codes = codes.or(document["components"]["schemas"]["Code"]["enum"].as_array());
    for code in codes.expect("codes") {
        let code = code["enum"][0].as_str().or(code.as_str());
        known.codes.push(code.expect("a code").to_owned());
    }
    known
});

/// The names of all fields.
fn collect(schema: &Value, fields: &mut Vec<String>) {
    for (name, value) in schema.as_object().into_iter().flatten() {
        if name == "properties" {
            let names = value.as_object().into_iter().flatten();
            fields.extend(names.map(|(name, _)| name.clone()));
        }
        collect(value, fields);
    }
    for value in schema.as_array().into_iter().flatten() {
        collect(value, fields);
    }
}

/// Some of it means something here.
const TEXTS: [&str; 44] = [
    "",
    " ",
    "O-1",
    "O-7",
    "O-99",
    "C-1",
    "C-3",
    "S",
    "A",
    "1",
    "0",
    "-1",
    "1.00",
    "0.001",
    "999999999999999.9999",
    "1e3",
    "true",
    "false",
    "null",
    "USD",
    "JPY",
    "XAU",
    "pending",
    "open",
    "all",
    "full",
    "batches",
    "im_lists",
    "2026-03-01",
    "9999-12-31",
    "-009999-01-01",
    "2026-02-30",
    "2026-03-01T00:00:00Z",
    "..",
    "../x",
    "a/b",
    "%",
    "%00",
    "%FF",
    "é",
    "😀",
    "\u{0}",
    "=1+1",
    "\"a\",\nb",
];

fn text(random: &mut Rng) -> String {
    match random.u8(0..10) {
        0 => (0..random.usize(0..20)).map(|_| random.char(..)).collect(),
        1 => "x".repeat(*random.choice(&[128, 129, 512, 513, 3_000]).unwrap_or(&1)),
        2 => random.u64(..).to_string(),
        _ => (*random.choice(&TEXTS).unwrap_or(&"")).to_owned(),
    }
}

fn name(random: &mut Rng, names: &[String]) -> String {
    match random.u8(0..10) {
        0 => text(random),
        _ => random.choice(names).cloned().unwrap_or_default(),
    }
}

fn value(random: &mut Rng, depth: u8) -> Value {
    match random.u8(0..if depth > 4 { 6 } else { 9 }) {
        0 => json!(null),
        1 => json!(random.bool()),
        2 => json!(random.i64(-3..10)),
        3 => json!(
            *random
                .choice(&[u64::MAX, 1_000_000, 1_000_001, 1 << 53])
                .unwrap_or(&0)
        ),
        4 => json!(random.f64()),
        5 => json!(text(random)),
        6 => (0..random.usize(0..4))
            .map(|_| value(random, depth + 1))
            .collect(),
        _ => object(random, depth + 1),
    }
}

fn object(random: &mut Rng, depth: u8) -> Value {
    let fields =
        (0..random.usize(0..5)).map(|_| (name(random, &KNOWN.fields), value(random, depth)));
    Value::Object(fields.collect())
}

/// A body that would be taken there.
fn meant(random: &mut Rng, template: &str) -> Value {
    let amount = format!("{}.{}", random.u8(0..9), random.u8(0..10));
    let mut refund = match random.u8(0..3) {
        0 => {
            let line = json!({"sku": "S", "quantity": random.u8(0..9), "restock": random.bool()});
            json!({"lines": [line], "reason": "x"})
        }
        1 => json!({"full": true, "reason": "x"}),
        _ => json!({"amount": amount, "reason": "x"}),
    };
    match template {
        "/orders" => {
            let item = json!({"sku": "S", "quantity": 1, "unit_price": amount});
            json!({"order_id": text(random), "customer_id": "C-1", "items": [item]})
        }
        "/refunds" => {
            refund["order_id"] = json!(format!("O-{}", random.u8(1..20)));
            refund
        }
        "/products/{sku}" => {
            json!({"name": "S", "price": amount, "currency": "USD", "stock": random.u32(..)})
        }
        "/notifications/{notification_id}/resend" => json!({"force": random.bool()}),
        "/products/{sku}/restock" => json!({"quantity": random.u32(0..100)}),
        "/customers/{customer_id}/preferences" => {
            json!({"channel": "log", "notifications": {"failed": random.bool()}})
        }
        _ if template.ends_with("/refunds") || template == "/orders/{order_id}" => refund,
        _ => json!({"reason": text(random)}),
    }
}

/// A part of it is another one.
fn changed(random: &mut Rng, mut body: Value) -> Value {
    if let Some(fields) = body.as_object_mut() {
        let names: Vec<String> = fields.keys().cloned().collect();
        match random.u8(0..3) {
            0 => drop(fields.insert(name(random, &KNOWN.fields), value(random, 0))),
            1 => drop(fields.remove(&name(random, &names))),
            _ => drop(fields.insert(name(random, &names), value(random, 0))),
        }
    }
    body
}

fn body(random: &mut Rng, call: Call, template: &str) -> Call {
    if template == FORM && random.bool() {
        return call.body(random.choice(&FORMS).unwrap_or(&""));
    }
    let meant = meant(random, template);
    match random.u8(0..20) {
        0 => call,
        1 => call.body(&text(random)),
        2 => call.bytes(
            &(0..random.usize(0..50))
                .map(|_| random.u8(..))
                .collect::<Vec<u8>>(),
        ),
        3 => call.body(&format!("{}{}", "[".repeat(200), "]".repeat(200))),
        4 => call.body(&value(random, 0).to_string()),
        5 => {
            let whole = meant.to_string();
            let end = whole.floor_char_boundary(random.usize(0..=whole.len()));
            call.body(&whole[..end])
        }
        6 | 7 => {
            let body = changed(random, meant);
            call.body(&body.to_string())
        }
        _ => call.body(&meant.to_string()),
    }
}

const FORM: &str = "/unsubscribe/{token}";
const FORMS: [&str; 5] = [
    "List-Unsubscribe=One-Click",
    "choice=kind_off",
    "choice=all_on",
    "choice=nothing",
    "&&=%FF&choice",
];

/// Names that are drawn for each bench.
struct There {
    refunds: Vec<String>,
    import: String,
    notifications: Vec<String>,
}

/// What there is of that kind, or anything else.
fn part(random: &mut Rng, kind: &str, there: &There) -> String {
    let known = match kind {
        "{order_id}" => format!("O-{}", random.u8(1..22)),
        "{customer_id}" => format!("C-{}", random.u8(0..8)),
        "{refund_id}" => random.choice(&there.refunds).cloned().unwrap_or_default(),
        "{failure_id}" => format!("fl_{}", random.u8(0..3)),
        "{import_id}" => there.import.clone(),
        "{notification_id}" => {
            let known = random.choice(&there.notifications);
            known.cloned().unwrap_or_default()
        }
        "{token}" => token(&format!("C-{}", random.u8(0..8)), Kind::Refund),
        "{sku}" => "S".to_owned(),
        "{name}" => "batches".to_owned(),
        "{date}" => format!("2026-02-{:02}", random.u8(1..29)),
        "{address}" => format!("a{}@shop.example", random.u8(0..3)),
        _ => text(random),
    };
    match random.u8(0..12) {
        0 => text(random).replace(['?', '/'], "~"),
        1 => format!("%{:02X}", random.u8(..)),
        2 => segment(&text(random)),
        _ => segment(&known),
    }
}

fn path(random: &mut Rng, template: &str, there: &There) -> String {
    let parts = template.split('/').enumerate().map(|(at, kind)| {
        let is_garbled = at > 0 && random.u8(0..200) == 0;
        match kind.starts_with('{') || is_garbled {
            true => part(random, kind, there),
            false => kind.to_owned(),
        }
    });
    parts.collect::<Vec<_>>().join("/")
}

fn drawn(random: &mut Rng, there: &There) -> (&'static (String, &'static str), String, Call) {
    let route = random.choice(&KNOWN.routes).expect("a route");
    let (template, method) = route;
    let mut path = path(random, template, there);
    let garbled = if *method == "GET" { 2 } else { 8 };
    // Whose orders has to be said.
    if template == "/orders" && *method == "GET" && random.bool() {
        path.push_str("?customer_id=C-1");
    } else if random.u8(0..garbled) == 0 {
        let pairs = (0..random.usize(1..4)).map(|_| {
            let (name, value) = (name(random, &KNOWN.parameters), text(random));
            format!("{name}={value}").replace('&', "+")
        });
        path = format!("{path}?{}", pairs.collect::<Vec<_>>().join("&"));
    } else if (template.as_str(), *method) == ("/orders", "GET") {
        path.push_str("?customer_id=C-1");
    }
    let mut call = call(method, &path);
    let usual = match template.as_str() {
        "/orders/import" => "text/csv",
        FORM => "application/x-www-form-urlencoded",
        _ => "application/json",
    };
    let kind = match random.u8(0..12) {
        0 => "",
        1 => "application/gzip",
        2 => "text/csv",
        _ => usual,
    };
    if !kind.is_empty() {
        call = call.header("content-type", kind);
    }
    if random.u8(0..3) > 0 {
        let key = match random.bool() {
            true => text(random),
            false => format!("key-{}", random.u8(0..20)),
        };
        call = call.key(&key);
    }
    for name in [
        "origin",
        "accept",
        "x-forwarded-proto",
        "content-length",
        "authorization",
        "a b",
    ] {
        if random.u8(0..20) == 0 {
            call = call.header(name, &text(random));
        }
    }
    let what = format!("{method} {path}");
    match KNOWN.with_bodies.contains(route) || random.u8(0..16) == 0 {
        true => (route, what, body(random, call, template)),
        false => (route, what, call),
    }
}

/// A success, or a problem with a name.
fn is_sane(what: &str, answer: &Answer) {
    assert!(answer.status < 500, "{what}: {answer:?}");
    if answer.status < 300 {
        return;
    }
    // What customers see is a page, whatever it says.
    if answer.header("content-type") == Some("text/html; charset=utf-8") {
        assert_eq!(answer.status, 404, "{what}");
        return;
    }
    let (status, code) = answer.problem();
    let is_known = KNOWN.codes.iter().any(|known| known == code);
    assert!(is_known, "{what}: {answer:?}");
    // What cannot be read at all, and files, are refused as a whole.
    let is_whole = code == "invalid_json" || what.contains("/orders/import");
    let is_named = answer.body["field"].is_string() || is_whole;
    assert!(
        is_named || ![400, 422].contains(&status),
        "{what}: {answer:?}"
    );
    assert!(
        answer.body["title"].is_string() && answer.body["detail"].is_string(),
        "{what}"
    );
}

/// Of what was settled so far.
async fn told(bench: &Bench) -> Vec<String> {
    let event = stream(&bench.engine);
    let told = notifications::told(&bench.store, &Outbox::default(), event).await;
    told.expect("told");
    records(&bench.store).await.into_keys().collect()
}

#[tokio::test(start_paused = true)]
async fn whatever_is_sent_is_answered_and_breaks_nothing() {
    let mut taken = BTreeSet::new();
    for first in (0..SEEDS).step_by(TOGETHER as usize) {
        let bench = Bench::new();
        fill(&bench.store, 40, &mut Rng::with_seed(first)).await;
        let refunds = all(&bench.store).await.into_iter();
        let refunds: Vec<String> = refunds.map(|one| one.refund_id).collect();
        let file = "order_id,customer_id,customer_name,sku,quantity,unit_price\nI-1,C-1,Ada,S,1,9.99\nI-2,C-1,Ada,S,x,1\n";
        let put = call("POST", "/orders/import").header("content-type", "text/csv");
        let put = bench.ask(put.body(file)).await;
        settled(&bench, put.data()["file"].as_str().expect("a key")).await;
        let import = put.data()["import_id"].as_str().expect("an id").to_owned();
        tally(&bench.store).await;
        let notifications = told(&bench).await;
        let there = There {
            refunds,
            import,
            notifications,
        };
        for number in 0..2 {
            let buried = Buried {
                failure_id: format!("fl_{number}"),
                queue: "batches".to_owned(),
                fault: "Malformed".to_owned(),
                reason: "not a batch".to_owned(),
                payload: "garbage".to_owned(),
                group: None,
            };
            bench.store.bury(&buried, now()).await.expect("buried");
        }
        for seed in first..first + TOGETHER {
            let mut random = Rng::with_seed(seed);
            for _ in 0..5 {
                let (operation, what, call) = drawn(&mut random, &there);
                let what = format!("seed {seed}: {what}");
                let answer = bench.ask(call).await;
                is_sane(&what, &answer);
                if answer.status < 300 {
                    taken.insert(operation);
                }
            }
        }
        let report = tally_and_verify(&bench.store).await;
        assert!(drift(&report).is_empty(), "from seed {first}: {report:#?}");
    }
    // Otherwise only refusals were tried. No webhook is signed, and two days in their sequence are not drawn.
    let never: Vec<_> = KNOWN
        .routes
        .iter()
        .filter(|route| !taken.contains(route))
        .collect();
    let unsigned = ("/webhooks/payments".to_owned(), "POST");
    let days = ("/kpis/range".to_owned(), "GET");
    assert_eq!(never, [&days, &unsigned]);
}
