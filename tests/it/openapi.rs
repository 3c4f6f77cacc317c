//! The file that other people's gateways are written by says what ours does.

use std::collections::BTreeSet;

use domain::Money;
use jiff::Timestamp;
use ordermill::gateway::{Behaviour, Server};
use payments::contract::{
    CHARGES, ChargeStatus, IDEMPOTENCY_KEY, LEDGER, Movement, ProblemCode, REFUNDS, SIGNATURE,
};
use payments::{Charge, Gateway, Http, Refund, SigningKey};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::support::{http, listening, read};

const KEY: &str = "a secret of the tests";

fn file() -> Value {
    serde_json::from_slice(&read("infra/gateway.openapi.json")).expect("json")
}

/// What a reference ends in.
fn name(reference: &Value) -> &str {
    let name = reference["$ref"].as_str().unwrap_or_default();
    name.rsplit('/').next().unwrap_or_default()
}

/// With a charge and a refund under the key `O-1`.
async fn serving() -> Server {
    let key = SigningKey::new(KEY);
    let (listener, _) = listening().await;
    let server = Server::start(listener, key.clone(), Behaviour::default(), None).await;
    let server = server.expect("a gateway");
    let gateway = Http::new(&server.url(), key).expect("an adapter");
    let money = |cents| Money::new(Decimal::new(cents, 2), "USD".parse().expect("a currency"));
    let charge = Charge {
        key: "O-1",
        amount: money(1000).expect("an amount"),
    };
    gateway.charge(&charge).await.expect("a charge");
    let refund = Refund {
        key: "O-1",
        charge: "O-1",
        amount: money(1).expect("an amount"),
    };
    gateway.refund(&refund).await.expect("a refund");
    server
}

#[tokio::test]
async fn every_operation_answers_as_the_file_says() {
    let (file, server, client) = (file(), serving().await, http());
    for (template, methods) in file["paths"].as_object().expect("paths") {
        let path = template.replace("{key}", "O-1");
        for (method, operation) in methods.as_object().expect("methods") {
            let what = format!("{method} {template}");
            let content =
                |of: &Value| name(&of["content"]["application/json"]["schema"]).to_owned();
            let body = match content(&operation["requestBody"]).as_str() {
                "ChargeRequest" => json!({"amount": "10.00", "currency": "USD"}).to_string(),
                "VoidRequest" => json!({"approved": false}).to_string(),
                "RefundRequest" => {
                    json!({"charge": "O-1", "amount": "0.01", "currency": "USD"}).to_string()
                }
                "" => String::new(),
                other => panic!("{what} takes {other}"),
            };
            let parameters = operation["parameters"].as_array().expect("parameters");
            let keyed = parameters.iter().any(|one| name(one) == "IdempotencyKey");
            let idempotency_key = if keyed { "O-1" } else { "" };
            let method = method.to_uppercase();
            let parts = [&method, &path, idempotency_key, &body].map(str::as_bytes);
            let mut request = client
                .request(
                    method.parse().expect("a method"),
                    format!("{}{path}", server.url()),
                )
                .header(
                    SIGNATURE,
                    SigningKey::new(KEY).sign(&parts, Timestamp::now()),
                )
                .body(body);
            if keyed {
                request = request.header(IDEMPOTENCY_KEY, idempotency_key);
            }
            let answer = request.send().await.expect("an answer");
            assert_eq!(answer.status(), 200, "{what}");
            let answer = answer.bytes().await.expect("a body");
            let answer: Value = serde_json::from_slice(&answer).expect("json");
            let response = &operation["responses"]["200"];
            let schema = match name(response) {
                "" => content(response),
                shared => content(&file["components"]["responses"][shared]),
            };
            let required = &file["components"]["schemas"][schema]["required"];
            let required = required.as_array().expect("fields").iter();
            let required: BTreeSet<_> = required.filter_map(Value::as_str).collect();
            let fields = answer.as_object().expect("an object").keys();
            assert_eq!(required, fields.map(String::as_str).collect(), "{what}");
        }
    }
}

#[test]
fn names_are_those_of_the_code() {
    use ChargeStatus::{Approved, Declined, Pending, Voided};
    use Movement::{Capture, Void};
    use ProblemCode::{
        BadSignature, Invalid, KeyReused, NotFound, NotRefundable, TooManyRequests, Unavailable,
    };
    let file = file();
    let paths = file["paths"].as_object().expect("paths").keys();
    let expected = [
        CHARGES.to_owned(),
        format!("{CHARGES}/{{key}}"),
        format!("{CHARGES}/{{key}}/void"),
        LEDGER.to_owned(),
        REFUNDS.to_owned(),
        format!("{REFUNDS}/{{key}}"),
    ];
    assert_eq!(
        paths.cloned().collect::<BTreeSet<_>>(),
        BTreeSet::from(expected)
    );
    let components = &file["components"];
    for (schema, names) in [
        ("ChargeStatus", json!([Approved, Declined, Pending, Voided])),
        ("Movement", json!([Capture, Void, Movement::Refund])),
        (
            "ProblemCode",
            json!([
                BadSignature,
                Invalid,
                NotFound,
                KeyReused,
                NotRefundable,
                TooManyRequests,
                Unavailable
            ]),
        ),
    ] {
        assert_eq!(components["schemas"][schema]["enum"], names, "{schema}");
    }
    assert_eq!(
        components["securitySchemes"]["signature"]["name"],
        SIGNATURE
    );
    assert_eq!(
        components["parameters"]["IdempotencyKey"]["name"],
        IDEMPOTENCY_KEY
    );
}
