//! The contract's paths: who may ask, what is asked for, and how an answer is written down.

use std::sync::Arc;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use domain::{Currency, Money};
use jiff::Timestamp;
use payments::Voidable;
use payments::contract::{
    CHARGES, ChargeAnswer, ChargeRequest, ChargeStatus, IDEMPOTENCY_KEY, LEDGER, LedgerPage,
    Problem, ProblemCode, REFUNDS, RefundAnswer, RefundRequest, SIGNATURE, VoidRequest,
};
use percent_encoding::percent_decode_str;
use rust_decimal::Decimal;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::behaviour::{Fate, Operation};
use super::book::{Verdict, problem};
use super::line::Line;
use super::server::Desk;

/// A request is an amount and a key or two.
const BODY_LIMIT: usize = 16 * 1024;
/// In bytes. Order ids are far shorter.
const KEY_LIMIT: usize = 1024;

type Answered<T> = Result<Json<T>, Refused>;

pub fn router(desk: Arc<Desk>) -> Router {
    let not_here = || async { Refused(problem(ProblemCode::NotFound, "there is no such path")) };
    let not_so = || async {
        let problem = problem(ProblemCode::Invalid, "this path takes another method");
        (StatusCode::METHOD_NOT_ALLOWED, Json(problem))
    };
    Router::new()
        .route(CHARGES, post(charge))
        .route(&format!("{CHARGES}/{{key}}"), get(status))
        .route(&format!("{CHARGES}/{{key}}/void"), post(void))
        .route(REFUNDS, post(refund))
        .route(&format!("{REFUNDS}/{{key}}"), get(refund_status))
        .route(LEDGER, get(ledger))
        .fallback(not_here)
        .method_not_allowed_fallback(not_so)
        // Outermost, so that it stands before every path, those that do not exist included.
        .layer(from_fn_with_state(desk.clone(), believed))
        .with_state(desk)
}

/// The idempotency key of a request as its sender knows it; empty where there is none.
#[derive(Clone)]
struct Key(String);

struct Refused(Problem);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = match self.0.code {
            ProblemCode::BadSignature => StatusCode::UNAUTHORIZED,
            ProblemCode::Invalid => StatusCode::BAD_REQUEST,
            ProblemCode::NotFound => StatusCode::NOT_FOUND,
            ProblemCode::KeyReused => StatusCode::CONFLICT,
            ProblemCode::NotRefundable => StatusCode::UNPROCESSABLE_ENTITY,
            ProblemCode::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            ProblemCode::Unavailable => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (status, Json(self.0)).into_response()
    }
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Refused {
        Refused(problem)
    }
}

/// Nothing is looked at before its signature was.
async fn believed(
    State(desk): State<Arc<Desk>>,
    request: Request,
    next: Next,
) -> Result<Response, Refused> {
    let (mut parts, body) = request.into_parts();
    let body = to_bytes(body, BODY_LIMIT)
        .await
        .map_err(|_| invalid("the body is too long, or broke off"))?;
    let key = idempotency_key(&parts.headers)?;
    let path = parts.uri.path_and_query().map_or("", |path| path.as_str());
    let signature = parts.headers.get(SIGNATURE);
    let checked = desk.key.check(
        signature.and_then(|signature| signature.to_str().ok()),
        &[
            parts.method.as_str().as_bytes(),
            path.as_bytes(),
            key.as_bytes(),
            &body,
        ],
        Timestamp::now(),
    );
    if checked.is_err() {
        desk.count_unbelieved();
        // Who forges signatures is not told what was wrong with this one.
        return Err(Refused(problem(
            ProblemCode::BadSignature,
            "the request is not signed as it should be",
        )));
    }
    parts.extensions.insert(Key(key));
    Ok(next.run(Request::from_parts(parts, Body::from(body))).await)
}

async fn charge(
    State(desk): State<Arc<Desk>>,
    ConnectInfo(line): ConnectInfo<Line>,
    Extension(key): Extension<Key>,
    body: Bytes,
) -> Answered<ChargeAnswer> {
    let key = key.given()?;
    let request: ChargeRequest = read(&body)?;
    let amount = money(request.amount, request.currency)?;
    let fate = desk.behaviour.fate(&key);
    let verdict = match fate {
        Fate::Approve => Verdict::Approve,
        Fate::Decline => Verdict::Decline,
        Fate::Pending { .. } | Fate::Late => Verdict::Wait,
    };
    let (bank, charged) = (desk.clone(), key.clone());
    let answer = desk.attempt(&line, Operation::Charge, &key, move |book, now| {
        let is_new = book.find(&charged).is_err();
        let answer = book.charge(&charged, amount, verdict, now)?;
        if is_new && matches!(fate, Fate::Pending { .. }) {
            bank.expect(&charged, fate);
        }
        Ok(answer)
    });
    Ok(Json(answer.await?))
}

