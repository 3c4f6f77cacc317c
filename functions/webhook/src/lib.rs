//! What the gateway tells unasked: that a charge is not pending any more.
//!
//! It is a hint and no more. Whoever it comes from, however often, it only sends the order through the saga again, which
//! asks the gateway itself. Amounts are not even read.

use aws_lambda_events::apigw::{ApiGatewayProxyRequest, ApiGatewayProxyResponse};
use aws_lambda_events::encodings::Body;
use domain::order::check_key;
use domain::{Batch, Fault, Review, Status};
use edge::Invocation;
use edge::batches::Batches;
use payments::contract::{ChargeChanged, ChargeStatus, SIGNATURE};
use payments::{BadSignature, Keys};
use store::orders::OrderRecord;
use store::{Engine, Store};

/// No message of the contract is as long.
const LONGEST_BODY: usize = 16 * 1024;

/// An answer of 2xx means that the message will not be lost here. A fault is none, and brings it again.
pub async fn handle<E: Engine>(
    store: &Store<E>,
    keys: &impl Keys,
    batches: &impl Batches,
    request: ApiGatewayProxyRequest,
    invocation: Invocation,
) -> Result<ApiGatewayProxyResponse, Fault> {
    let body = body(&request);
    if body.len() > LONGEST_BODY {
        return Ok(answer(413, "too long"));
    }
    let signature = request.headers.get(SIGNATURE);
    let signature = signature.and_then(|value| value.to_str().ok());
    if let Err(bad) = check(keys, signature, &body, invocation).await? {
        tracing::warn!(reason = bad.reason(), "a webhook was not believed");
        return Ok(answer(401, "not signed as it should be"));
    }
    let changed = serde_json::from_slice::<ChargeChanged>(&body).ok();
    let readable = changed.filter(|changed| check_key("key", &changed.key).is_ok());
    let Some(changed) = readable else {
        tracing::warn!("a webhook was signed, and cannot be read");
        return Ok(answer(400, "not what this takes"));
    };
    let Some(order) = store.order(&changed.key).await? else {
        // Charges are of orders that are on record: this one is somebody else's.
        tracing::warn!(
            order.id = changed.key,
            "a webhook is about no order of ours"
        );
        return Ok(answer(200, "not ours"));
    };
    if !concerns(&order, changed.status) {
        return Ok(answer(200, "known"));
    }
    let (batch_id, import_id) = (order.batch_id.clone(), order.import_id.clone());
    let why = match changed.status {
        ChargeStatus::Approved => Review::Approved,
        ChargeStatus::Pending | ChargeStatus::Declined | ChargeStatus::Voided => Review::Decided,
    };
    let review = Batch::review(why, &batch_id, &import_id, vec![order.order()]);
    batches.send(vec![review]).await?;
    Ok(answer(202, "taken"))
}

/// The key may have been changed since it was read.
async fn check(
    keys: &impl Keys,
    signature: Option<&str>,
    body: &[u8],
    invocation: Invocation,
) -> Result<Result<(), BadSignature>, Fault> {
    let known = keys.key(false).await?;
    let checked = known.check(signature, &[body], invocation.now);
    if checked != Err(BadSignature::Wrong) {
        return Ok(checked);
    }
    let fresh = keys.key(true).await?;
    Ok(fresh.check(signature, &[body], invocation.now))
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

fn body(request: &ApiGatewayProxyRequest) -> Vec<u8> {
    let body = request.body.clone().unwrap_or_default();
    // What was signed are the bytes, and a signature over others is wrong.
    body.into_bytes()
}

fn answer(status: i64, message: &str) -> ApiGatewayProxyResponse {
    let mut response = ApiGatewayProxyResponse::default();
    response.status_code = status;
    response.body = Some(Body::Text(format!("{{\"message\":\"{message}\"}}")));
    response
}
