//! What customers were told, once more.

use api::views::Notification;
use api::{Answer, At, Body, Caller, Code, Data, Problem, Segment};
use axum::Json;
use axum::extract::State;
use domain::notification::Name;
use edge::mail;
use serde::Deserialize;
use store::notifications::Resent;
use utoipa::ToSchema;

use crate::Shared;

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Again {
    /// Also where it did not fail: the customer gets it twice then.
    #[serde(default)]
    #[schema(required = false, default = false)]
    force: bool,
}

/// Send a notification once more, one that failed or was suppressed.
///
/// One that is pending gets a message of its own, in case the one before was lost. A mail to an address that is on the list of
/// those that get none ends `suppressed`, whatever is forced.
#[utoipa::path(
    post, path = "/notifications/{notification_id}/resend", tag = "notifications", operation_id = "resend_notification",
    params(("notification_id" = String, Path)), request_body = Option<Again>,
    responses(
        (status = 200, description = "On its way again", body = Data<Notification>),
        (status = 404, description = "No such notification"),
        (status = 409, description = "It was sent, and `force` was not asked for"),
    ),
    security(("token" = ["operate"]))
)]
pub async fn resend(
    State(app): Shared,
    Segment(notification_id): Segment,
    caller: Caller,
    At(now): At,
    again: Option<Body<Again>>,
) -> Answer<Json<Data<Notification>>> {
    let name = Name::parse(&notification_id);
    let name = name.ok_or_else(|| Problem::not_found("notification"))?;
    let Again { force } = again.map(|Body(again)| again).unwrap_or_default();
    let resent = mail::resend(&app.store, &app.outside, &name, force, &caller.name, now);
    match resent.await? {
        Resent::Done(told) => Ok(Data::new(Notification::from(&*told))),
        Resent::Unknown => Err(Problem::not_found("notification")),
        Resent::Refused(told) => {
            let detail = format!("it is {}: `force` sends it all the same", told.status);
            Err(Problem::new(Code::WrongState, detail))
        }
    }
}
