//! From an event of the gateway to a request, and from a response to its answer.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;

use aws_lambda_events::apigw::ApiGatewayProxyRequest;
use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use edge::{Invocation, Process};
use futures::FutureExt;
use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, Context, LambdaEvent};
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use tower::{Service, ServiceExt, service_fn};

use crate::caller::Caller;
use crate::extract::{At, Draw};
use crate::problem::{Code, Problem};

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
    scopes: Option<String>,
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Event, D::Error> {
        let event = Box::<RawValue>::deserialize(deserializer)?;
        let request = serde_json::from_str(event.get()).map_err(D::Error::custom)?;
        let around: Around = serde_json::from_str(event.get()).map_err(D::Error::custom)?;
        let authorizer = around.request_context.authorizer;
        let caller = authorizer.and_then(|authorizer| {
            Some(Caller {
                name: authorizer.name?,
                scopes: authorizer.scopes?.parse().ok()?,
            })
        });
        Ok(Event { request, caller })
    }
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
    // The routes know no stage, and what a host calls itself is nobody's business here.
    event.request_context.stage = None;
    event.request_context.domain_name = None;
    event.headers.remove(header::HOST);
    event.multi_value_headers.remove(header::HOST);
    let service = service_fn(async |mut request: lambda_http::Request| {
        request.extensions_mut().insert(At(at.now));
        request.extensions_mut().insert(Draw(at.draw));
        if let Some(caller) = caller.clone() {
            request.extensions_mut().insert(caller);
        }
        let answer = AssertUnwindSafe(router.clone().oneshot(request));
        let response = answer.catch_unwind().await.unwrap_or_else(|_| {
            tracing::error!("a request was not answered: a bug");
            Ok(Problem::new(
                Code::Internal,
                "this is an error of ours, and it is on record",
            )
            .into_response())
        });
        response
    });
    let context = Context::default();
    let event = LambdaEvent::new(LambdaRequest::ApiGatewayV1(*event), context);
    let answered: Result<_, Infallible> = Adapter::from(service).call(event).await;
    match answered {
        Ok(response) => response,
        Err(never) => match never {},
    }
}
