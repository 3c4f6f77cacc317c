//! Refunds: asked for, taken back, tried again.

use std::borrow::Cow;

use api::money::{Amount, count, text};
use api::views::Refund;
use api::{Answer, At, Body, Caller, Code, Data, IdempotencyKey, Name, Problem};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::limits::{KEY_BYTES, LINES_PER_ORDER, TEXT_BYTES, UNITS_PER_LINE};
use domain::refund::{Refusal, Wanted, WantedLine};
use edge::refunds;
use jiff::Timestamp;
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use store::refunds::{Moved, RefundRecord, RefundRequest, Requested};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::{App, Shared};

/// Says that this was answered before.
pub fn replayed(mut response: Response) -> Response {
    let name = HeaderName::from_static("idempotent-replayed");
    let headers = response.headers_mut();
    headers.insert(name, HeaderValue::from_static("true"));
    response
}

/// What is asked for: an amount, whatever is left, or lines of the order.
#[derive(Debug)]
pub struct Wish {
    /// Where the path does not name it.
    order_id: Option<String>,
    wanted: Wanted,
    reason: String,
}

/// A wish about the order in the path.
#[derive(Debug)]
pub struct OfOrder(Wish);

/// A wish that names its order.
#[derive(Debug)]
pub struct Named(Wish);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    order_id: Option<String>,
    amount: Option<Amount>,
    full: Option<bool>,
    lines: Option<Vec<WishLine>>,
    reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WishLine {
    sku: String,
    #[serde(deserialize_with = "count")]
    quantity: u32,
    #[serde(default)]
    restock: bool,
}

impl From<WishLine> for WantedLine {
    fn from(line: WishLine) -> WantedLine {
        WantedLine {
            sku: line.sku,
            quantity: line.quantity,
            restock: line.restock,
        }
    }
}

impl<'de> Deserialize<'de> for Wish {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Wish, D::Error> {
        let fields = Fields::deserialize(deserializer)?;
        let wanted = match (fields.amount, fields.full, fields.lines) {
            (Some(Amount(amount)), None, None) => Wanted::Amount(amount),
            (None, Some(true), None) => Wanted::Full,
            (None, None, Some(lines)) => {
                Wanted::Lines(lines.into_iter().map(WantedLine::from).collect())
            }
            (None, None, None) => return Err(D::Error::missing_field("amount")),
            _ => {
                let what = "one of amount, full (which is true) and lines is needed, and no other";
                return Err(D::Error::custom(what));
            }
        };
        Ok(Wish {
            order_id: fields.order_id,
            wanted,
            reason: fields.reason,
        })
    }
}

impl<'de> Deserialize<'de> for OfOrder {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<OfOrder, D::Error> {
        let wish = Wish::deserialize(deserializer)?;
        match wish.order_id {
            None => Ok(OfOrder(wish)),
            Some(_) => Err(D::Error::unknown_field(
                "order_id",
                &["amount", "full", "lines", "reason"],
            )),
        }
    }
}

impl<'de> Deserialize<'de> for Named {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Named, D::Error> {
        let wish = Wish::deserialize(deserializer)?;
        match wish.order_id {
            Some(_) => Ok(Named(wish)),
            None => Err(D::Error::missing_field("order_id")),
        }
    }
}

/// The three kinds of wishes, with what they share.
fn schema(shared: Value) -> RefOr<Schema> {
    let line = json!({
        "type": "object", "additionalProperties": false, "required": ["sku", "quantity"],
        "properties": {
            "sku": {"type": "string", "minLength": 1, "maxLength": KEY_BYTES},
            "quantity": {"type": "integer", "minimum": 1, "maximum": UNITS_PER_LINE},
            "restock": {
                "type": "boolean", "default": false, "description": "Whether these units can be sold again.",
            },
        },
    });
    let lines = json!({
        "type": "array", "minItems": 1, "maxItems": LINES_PER_ORDER, "items": line,
        "description": "At the price that was paid.",
    });
    let full = json!({"type": "boolean", "enum": [true], "description": "Whatever is left."});
    let wishes = [
        ("amount", json!(Amount::schema())),
        ("full", full),
        ("lines", lines),
    ];
    let wishes = wishes.map(|(name, wish)| {
        let mut properties =
            json!({"reason": {
                "type": "string", "minLength": 1, "maxLength": TEXT_BYTES, "description": "The customer reads it.",
            }});
        properties[name] = wish;
        let mut required = vec!["reason", name];
        for (name, property) in shared.as_object().into_iter().flatten() {
            properties[name] = property.clone();
            required.push(name);
        }
        json!({
            "type": "object", "title": name, "additionalProperties": false, "required": required,
            "properties": properties,
        })
    });
    serde_json::from_value(json!({"oneOf": wishes})).unwrap_or_default()
}

