//! Makes routes a service: behind their rules, with the headers that every answer has, and an answer for everything else.

use std::sync::Arc;

use axum::Router;
use axum::extract::{OriginalUri, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;

use crate::caller::guard;
use crate::document;
use crate::problem::{Code, Problem};

/// The one site whose pages may call this from a browser. By default there is none.
#[derive(Debug, Clone, Default)]
pub struct Origin(Option<HeaderValue>);

impl Origin {
    /// Nothing, where none is named.
    pub fn new(origin: &str) -> Origin {
        let origin = HeaderValue::from_str(origin).ok();
        Origin(origin.filter(|origin| !origin.is_empty()))
    }
}

/// Behind an API no browser has any business to render, to keep or to guess anything.
const HEADERS: [(HeaderName, &str); 5] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'",
    ),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        header::STRICT_TRANSPORT_SECURITY,
        "max-age=63072000; includeSubDomains",
    ),
];

/// The headers that a page of another site may send, and see.
const ASKED: &str = "authorization, content-type, idempotency-key";
const SHOWN: &str = "location, idempotent-replayed, retry-after, allow";

pub fn router<S: Clone + Send + Sync + 'static>(
    routes: OpenApiRouter<S>,
    state: S,
    origin: Origin,
) -> Router {
    let (router, document) = routes.split_for_parts();
    let rules = Arc::new(document::rules(&document));
    router
        .layer(from_fn_with_state(rules, guard))
        .fallback(no_route)
        .method_not_allowed_fallback(no_route)
        .layer(from_fn_with_state(Arc::new(origin), with_headers))
        .with_state(state)
}

async fn no_route(OriginalUri(uri): OriginalUri, method: Method) -> Response {
    elsewhere(&uri, &method)
}

/// Either function may be asked for what the other one does.
pub(crate) fn elsewhere(uri: &Uri, method: &Method) -> Response {
    let methods = document::methods(uri.path());
    if methods.is_empty() {
        return Problem::new(Code::NoSuchRoute, "/openapi.json lists what there is")
            .into_response();
    }
    let allowed = methods.join(", ");
    let detail = format!("{method} is not for this path: {allowed} is");
    let mut response = Problem::new(Code::MethodNotAllowed, detail).into_response();
    if let Ok(allowed) = HeaderValue::from_str(&allowed) {
        response.headers_mut().insert(header::ALLOW, allowed);
    }
    response
}

async fn with_headers(State(origin): State<Arc<Origin>>, request: Request, next: Next) -> Response {
    let calling = request.headers().get(header::ORIGIN).cloned();
    let calling = calling.filter(|calling| origin.0.as_ref() == Some(calling));
    let is_preflight = request.method() == Method::OPTIONS;
    let mut response = match &calling {
        Some(_) if is_preflight => StatusCode::NO_CONTENT.into_response(),
        _ => next.run(request).await,
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    if let Some(calling) = calling {
        headers.insert(header::VARY, HeaderValue::from_static("origin"));
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, calling);
        for (name, value) in [
            (
                header::ACCESS_CONTROL_ALLOW_METHODS,
                "GET, POST, PUT, DELETE",
            ),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, ASKED),
            (header::ACCESS_CONTROL_EXPOSE_HEADERS, SHOWN),
            (header::ACCESS_CONTROL_MAX_AGE, "600"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    response
}
