//! Both functions over one memory engine, with nothing outside.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use api::optout::OptOutPage;
use api::{Event, Origin};
use axum::Router;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use domain::order::TotalPolicy;
use edge::Invocation;
use intake::Settings;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use store::Store;
use store::memory::MemoryEngine;
use store::schema::Table;

use super::guarded::guarded;
use super::outside::{Done, Outside};
use crate::support::now;

pub struct Bench {
    pub engine: MemoryEngine,
    pub store: Store<MemoryEngine>,
    pub done: Arc<Done>,
    query: Router,
    command: Router,
    calls: AtomicU64,
    clock: Mutex<Timestamp>,
}

/// A request on its way.
pub struct Call {
    method: &'static str,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Option<String>,
    is_base64: bool,
    scopes: Option<&'static str>,
    caller: &'static str,
    /// The host that the caller named, and what stands before the path in the gateway's context.
    through: Option<(&'static str, &'static str)>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub status: u64,
    pub headers: Value,
    pub body: Value,
    /// The body as it is.
    pub text: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers[name][0].as_str()
    }

    pub fn data(&self) -> &Value {
        assert_eq!(self.body["success"], true, "{self:?}");
        &self.body["data"]
    }

    /// Its status and its code.
    pub fn problem(&self) -> (u64, &str) {
        assert_eq!(self.body["status"], self.status, "{self:?}");
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json")
        );
        (self.status, self.body["code"].as_str().unwrap_or_default())
    }
}

pub fn call(method: &'static str, path: &str) -> Call {
    Call {
        method,
        path: path.to_owned(),
        headers: Vec::new(),
        body: None,
        is_base64: false,
        scopes: Some("admin"),
        caller: "tests",
        through: None,
    }
}

impl Call {
    pub fn json(self, body: Value) -> Call {
        self.header("content-type", "application/json")
            .body(&body.to_string())
    }

    pub fn body(self, body: &str) -> Call {
        let body = Some(body.to_owned());
        Call { body, ..self }
    }

    /// As the gateway hands over what is no text.
    pub fn bytes(self, body: &[u8]) -> Call {
        let body = BASE64_STANDARD.encode(body);
        Call {
            is_base64: true,
            ..self.body(&body)
        }
    }

    /// Who calls.
    pub fn caller(self, caller: &'static str) -> Call {
        Call { caller, ..self }
    }

    pub fn header(mut self, name: &'static str, value: &str) -> Call {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub fn key(self, key: &str) -> Call {
        self.header("Idempotency-Key", key)
    }

    /// By this host, and with this before the path in the context of the gateway.
    pub fn through(self, host: &'static str, prefix: &'static str) -> Call {
        Call {
            through: Some((host, prefix)),
            ..self
        }
    }

    /// None: nobody said who calls.
    pub fn with(self, scopes: Option<&'static str>) -> Call {
        Call { scopes, ..self }
    }
}

impl Bench {
    pub fn new() -> Bench {
        Bench::with(Origin::default())
    }

    pub fn with(origin: Origin) -> Bench {
        Bench::in_zone(origin, &TimeZone::UTC)
    }

    /// Where the business has its days.
    pub fn in_zone(origin: Origin, zone: &TimeZone) -> Bench {
        let engine = MemoryEngine::new();
        let done = Arc::new(Done {
            piece: Mutex::new(1_000),
            ..Done::default()
        });
        let store_of = |function| guarded(function, &engine, &done.away);
        let query = query::App {
            store: store_of("query"),
            outside: Box::new(Outside(done.clone())),
            zone: zone.clone(),
            currency: "USD".parse().expect("a currency"),
            tables: vec![Table::Orders, Table::Journal, Table::Tallies],
            health: Default::default(),
            optout: optout(),
        };
        let command = command::App {
            store: store_of("command"),
            outside: Box::new(Outside(done.clone())),
            zone: zone.clone(),
            intake: Settings {
                default_currency: "USD".parse().expect("a currency"),
                total_policy: TotalPolicy::Declared,
            },
            optout: optout(),
        };
        Bench {
            store: Store::new(engine.clone(), 1),
            engine,
            calls: AtomicU64::new(0),
            clock: Mutex::new(now()),
            done,
            query: api::router(query::routes(), Arc::new(query), origin.clone()),
            command: api::router(command::routes(), Arc::new(command), origin),
        }
    }

    /// What comes now comes later.
    pub fn wait(&self, time: SignedDuration) {
        *self.clock.lock().expect("a lock") += time;
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask(call("GET", path)).await
    }

    /// As the gateway does it: reads go to one function, and all else to the other.
    pub async fn ask(&self, call: Call) -> Answer {
        let (path, query) = call.path.split_once('?').unwrap_or((&call.path, ""));
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let mut parameters = json!({});
        for (name, value) in pairs {
            let value = percent(value);
            match parameters[name].as_array_mut() {
                Some(values) => values.push(json!(value)),
                None => parameters[name] = json!([value]),
            }
        }
        // Each header twice, as the gateway does it: its last value, and all of them.
        let (host, prefix) = call.through.unwrap_or(("an.api.example", ""));
        let mut last = json!({"Host": host});
        let mut headers = json!({"Host": [host]});
        for (name, value) in &call.headers {
            last[*name] = json!(value);
            match headers[*name].as_array_mut() {
                Some(values) => values.push(json!(value)),
                None => headers[*name] = json!([value]),
            }
        }
        let authorizer = call.scopes.map(|scopes| {
            json!({"principalId": "tk_1", "token_id": "tk_1", "name": call.caller, "scopes": scopes})
        });
        let event = json!({
            "resource": "/{proxy+}", "path": path, "httpMethod": call.method, "headers": last,
            "multiValueHeaders": headers, "queryStringParameters": {},
            "multiValueQueryStringParameters": parameters, "pathParameters": {}, "stageVariables": null,
            "requestContext": {
                "resourcePath": "/{proxy+}", "httpMethod": call.method, "stage": "api", "requestId": "1",
                "path": format!("{prefix}{path}"), "accountId": "0", "apiId": "a1b2", "identity": {"sourceIp": "127.0.0.1"}, "authorizer": authorizer,
            },
            "body": call.body, "isBase64Encoded": call.is_base64,
        });
        self.take(event).await
    }

    /// An event of the gateway.
    pub async fn take(&self, event: Value) -> Answer {
        let router = match event["httpMethod"].as_str() {
            Some("GET" | "HEAD" | "OPTIONS" | "PATCH") => &self.query,
            _ => &self.command,
        };
        let event: Event = serde_json::from_value(event).expect("an event");
        let at = Invocation {
            now: *self.clock.lock().expect("a lock"),
            remaining: Duration::from_secs(20),
            draw: self.calls.fetch_add(1, Ordering::Relaxed),
        };
        let answer = api::answer(router, event, at).await;
        let answer = serde_json::to_value(answer).expect("json");
        let body = answer["body"].as_str().unwrap_or_default();
        Answer {
            status: answer["statusCode"].as_u64().expect("a status"),
            headers: answer["multiValueHeaders"].clone(),
            body: serde_json::from_str(body).unwrap_or_else(|_| json!(body)),
            text: body.to_owned(),
        }
    }
}

/// The gateway hands parameters over as they are meant.
fn percent(value: &str) -> String {
    value
        .replace("%20", " ")
        .replace("%2B", "+")
        .replace("%26", "&")
}

fn optout() -> OptOutPage {
    OptOutPage {
        language: "en".to_owned(),
    }
}
