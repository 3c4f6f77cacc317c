//! What the gateway tells unasked: that a charge is not pending any more.
//!
//! It is a hint and no more. Whoever it comes from, however often, it only sends the order through the saga again, which
//! asks the gateway itself. Amounts are not even read.

use api::{Answer, At, Code, Problem, bytes};
use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use domain::order::check_key;
use domain::{Batch, Fault, Review, Status};
use edge::batches::Batches;
use jiff::Timestamp;
use payments::contract::{ChargeChanged, ChargeStatus, SIGNATURE};
use payments::{BadSignature, Keys};
use serde::Serialize;
use store::orders::OrderRecord;
use store::{Engine, Store};
use utoipa::ToSchema;

use crate::Shared;

/// No message of the contract is as long.
const LONGEST_BODY: usize = 16 * 1024;

/// What became of a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    TooLong,
    NotBelieved,
    Unreadable,
    /// About no order of ours: charges are of orders that are on record.
    NotOurs,
    /// It says nothing new.
    Known,
    /// The order goes through the saga again.
    Sent,
}

impl Taken {
    /// One of 2xx means that the message will not be lost here.
    pub fn is_taken(self) -> bool {
        matches!(self, Taken::NotOurs | Taken::Known | Taken::Sent)
    }
}

/// A fault is no answer, and brings it again.
pub async fn take<E: Engine>(
    store: &Store<E>,
    keys: &impl Keys,
    batches: &impl Batches,
    (signature, body): (Option<&str>, &[u8]),
    now: Timestamp,
) -> Result<Taken, Fault> {
    if body.len() > LONGEST_BODY {
        return Ok(Taken::TooLong);
    }
    if let Err(bad) = check(keys, signature, body, now).await? {
        tracing::warn!(reason = bad.reason(), "a webhook was not believed");
        return Ok(Taken::NotBelieved);
    }
    let changed = edge::objects::from_slice::<ChargeChanged>(body).ok();
    let readable = changed.filter(|changed| check_key("key", &changed.key).is_ok());
    let Some(changed) = readable else {
        tracing::warn!("a webhook was signed, and cannot be read");
        return Ok(Taken::Unreadable);
    };
    let Some(order) = store.order(&changed.key).await? else {
        tracing::warn!(
            order.id = changed.key,
            "a webhook is about no order of ours"
        );
        return Ok(Taken::NotOurs);
    };
    if !concerns(&order, changed.status) {
        return Ok(Taken::Known);
    }
    let (batch_id, import_id) = (order.batch_id.clone(), order.import_id.clone());
    let why = match changed.status {
        ChargeStatus::Approved => Review::Approved,
        ChargeStatus::Pending | ChargeStatus::Declined | ChargeStatus::Voided => Review::Decided,
    };
    let review = Batch::review(why, &batch_id, &import_id, vec![order.order()]);
    batches.send(vec![review]).await?;
    Ok(Taken::Sent)
}

/// The key may have been changed since it was read.
async fn check(
    keys: &impl Keys,
    signature: Option<&str>,
    body: &[u8],
    now: Timestamp,
) -> Result<Result<(), BadSignature>, Fault> {
    let known = keys.key(false).await?;
    let checked = known.check(signature, &[body], now);
    if checked != Err(BadSignature::Wrong) {
        return Ok(checked);
    }
    let fresh = keys.key(true).await?;
    Ok(fresh.check(signature, &[body], now))
}

/// Whether an order that stands so has something to learn from a charge that stands so.
fn concerns(order: &OrderRecord, charge: ChargeStatus) -> bool {
    match order.status {
        Status::Reserved | Status::PaymentPending => true,
        Status::Failed => charge == ChargeStatus::Approved && order.given_back.is_none(),
        // A message is on its way that settles it.
        Status::Paid => false,
        Status::Completed | Status::Shipped | Status::Delivered | Status::Cancelled => false,
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Heard {
    #[schema(value_type = String)]
    message: &'static str,
}

/// What the payment gateway tells. It is believed by its signature, and needs no token.
#[utoipa::path(
    post, path = "/webhooks/payments", tag = "operations", operation_id = "payment_changed",
    params(("ordermill-signature" = Option<String>, Header)),
    request_body(content = Object, content_type = "application/json"),
    responses(
        (status = 200, description = "Not new, or not about an order of ours", body = Heard),
        (status = 202, description = "The gateway will be asked", body = Heard),
        (status = 401, description = "Not signed as it should be"),
    ),
    security(())
)]
pub async fn payments(State(app): Shared, At(now): At, request: Request) -> Answer<Response> {
    let signature = request.headers().get(SIGNATURE);
    let signature = signature.and_then(|value| value.to_str().ok());
    let signature = signature.map(str::to_owned);
    // What was signed are the bytes, whatever type they are said to be of.
    let body = bytes(request, LONGEST_BODY).await?;
    let parts = (signature.as_deref(), body.as_slice());
    let taken = take(&app.store, &app.outside, &app.outside, parts, now).await?;
    let heard = |status, message| Ok((status, Json(Heard { message })).into_response());
    match taken {
        Taken::Sent => heard(StatusCode::ACCEPTED, "taken"),
        Taken::Known => heard(StatusCode::OK, "known"),
        Taken::NotOurs => heard(StatusCode::OK, "not ours"),
        Taken::Unreadable => Err(Problem::new(Code::InvalidJson, "not what this takes")),
        Taken::NotBelieved => Err(Problem::new(
            Code::Unauthorized,
            "not signed as it should be",
        )),
        Taken::TooLong => Err(Problem::new(Code::BodyTooLarge, "too long")),
    }
}
