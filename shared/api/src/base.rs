//! Where the paths of the API start in the URL that its caller has: behind the stage, unless a domain name stands for it.

use std::future::Future;

use aws_lambda_events::apigw::ApiGatewayProxyRequest;
use axum::http::header;
use percent_encoding::percent_decode_str;

tokio::task_local! {
    /// The base of the request that this task answers.
    static BASE: String;
}

/// A path of the API, as the caller of this request reaches it.
pub fn link(path: &str) -> String {
    BASE.try_with(|base| format!("{base}{path}"))
        .unwrap_or_else(|_| path.to_owned())
}

/// Answers a request whose links start with this base.
pub(crate) async fn within<F: Future>(base: String, answer: F) -> F::Output {
    BASE.scope(base, answer).await
}

/// The base of a request, before anything was taken from it.
///
/// The gateway gives the path with the stage in the context, and without it beside. Behind a domain name both are the same.
/// An emulator has no host for each API: where the host is another one, the path names the API.
pub(crate) fn of(event: &ApiGatewayProxyRequest) -> String {
    let context = &event.request_context;
    let (Some(whole), Some(path)) = (context.path.as_deref(), event.path.as_deref()) else {
        return String::new();
    };
    let stage = context.stage.as_deref().unwrap_or_default();
    let is_whole = whole == path || percent_decode_str(whole).decode_utf8_lossy() == path;
    let behind = whole
        .strip_prefix('/')
        .and_then(|whole| whole.strip_prefix(stage));
    let is_behind = behind.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if is_whole || stage.is_empty() || !is_behind {
        return String::new();
    }
    let host = event.headers.get(header::HOST);
    let host = host.and_then(|host| host.to_str().ok());
    match (&context.apiid, host) {
        (Some(api), Some(host)) if !host.contains(".execute-api.") => {
            format!("/restapis/{api}/{stage}/_user_request_")
        }
        _ => format!("/{stage}"),
    }
}
