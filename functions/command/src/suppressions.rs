//! Addresses that get no mail any more: put on the list by hand, or taken off it.

use api::views::Suppression;
use api::{Answer, At, Body, Caller, Code, Data, Filled, Name, Problem};
use axum::Json;
use axum::extract::State;
use domain::limits::TEXT_BYTES;
use serde::Deserialize;
use store::suppressions::SuppressionRecord;
use utoipa::ToSchema;

use crate::Shared;

/// Why an address shall get no mail. It can be left out.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WhyNot {
    #[schema(value_type = Option<String>, min_length = 1, max_length = 512)]
    reason: Option<Filled<TEXT_BYTES>>,
}

/// Send no more mail to an address.
///
/// What is on the list already stays as it is.
#[utoipa::path(
    put, path = "/suppressions/{address}", tag = "notifications", operation_id = "suppress",
    params(("address" = String, Path)), request_body = Option<WhyNot>,
    responses(
        (status = 200, description = "It is on the list, now or before", body = Data<Suppression>),
        (status = 422, description = "It is no address"),
    ),
    security(("token" = ["operate"]))
)]
pub async fn put(
    State(app): Shared,
    Name(address): Name,
    caller: Caller,
    At(now): At,
    why: Option<Body<WhyNot>>,
) -> Answer<Json<Data<Suppression>>> {
    let address = address
        .parse()
        .map_err(|wrong| Problem::of_field(Code::Unprocessable, "address", wrong))?;
    let reason = why.and_then(|Body(why)| why.reason);
    let reason = reason.as_ref().map(Filled::as_str);
    let new = SuppressionRecord::manual(address, reason, &caller.name, now);
    let stands = app.store.suppress(&new).await?;
    Ok(Data::new(Suppression::from(&stands)))
}

/// Send mail to an address again.
///
/// What was not sent meanwhile stays suppressed, until it is resent. An event that is older than this puts the address on the
/// list no more.
#[utoipa::path(
    delete, path = "/suppressions/{address}", tag = "notifications", operation_id = "lift_suppression",
    params(("address" = String, Path)),
    responses(
        (status = 200, description = "As it stood on the list", body = Data<Suppression>),
        (status = 404, description = "It is not on the list"),
    ),
    security(("token" = ["operate"]))
)]
pub async fn lift(
    State(app): Shared,
    Name(address): Name,
    caller: Caller,
    At(now): At,
) -> Answer<Json<Data<Suppression>>> {
    let lifted = match address.parse() {
        Ok(address) => {
            let lifted = app.store.lift_suppression(&address, &caller.name, now);
            lifted.await?
        }
        Err(_) => None,
    };
    let lifted = lifted.ok_or_else(|| Problem::not_found("suppression"))?;
    Ok(Data::new(Suppression::from(&lifted)))
}
