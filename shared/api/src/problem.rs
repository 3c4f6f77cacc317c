//! What an answer says that is not the one hoped for: problem+json, with a code that programs may rely on.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::Fault;
use serde::Serialize;
use store::page::ListError;
use utoipa::ToSchema;

pub const CONTENT_TYPE: &str = "application/problem+json";

/// The stable name of a problem. One name has one status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The body is not JSON.
    InvalidJson,
    /// The body, or a part of it, is missing.
    MissingField,
    UnknownField,
    InvalidField,
    InvalidParameter,
    UnknownParameter,
    InvalidHeader,
    IdempotencyKeyMissing,
    /// No token, or none that is valid.
    Unauthorized,
    /// The token is valid, and does not have the scope.
    Forbidden,
    NoSuchRoute,
    NotFound,
    MethodNotAllowed,
    /// The resource is in no state for it.
    WrongState,
    /// More than there is left to refund.
    NotRefundable,
    /// Something else has that name already.
    AlreadyExists,
    BodyTooLarge,
    UnsupportedMediaType,
    /// What was asked for can be read, and breaks a rule.
    Unprocessable,
    /// No page of this list leads on there.
    InvalidCursor,
    IdempotencyKeyReused,
    TooManyRequests,
    Internal,
    Unavailable,
}

impl Code {
    pub fn status(self) -> StatusCode {
        match self {
            Code::InvalidJson
            | Code::MissingField
            | Code::UnknownField
            | Code::InvalidField
            | Code::InvalidParameter
            | Code::UnknownParameter
            | Code::InvalidHeader
            | Code::IdempotencyKeyMissing => StatusCode::BAD_REQUEST,
            Code::Unauthorized => StatusCode::UNAUTHORIZED,
            Code::Forbidden => StatusCode::FORBIDDEN,
            Code::NoSuchRoute | Code::NotFound => StatusCode::NOT_FOUND,
            Code::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Code::WrongState | Code::NotRefundable | Code::AlreadyExists => StatusCode::CONFLICT,
            Code::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Code::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Code::Unprocessable | Code::InvalidCursor | Code::IdempotencyKeyReused => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Code::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// The body of every answer that is not a success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// Always `about:blank`: the code says more than a page could.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The status, in words.
    title: &'static str,
    status: u16,
    code: Code,
    /// For people. It may change.
    detail: String,
    /// The part of the request that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// What can still be refunded, where more was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    refundable: Option<String>,
}

pub type Answer<T> = Result<T, Problem>;

impl Problem {
    pub fn code(&self) -> Code {
        self.code
    }

    pub fn new(code: Code, detail: impl Into<String>) -> Problem {
        let status = code.status();
        Problem {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            code,
            detail: detail.into(),
            field: None,
            refundable: None,
        }
    }

    pub fn of_field(code: Code, field: &str, detail: impl Into<String>) -> Problem {
        Problem {
            field: Some(field.to_owned()),
            ..Problem::new(code, detail)
        }
    }

    /// Says what is left of an order, where more was asked for.
    pub fn with_refundable(self, refundable: Option<String>) -> Problem {
        Problem { refundable, ..self }
    }

    pub fn key_missing(detail: &str) -> Problem {
        Problem::of_field(Code::IdempotencyKeyMissing, "Idempotency-Key", detail)
    }

    pub fn key_reused() -> Problem {
        let detail = "something else was asked for under this key before";
        Problem::of_field(Code::IdempotencyKeyReused, "Idempotency-Key", detail)
    }

    pub fn not_found(what: &str) -> Problem {
        Problem::new(Code::NotFound, format!("there is no such {what}"))
    }
}

/// What went wrong here stays here: the log has it, and the caller does not.
impl From<Fault> for Problem {
    fn from(fault: Fault) -> Problem {
        tracing::error!(
            fault = fault.name(),
            reason = fault.message(),
            "a request was not answered"
        );
        match fault {
            Fault::Transient(_) => Problem::new(Code::Unavailable, "try again in a moment"),
            Fault::Refused(_) | Fault::Malformed(_) | Fault::Corrupt(_) => Problem::new(
                Code::Internal,
                "this is an error of ours, and it is on record",
            ),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.code.status();
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (status, [(header::CONTENT_TYPE, CONTENT_TYPE)], body).into_response();
        if matches!(self.code, Code::Unavailable | Code::TooManyRequests) {
            let seconds = HeaderValue::from_static("1");
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}

impl From<ListError> for Problem {
    fn from(error: ListError) -> Problem {
        match error {
            ListError::BadPosition => {
                let detail = "this is no cursor of this list";
                Problem::of_field(Code::InvalidCursor, "cursor", detail)
            }
            ListError::BadDays(why) => Problem::of_field(Code::Unprocessable, "to_date", why),
            ListError::Fault(fault) => fault.into(),
        }
    }
}
