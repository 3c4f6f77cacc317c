//! Who calls, whether the route is open to them, and whether they say what it does not ask for.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{Method, Uri};
use axum::middleware::Next;
use axum::response::Response;
use domain::access::{Scope, Scopes};
use serde_json::{Map, Value};

use crate::extract::{JSON_BYTES, bytes};
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

/// What each route asks for: its method, its path as it is declared, and what it takes.
#[derive(Debug, Default)]
pub struct Rules(HashMap<(Method, String), Rule>);

/// What a route is open to, as it is described.
#[derive(Debug)]
pub struct Rule {
    /// Nothing for one that is open to all.
    pub scope: Option<Scope>,
    /// Behind the question mark. Nothing for one that takes whatever stands there.
    pub parameters: Option<Vec<String>>,
    pub takes_body: bool,
}

impl Rules {
    pub fn set(&mut self, method: Method, path: &str, rule: Rule) {
        self.0.insert((method, path.to_owned()), rule);
    }
}

impl Rule {
    fn check_parameters(&self, uri: &Uri) -> Result<(), Problem> {
        let Some(parameters) = &self.parameters else {
            return Ok(());
        };
        let query = uri.query().unwrap_or_default();
        let mut given = form_urlencoded::parse(query.as_bytes());
        match given.find(|(name, _)| !parameters.iter().any(|known| known == name)) {
            None => Ok(()),
            Some((name, _)) => {
                let detail = "this is not known here";
                Err(Problem::of_field(Code::UnknownParameter, &name, detail))
            }
        }
    }

    /// Some clients send `{}` where they have nothing to say.
    async fn check_body(&self, request: Request) -> Result<Request, Problem> {
        if self.takes_body {
            return Ok(request);
        }
        let (parts, body) = request.into_parts();
        let said = bytes(Request::new(body), JSON_BYTES).await;
        let is_nothing = said.is_ok_and(|said| {
            let fields = serde_json::from_slice::<Map<String, Value>>(&said);
            said.is_empty() || fields.is_ok_and(|fields| fields.is_empty())
        });
        match is_nothing {
            true => Ok(Request::from_parts(parts, Body::empty())),
            false => {
                let detail = "no body is taken here";
                Err(Problem::of_field(Code::UnknownField, "body", detail))
            }
        }
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
    let Some(rule) = rules.0.get(&(method, path.as_str().to_owned())) else {
        return Ok(elsewhere(request.uri(), request.method()));
    };
    if let Some(scope) = rule.scope {
        let caller: &Caller = request.extensions().get().ok_or_else(unknown)?;
        if !caller.scopes.allows(scope) {
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
    rule.check_parameters(request.uri())?;
    Ok(next.run(rule.check_body(request).await?).await)
}