impl PartialSchema for OfOrder {
    fn schema() -> RefOr<Schema> {
        schema(json!({}))
    }
}

impl ToSchema for OfOrder {
    fn name() -> Cow<'static, str> {
        "RefundOfOrder".into()
    }
}

impl PartialSchema for Named {
    fn schema() -> RefOr<Schema> {
        schema(json!({"order_id": {"type": "string", "minLength": 1, "maxLength": KEY_BYTES}}))
    }
}

impl ToSchema for Named {
    fn name() -> Cow<'static, str> {
        "RefundRequest".into()
    }
}

/// Refund an order, or a part of it.
///
/// The amount is taken out of what can be refunded at once; `url` tells how far the money is. The same key and body get
/// the same answer again, with `Idempotent-Replayed: true`.
#[utoipa::path(
    post, path = "/orders/{order_id}/refunds", tag = "refunds", operation_id = "refund_order",
    params(("order_id" = String, Path), ("Idempotency-Key" = String, Header)),
    request_body = OfOrder,
    responses(
        (status = 202, description = "On its way", body = Data<Refund>, headers(("location" = String), ("idempotent-replayed" = Option<String>))),
        (status = 404, description = "No such order"),
        (status = 409, description = "More than is left (`refundable`), or an order that cannot be refunded"),
        (status = 422, description = "A key that was used for something else, or an amount that the currency does not have"),
    ),
    security(("token" = ["refund"]))
)]
pub async fn of_order(
    State(app): Shared,
    Name(order_id): Name,
    caller: Caller,
    key: IdempotencyKey,
    At(now): At,
    Body(OfOrder(wish)): Body<OfOrder>,
) -> Answer<Response> {
    app.request_refund(&order_id, &wish, &caller, &key, now)
        .await
}

/// Refund an order, or a part of it: the same, with the order in the body.
#[utoipa::path(
    post, path = "/refunds", tag = "refunds", operation_id = "refund",
    params(("Idempotency-Key" = String, Header)),
    request_body = Named,
    responses(
        (status = 202, description = "On its way", body = Data<Refund>, headers(("location" = String), ("idempotent-replayed" = Option<String>))),
        (status = 404, description = "No such order"),
        (status = 409, description = "More than is left (`refundable`), or an order that cannot be refunded"),
        (status = 422, description = "A key that was used for something else, or an amount that the currency does not have"),
    ),
    security(("token" = ["refund"]))
)]
pub async fn named(
    State(app): Shared,
    caller: Caller,
    key: IdempotencyKey,
    At(now): At,
    Body(Named(wish)): Body<Named>,
) -> Answer<Response> {
    let order_id = wish.order_id.clone().unwrap_or_default();
    app.request_refund(&order_id, &wish, &caller, &key, now)
        .await
}

/// Refund an order, or a part of it: the same, as clients of old send it.
#[utoipa::path(
    post, path = "/orders/{order_id}", tag = "refunds", operation_id = "refund_order_as_ever",
    params(("order_id" = String, Path), ("Idempotency-Key" = String, Header)),
    request_body = OfOrder,
    responses(
        (status = 202, description = "On its way", body = Data<Refund>, headers(("location" = String), ("idempotent-replayed" = Option<String>))),
        (status = 404, description = "No such order"),
        (status = 409, description = "More than is left (`refundable`), or an order that cannot be refunded"),
        (status = 422, description = "A key that was used for something else, or an amount that the currency does not have"),
    ),
    security(("token" = ["refund"]))
)]
pub async fn as_ever(
    State(app): Shared,
    Name(order_id): Name,
    caller: Caller,
    key: IdempotencyKey,
    At(now): At,
    Body(OfOrder(wish)): Body<OfOrder>,
) -> Answer<Response> {
    app.request_refund(&order_id, &wish, &caller, &key, now)
        .await
}