async fn status(
    State(desk): State<Arc<Desk>>,
    ConnectInfo(line): ConnectInfo<Line>,
    Path(key): Path<String>,
) -> Answered<ChargeAnswer> {
    let asked = key.clone();
    let answer = desk.attempt(&line, Operation::Status, &key, move |book, _| {
        book.find(&asked)
    });
    Ok(Json(answer.await?))
}

async fn void(
    State(desk): State<Arc<Desk>>,
    ConnectInfo(line): ConnectInfo<Line>,
    Path(key): Path<String>,
    body: Bytes,
) -> Answered<ChargeAnswer> {
    let request: VoidRequest = read(&body)?;
    let which = match request.approved {
        true => Voidable::Any,
        false => Voidable::Pending,
    };
    let fate = desk.behaviour.fate(&key);
    let (bank, voided) = (desk.clone(), key.clone());
    let answer = desk.attempt(&line, Operation::Void, &key, move |book, now| {
        let was_pending = book.find(&voided)?.status == ChargeStatus::Pending;
        let answer = book.void(&voided, which, now)?;
        if was_pending && fate == Fate::Late {
            bank.expect(&voided, fate);
        }
        Ok(answer)
    });
    Ok(Json(answer.await?))
}

async fn refund(
    State(desk): State<Arc<Desk>>,
    ConnectInfo(line): ConnectInfo<Line>,
    Extension(key): Extension<Key>,
    body: Bytes,
) -> Answered<RefundAnswer> {
    let key = key.given()?;
    let request: RefundRequest = read(&body)?;
    let amount = money(request.amount, request.currency)?;
    let refunded = key.clone();
    let answer = desk.attempt(&line, Operation::Refund, &key, move |book, now| {
        book.refund(&refunded, &request.charge, amount, now)
    });
    Ok(Json(answer.await?))
}

async fn refund_status(
    State(desk): State<Arc<Desk>>,
    ConnectInfo(line): ConnectInfo<Line>,
    Path(key): Path<String>,
) -> Answered<RefundAnswer> {
    let asked = key.clone();
    let answer = desk.attempt(&line, Operation::RefundStatus, &key, move |book, _| {
        book.find_refund(&asked)
    });
    Ok(Json(answer.await?))
}

#[derive(Deserialize)]
struct After {
    #[serde(default)]
    after: u64,
}

/// Never fails on the way: it is what everything else is judged by.
async fn ledger(
    State(desk): State<Arc<Desk>>,
    after: Result<Query<After>, axum::extract::rejection::QueryRejection>,
) -> Answered<LedgerPage> {
    let Query(After { after }) = after.map_err(|_| invalid("after is the number of an entry"))?;
    Ok(Json(desk.read(|book| book.page(after))))
}

impl Key {
    fn given(self) -> Result<String, Refused> {
        match self.0.is_empty() {
            true => Err(invalid(
                "a request that moves money needs an idempotency key",
            )),
            false => Ok(self.0),
        }
    }
}

/// It is percent-encoded, for a header holds visible ASCII only.
fn idempotency_key(headers: &HeaderMap) -> Result<String, Refused> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else {
        return Ok(String::new());
    };
    let key = value.to_str().ok().and_then(|value| {
        let key = percent_decode_str(value).decode_utf8().ok()?;
        (key.len() <= KEY_LIMIT).then(|| key.into_owned())
    });
    key.ok_or_else(|| invalid("the idempotency key is too long, or no text"))
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refused> {
    serde_json::from_slice(body).map_err(|error| invalid(&format!("the body: {error}")))
}

fn money(amount: Decimal, currency: Currency) -> Result<Money, Refused> {
    Money::new(amount, currency).map_err(|error| invalid(&error.to_string()))
}

fn invalid(why: &str) -> Refused {
    Refused(problem(ProblemCode::Invalid, why))
}
