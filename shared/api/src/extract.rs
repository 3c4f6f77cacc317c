//! What comes in, read strictly: the part that is wrong is named, and nothing unknown is passed over.

use std::convert::Infallible;

use axum::body::to_bytes;
use axum::extract::{
    FromRequest, FromRequestParts, OptionalFromRequest, OptionalFromRequestParts, Path, Request,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use domain::limits::{KEY_BYTES, REQUEST_KEY_BYTES};
use domain::order::{check_key, check_text};
use edge::objects::Objects;
use jiff::Timestamp;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};

use crate::problem::{Code, Problem};

/// Bytes of a body of JSON. The longest order has 90 lines.
pub const JSON_BYTES: usize = 64 * 1024;

/// The header that names a request, so that it can be repeated.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// A body of JSON.
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Body<T>, Problem> {
        let kind = media_type(request.headers());
        read(&kind, &bytes(request, JSON_BYTES).await?)
    }
}

/// Where nothing has to be said.
impl<T: DeserializeOwned, S: Send + Sync> OptionalFromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Option<Body<T>>, Problem> {
        let kind = media_type(request.headers());
        let bytes = bytes(request, JSON_BYTES).await?;
        match bytes.is_empty() {
            true => Ok(None),
            false => read::<Option<T>>(&kind, &bytes).map(|Body(read)| read.map(Body)),
        }
    }
}

fn read<T: DeserializeOwned>(kind: &str, bytes: &[u8]) -> Result<Body<T>, Problem> {
    if kind != "application/json" {
        return Err(Problem::new(
            Code::UnsupportedMediaType,
            "the body has to be application/json",
        ));
    }
    // The gateway replaces what it cannot read as UTF-8.
    if String::from_utf8_lossy(bytes).contains(char::REPLACEMENT_CHARACTER) {
        let detail =
            "the body is not UTF-8, or holds the character U+FFFD, which stands for lost text";
        return Err(Problem::new(Code::InvalidJson, detail));
    }
    let reader = &mut serde_json::Deserializer::from_slice(bytes);
    let read = serde_path_to_error::deserialize(Objects(&mut *reader)).map_err(|error| {
        let path = error.path().to_string();
        match error.inner().classify() {
            serde_json::error::Category::Data => {
                let (code, field, detail) = field(&path, &error.inner().to_string());
                Problem::of_field(code, &field, detail)
            }
            _ => Problem::new(Code::InvalidJson, without_place(&error.inner().to_string())),
        }
    })?;
    reader
        .end()
        .map_err(|error| Problem::new(Code::InvalidJson, without_place(&error.to_string())))?;
    Ok(Body(read))
}

/// The type of a body, without its parameters.
pub fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE);
    let value = value.and_then(|value| value.to_str().ok());
    let kind = value.and_then(|value| value.split(';').next());
    kind.unwrap_or_default().trim().to_ascii_lowercase()
}

/// A body, if it is no longer than this.
pub async fn bytes(request: Request, limit: usize) -> Result<Vec<u8>, Problem> {
    let bytes = to_bytes(request.into_body(), limit).await;
    let bytes = bytes.map_err(|_| {
        let detail = format!("the body may have {limit} bytes");
        Problem::new(Code::BodyTooLarge, detail)
    })?;
    Ok(bytes.into())
}

/// By what a reader says of a part of the input: what is wrong, with which part, and in which words.
fn field(path: &str, error: &str) -> (Code, String, String) {
    let named = |prefix: &str| error.strip_prefix(prefix)?.split('`').next();
    let inside = |name: &str| match path {
        "." | "" => name.to_owned(),
        // The reader counts an unknown field in, and a missing one not.
        _ if path == name || path.ends_with(&format!(".{name}")) => path.to_owned(),
        _ => format!("{path}.{name}"),
    };
    if let Some(name) = named("unknown field `") {
        return (
            Code::UnknownField,
            inside(name),
            "this is not known here".to_owned(),
        );
    }
    if let Some(name) = named("missing field `") {
        return (
            Code::MissingField,
            inside(name),
            "this is missing".to_owned(),
        );
    }
    (Code::InvalidField, path.to_owned(), without_place(error))
}

fn without_place(error: &str) -> String {
    let end = error.rfind(" at line ").unwrap_or(error.len());
    error[..end].to_owned()
}

