//! From an event of the gateway to a request, and from a response to its answer.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;

use aws_lambda_events::apigw::ApiGatewayProxyRequest;
use axum::Router;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::IntoResponse;
use edge::{Invocation, Process};
use futures::FutureExt;
use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, Context, LambdaEvent};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;
use tower::{Service, ServiceExt, service_fn};

use crate::base;
use crate::caller::Caller;
use crate::extract::{At, Draw};
use crate::problem::{Code, Problem};

/// What a path never has but encoded. Whoever hands one over decoded meant these.
const NOT_IN_PATHS: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// A request as the gateway hands it over.
pub struct Event {
    request: Box<ApiGatewayProxyRequest>,
    caller: Option<Caller>,
}

/// What `authorize` said. The event's own type has no place for it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Around {
    request_context: RequestContext,
}

#[derive(Deserialize)]
struct RequestContext {
    #[serde(default)]
    authorizer: Option<Authorizer>,
}

#[derive(Deserialize)]
struct Authorizer {
    name: Option<String>,
    token_id: Option<String>,
    scopes: Option<String>,
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Event, D::Error> {
        let event = Box::<RawValue>::deserialize(deserializer)?;
        let request = serde_json::from_str(event.get());
        let request = request.or_else(|_| passable(event.get()));
        let request = request.map_err(D::Error::custom)?;
        let around: Around = serde_json::from_str(event.get()).map_err(D::Error::custom)?;
        let authorizer = around.request_context.authorizer;
        let caller = authorizer.and_then(|authorizer| {
            Some(Caller {
                name: authorizer.name?,
                token_id: authorizer.token_id?,
                scopes: authorizer.scopes?.parse().ok()?,
            })
        });
        Ok(Event { request, caller })
    }
}

/// Without the headers that are none: what one caller sends must not read like a failure of the function.
fn passable(event: &str) -> Result<Box<ApiGatewayProxyRequest>, serde_json::Error> {
    let mut event: Value = serde_json::from_str(event)?;
    let text = |value: &Value| {
        value
            .as_str()
            .is_some_and(|text| HeaderValue::from_str(text).is_ok())
    };
    for field in ["headers", "multiValueHeaders"] {
        if let Some(headers) = event.get_mut(field).and_then(Value::as_object_mut) {
            headers.retain(|name, value| {
                let values = value
                    .as_array()
                    .map_or_else(|| text(value), |values| values.iter().all(text));
                HeaderName::from_bytes(name.as_bytes()).is_ok() && values
            });
        }
    }
    serde_json::from_value(event)
}

/// Serves requests until the service ends the process.
pub async fn serve(process: Process, router: Router) -> Result<(), edge::Error> {
    process
        .serve(async |event: Event, at| Ok(answer(&router, event, at).await))
        .await
}

/// One event, answered whatever happens: a function that dies leaves its caller with nothing.
pub async fn answer(
    router: &Router,
    event: Event,
    at: Invocation,
) -> impl serde::Serialize + use<> {
    let Event {
        request: mut event,
        caller,
    } = event;
    let base = base::of(&event);
    // The routes know no stage, and what a host calls itself is nobody's business here.
    event.request_context.stage = None;
    event.request_context.domain_name = None;
    event.headers.remove(header::HOST);
    event.multi_value_headers.remove(header::HOST);
    // The gateway hands over both, and the adapter would let the last value of a header stand for all of them.
    for name in event.multi_value_headers.keys() {
        event.headers.remove(name);
    }
    // The adapter would tidy it up as a browser does, or fail at it; what came in is what is answered.
    let path = event.path.replace("/".to_owned()).unwrap_or_default();
    let path = utf8_percent_encode(&path, NOT_IN_PATHS).to_string();
    let service = service_fn(async |mut request: lambda_http::Request| {
        request.extensions_mut().insert(At(at.now));
        request.extensions_mut().insert(Draw(at.draw));
        if let Some(caller) = caller.clone() {
            request.extensions_mut().insert(caller);
        }
        let query = request.uri().query();
        let query = query.map_or_else(String::new, |query| format!("?{query}"));
        match format!("{path}{query}").parse() {
            Ok(uri) => *request.uri_mut() = uri,
            Err(_) => {
                let what = "this is no path";
                return Ok(Problem::new(Code::NoSuchRoute, what).into_response());
            }
        }
        let answer = AssertUnwindSafe(router.clone().oneshot(request));
        answer.catch_unwind().await.unwrap_or_else(|_| {
            tracing::error!("a request was not answered: a bug");
            Ok(Problem::new(
                Code::Internal,
                "this is an error of ours, and it is on record",
            )
            .into_response())
        })
    });
    let context = Context::default();
    let event = LambdaEvent::new(LambdaRequest::ApiGatewayV1(*event), context);
    let answer = Adapter::from(service).call(event);
    let answered: Result<_, Infallible> = base::within(base, answer).await;
    match answered {
        Ok(response) => response,
        Err(never) => match never {},
    }
}
