//! Both functions over one memory engine, with nothing outside.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use api::{Event, Origin};
use axum::Router;
use domain::{Batch, Fault};
use edge::Invocation;
use edge::queues::Depth;
use edge::refunds::RefundMessage;
use futures::future::{BoxFuture, FutureExt, ready};
use jiff::tz::TimeZone;
use payments::SigningKey;
use serde_json::{Value, json};
use store::memory::MemoryEngine;
use store::{AnyEngine, Store};

use crate::support::now;

/// What the functions did besides in the tables.
#[derive(Default)]
pub struct Done {
    pub refunds: Mutex<Vec<String>>,
    pub batches: Mutex<Vec<Batch>>,
    /// Whether the queues answer.
    pub is_down: Mutex<bool>,
}

pub struct Bench {
    pub store: Store<MemoryEngine>,
    pub done: Arc<Done>,
    query: Router,
    command: Router,
}

/// A request on its way.
pub struct Call {
    method: &'static str,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Option<String>,
    scopes: Option<&'static str>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub status: u64,
    pub headers: Value,
    pub body: Value,
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
        scopes: Some("admin"),
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

    pub fn header(mut self, name: &'static str, value: &str) -> Call {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub fn key(self, key: &str) -> Call {
        self.header("Idempotency-Key", key)
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
        let engine = MemoryEngine::new();
        let any = || Store::new(AnyEngine::new(engine.clone()), 2);
        let done = Arc::new(Done::default());
        let query = query::App {
            store: any(),
            outside: Box::new(Outside(done.clone())),
            zone: TimeZone::UTC,
            currency: "USD".parse().expect("a currency"),
        };
        let command = command::App {
            store: any(),
            outside: Box::new(Outside(done.clone())),
        };
        Bench {
            store: Store::new(engine, 1),
            done,
            query: api::router(query::routes(), Arc::new(query), origin.clone()),
            command: api::router(command::routes(), Arc::new(command), origin),
        }
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
        let mut headers = json!({"Host": ["an.api.example"]});
        for (name, value) in &call.headers {
            headers[*name] = json!([value]);
        }
        let authorizer = call.scopes.map(|scopes| {
            json!({"principalId": "tk_1", "token_id": "tk_1", "name": "tests", "scopes": scopes})
        });
        let event = json!({
            "resource": "/{proxy+}", "path": path, "httpMethod": call.method, "headers": {},
            "multiValueHeaders": headers, "queryStringParameters": {},
            "multiValueQueryStringParameters": parameters, "pathParameters": {}, "stageVariables": null,
            "requestContext": {
                "resourcePath": "/{proxy+}", "httpMethod": call.method, "stage": "api", "requestId": "1",
                "accountId": "0", "apiId": "1", "identity": {"sourceIp": "127.0.0.1"}, "authorizer": authorizer,
            },
            "body": call.body, "isBase64Encoded": false,
        });
        let router = match call.method {
            "GET" | "OPTIONS" => &self.query,
            _ => &self.command,
        };
        let event: Event = serde_json::from_value(event).expect("an event");
        let at = Invocation {
            now: now(),
            remaining: Duration::from_secs(20),
            draw: 1,
        };
        let answer = api::answer(router, event, at).await;
        let answer = serde_json::to_value(answer).expect("json");
        let body = answer["body"].as_str().unwrap_or_default();
        Answer {
            status: answer["statusCode"].as_u64().expect("a status"),
            headers: answer["multiValueHeaders"].clone(),
            body: serde_json::from_str(body).unwrap_or_else(|_| json!(body)),
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

struct Outside(Arc<Done>);

impl Outside {
    fn answer<T: Send + 'static>(&self, answer: T) -> BoxFuture<'static, Result<T, Fault>> {
        let answer = match *self.0.is_down.lock().expect("a lock") {
            true => Err(Fault::Transient("no answer".to_owned())),
            false => Ok(answer),
        };
        ready(answer).boxed()
    }
}

impl query::outside::Outside for Outside {
    fn depths(&self) -> BoxFuture<'_, Result<Vec<Depth>, Fault>> {
        self.answer(vec![Depth {
            name: "batches",
            waiting: 3,
            in_flight: 2,
            dead: 1,
        }])
    }

    fn files(&self) -> BoxFuture<'_, Result<(), Fault>> {
        ready(Ok(())).boxed()
    }
}

impl command::outside::Outside for Outside {
    fn send_refunds(&self, refunds: Vec<RefundMessage>) -> BoxFuture<'_, Result<(), Fault>> {
        let ids = refunds.into_iter().map(|message| message.refund_id);
        self.0.refunds.lock().expect("a lock").extend(ids);
        self.answer(())
    }

    fn send_batches(&self, batches: Vec<Batch>) -> BoxFuture<'_, Result<(), Fault>> {
        self.0.batches.lock().expect("a lock").extend(batches);
        self.answer(())
    }

    fn payment_key(&self, _fresh: bool) -> BoxFuture<'_, Result<SigningKey, Fault>> {
        self.answer(SigningKey::new("ours"))
    }
}
