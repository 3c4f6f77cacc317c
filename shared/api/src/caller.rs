//! Who calls, and whether the route is open to them.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::Method;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use domain::access::{Scope, Scopes};

use crate::problem::{Code, Problem};
use crate::site::elsewhere;

/// As `authorize` told the gateway, and the gateway told us.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Put on record with whatever they do.
    pub name: String,
    /// Tells two tokens of one name.
    pub token_id: String,
    pub scopes: Scopes,
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Caller, Problem> {
        parts.extensions.get().cloned().ok_or_else(unknown)
    }
}

fn unknown() -> Problem {
    Problem::new(Code::Unauthorized, "a valid bearer token is needed")
}

/// What each route asks for: its method, its path as it is declared, and its scope. Nothing for one that is open.
#[derive(Debug, Default)]
pub struct Rules(HashMap<(Method, String), Option<Scope>>);

impl Rules {
    pub fn set(&mut self, method: Method, path: &str, scope: Option<Scope>) {
        self.0.insert((method, path.to_owned()), scope);
    }
}

/// Stands before every route. A method that no rule is about is none that the route takes, whatever the router makes of it:
/// it would answer HEAD wherever there is a GET.
pub async fn guard(
    State(rules): State<Arc<Rules>>,
    path: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let Some(path) = path else {
        return Ok(next.run(request).await);
    };
    let method = request.method().clone();
    match rules.0.get(&(method, path.as_str().to_owned())) {
        None => return Ok(elsewhere(request.uri(), request.method())),
        Some(None) => {}
        Some(Some(scope)) => {
            let caller: &Caller = request.extensions().get().ok_or_else(unknown)?;
            if !caller.scopes.allows(*scope) {
                let detail = format!("this takes a token with the scope {scope}");
                return Err(Problem::new(Code::Forbidden, detail));
            }
            // Also what leaves no record of its own, such as a queue that is paused.
            if request.method() != Method::GET {
                let (method, path) = (request.method(), request.uri().path());
                let (caller, token) = (&caller.name, &caller.token_id);
                tracing::info!(caller, token.id = token, %method, path, "asked for");
            }
        }
    }
    Ok(next.run(request).await)
}