impl App {
    async fn request_refund(
        &self,
        order_id: &str,
        wish: &Wish,
        caller: &Caller,
        IdempotencyKey(key): &IdempotencyKey,
        now: Timestamp,
    ) -> Answer<Response> {
        let request = RefundRequest {
            key,
            order_id,
            wanted: &wish.wanted,
            reason: &wish.reason,
            requested_by: &caller.name,
        };
        match refunds::request(&self.store, &self.outside, &request, now).await? {
            Requested::New(refund) => Ok(accepted(&refund)),
            Requested::Replayed(refund) => Ok(replayed(accepted(&refund))),
            Requested::KeyReused => Err(Problem::key_reused()),
            Requested::NoSuchOrder => Err(Problem::not_found("order")),
            Requested::Refused(refusal) => Err(self.refused(&refusal, order_id).await?),
        }
    }

    /// What is left of the order goes with the refusal.
    async fn refused(&self, refusal: &Refusal, order_id: &str) -> Answer<Problem> {
        let code = match refusal {
            Refusal::NotRefundable { .. } | Refusal::TooManyUnits { .. } => Code::NotRefundable,
            Refusal::NotSold(_) => Code::WrongState,
            Refusal::Invalid { field, why } => {
                return Ok(Problem::of_field(Code::Unprocessable, field, why));
            }
        };
        let order = self.store.order(order_id).await?;
        let left = order.map(|order| text(order.refundable, order.currency));
        Ok(Problem::new(code, refusal.to_string()).with_refundable(left))
    }

    async fn moved(
        &self,
        refund_id: &str,
        moved: Moved,
        why_not: impl Fn(&RefundRecord) -> String,
    ) -> Answer<Json<Data<Refund>>> {
        match moved {
            Moved::Done(refund) => Ok(Data::new(Refund::now(&refund))),
            Moved::Unknown => Err(Problem::not_found("refund")),
            Moved::Stays(refund) => Err(Problem::new(Code::WrongState, why_not(&refund))),
            Moved::Refused(refusal) => {
                let refund = self.store.refund(refund_id).await?;
                let order_id = refund.map_or_else(String::new, |refund| refund.order_id);
                Err(self.refused(&refusal, &order_id).await?)
            }
        }
    }
}

fn accepted(refund: &RefundRecord) -> Response {
    let refund = Refund::first(refund);
    let location = [(header::LOCATION, refund.url.clone())];
    (StatusCode::ACCEPTED, location, Data::new(refund)).into_response()
}

/// Take back a refund that nobody has ever asked the gateway for.
#[utoipa::path(
    post, path = "/refunds/{refund_id}/cancel", tag = "refunds", operation_id = "cancel_refund",
    params(("refund_id" = String, Path)),
    responses(
        (status = 200, description = "Cancelled, now or before", body = Data<Refund>),
        (status = 404, description = "No such refund"),
        (status = 409, description = "It is not pending any more, or is tried again, or is what goes back of a cancelled order"),
    ),
    security(("token" = ["refund"]))
)]
pub async fn cancel(
    State(app): Shared,
    Name(refund_id): Name,
    caller: Caller,
    At(now): At,
) -> Answer<Json<Data<Refund>>> {
    let moved = app
        .store
        .cancel_refund(&refund_id, &caller.name, now)
        .await?;
    app.moved(&refund_id, moved, RefundRecord::why_not_cancelled)
        .await
}

/// Try a refund again that the gateway refused.
///
/// A repetition is the same wish, as long as what was tried again is on its way: it is answered the same, whoever asks.
#[utoipa::path(
    post, path = "/refunds/{refund_id}/retry", tag = "refunds", operation_id = "retry_refund",
    params(("refund_id" = String, Path)),
    responses(
        (status = 200, description = "On its way again, now or before", body = Data<Refund>),
        (status = 404, description = "No such refund"),
        (status = 409, description = "It never failed, or is over, or its order has not enough left"),
    ),
    security(("token" = ["refund"]))
)]
pub async fn retry(
    State(app): Shared,
    Name(refund_id): Name,
    caller: Caller,
    At(now): At,
) -> Answer<Json<Data<Refund>>> {
    let moved = refunds::retry(&app.store, &app.outside, &refund_id, &caller.name, now).await?;
    let why_not = |refund: &RefundRecord| {
        let status = refund.status.name().to_ascii_lowercase();
        format!("a refund that is {status} cannot be tried again")
    };
    app.moved(&refund_id, moved, why_not).await
}