/// What stands behind the question mark.
#[derive(Debug)]
pub struct Params<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Params<T>, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        let pairs = form_urlencoded::parse(query.as_bytes());
        let reader = serde_urlencoded::Deserializer::new(pairs);
        let read = serde_path_to_error::deserialize(reader).map_err(|error| {
            let path = error.path().to_string();
            let (code, field, detail) = field(&path, &error.inner().to_string());
            let code = match code {
                Code::UnknownField => Code::UnknownParameter,
                _ => Code::InvalidParameter,
            };
            Problem::of_field(code, &field, detail)
        })?;
        Ok(Params(read))
    }
}

/// A text that says something, in so many characters at most: a name to look for.
#[derive(Debug, Clone)]
pub struct Filled<const MOST: usize = KEY_BYTES>(String);

impl<const MOST: usize> Filled<MOST> {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de, const MOST: usize> Deserialize<'de> for Filled<MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Filled<MOST>, D::Error> {
        let text = String::deserialize(deserializer)?;
        match (1..=MOST).contains(&text.chars().count()) {
            true => Ok(Filled(text)),
            false => Err(D::Error::custom(format!("this has 1 to {MOST} characters"))),
        }
    }
}

/// The one name in a path: an order, a refund, a customer. What can be no name is nobody's.
#[derive(Debug)]
pub struct Name(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Name, Problem> {
        let Path(name) = <Path<String> as FromRequestParts<S>>::from_request_parts(parts, state)
            .await
            .map_err(|_| Problem::of_field(Code::InvalidParameter, "path", "this is not UTF-8"))?;
        check_key("the name in the path", &name)
            .map_err(|error| Problem::of_field(Code::NotFound, "path", error.to_string()))?;
        Ok(Name(name))
    }
}

/// The one part of a path that is longer than names are, as it is: what it names is its reader's to say. Empty, where it is no
/// text.
#[derive(Debug)]
pub struct Segment(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Segment, Infallible> {
        let part = <Path<String> as FromRequestParts<S>>::from_request_parts(parts, state).await;
        Ok(Segment(part.map(|Path(part)| part).unwrap_or_default()))
    }
}

/// The name of a request: the same request may be repeated under it.
#[derive(Debug)]
pub struct IdempotencyKey(pub String);

impl<S: Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<IdempotencyKey, Problem> {
        let missing = || {
            let detail = "send an Idempotency-Key, the same for each repetition of this request";
            Problem::key_missing(detail)
        };
        let wrong = |why: String| Problem::of_field(Code::InvalidHeader, "Idempotency-Key", why);
        let mut values = parts.headers.get_all(IDEMPOTENCY_KEY).iter();
        let value = values.next().ok_or_else(missing)?;
        // Proxies join two headers to one value with a comma.
        if values.next().is_some() || value.as_bytes().contains(&b',') {
            let detail = "send one Idempotency-Key, without a comma in it";
            return Err(wrong(detail.to_owned()));
        }
        let value = value
            .to_str()
            .map_err(|_| wrong("not plain ASCII".to_owned()))?;
        let value = value.trim();
        if value.is_empty() {
            return Err(missing());
        }
        check_text("Idempotency-Key", value, REQUEST_KEY_BYTES)
            .map_err(|error| wrong(error.to_string()))?;
        Ok(IdempotencyKey(value.to_owned()))
    }
}

/// Where a request may do without.
impl<S: Sync> OptionalFromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &S,
    ) -> Result<Option<IdempotencyKey>, Problem> {
        if !parts.headers.contains_key(IDEMPOTENCY_KEY) {
            return Ok(None);
        }
        let key = <IdempotencyKey as FromRequestParts<S>>::from_request_parts(parts, state);
        key.await.map(Some)
    }
}

/// When the request came in: nothing behind this asks a clock.
#[derive(Debug, Clone, Copy)]
pub struct At(pub Timestamp);

impl<S: Sync> FromRequestParts<S> for At {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<At, Problem> {
        let at = parts.extensions.get().copied();
        at.ok_or_else(|| Problem::new(Code::Internal, "a request without its time"))
    }
}

/// A number that was drawn for this request.
#[derive(Debug, Clone, Copy)]
pub struct Draw(pub u64);

impl<S: Sync> FromRequestParts<S> for Draw {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Draw, Problem> {
        let draw = parts.extensions.get().copied();
        draw.ok_or_else(|| Problem::new(Code::Internal, "a request without a number"))
    }
}
