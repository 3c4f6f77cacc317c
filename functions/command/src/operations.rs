//! What operators do about what is stuck, and about figures.

use api::views::Failure;
use api::{Answer, At, Caller, Code, Data, Draw, Name, Params, Problem};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use domain::{Day, Fault};
use edge::figures::Rebuild;
use edge::resend::{self, Claim};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use store::failures::Changed;
use utoipa::{IntoParams, ToSchema};

use crate::Shared;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Again {
    /// Also what was retried or discarded before. That is safe: what an order went through, it does not go through twice.
    #[serde(default)]
    #[param(required = false, default = false)]
    again: bool,
}

/// Send a message to its queue once more.
#[utoipa::path(
    post, path = "/failures/{failure_id}/retry", tag = "operations", operation_id = "retry_failure",
    params(("failure_id" = String, Path), Again),
    responses(
        (status = 200, description = "It is in its queue", body = Data<Failure>),
        (status = 404, description = "No such failure"),
        (status = 409, description = "Somebody decided about it before, or its queue does not take it"),
    ),
    security(("token" = ["operate"]))
)]
pub async fn retry(
    State(app): Shared,
    Name(failure_id): Name,
    caller: Caller,
    At(now): At,
    Draw(draw): Draw,
    Params(Again { again }): Params<Again>,
) -> Answer<Json<Data<Failure>>> {
    let token = format!("{draw:016x}");
    let claim = Claim {
        token: &token,
        again,
        by: &caller.name,
    };
    match resend::retry(&app.store, &app.outside, &failure_id, claim, now).await {
        Ok(changed) => decided(changed, "retried"),
        Err(Fault::Refused(why)) => {
            // In the words of the service, that tell of accounts and roles.
            tracing::warn!(
                failure.id = failure_id,
                reason = why,
                "a queue did not take a message back"
            );
            let detail = "its queue does not take it, or is none of this stack";
            Err(Problem::new(Code::WrongState, detail))
        }
        Err(fault) => Err(fault.into()),
    }
}

/// Leave a message as it is.
#[utoipa::path(
    delete, path = "/failures/{failure_id}", tag = "operations", operation_id = "discard_failure",
    params(("failure_id" = String, Path)),
    responses(
        (status = 200, description = "Nothing more will be done about it", body = Data<Failure>),
        (status = 404, description = "No such failure"),
        (status = 409, description = "It was retried or discarded before"),
    ),
    security(("token" = ["operate"]))
)]
pub async fn discard(
    State(app): Shared,
    Name(failure_id): Name,
    caller: Caller,
    At(now): At,
) -> Answer<Json<Data<Failure>>> {
    let discarded = app.store.discard_failure(&failure_id, &caller.name, now);
    decided(discarded.await?, "discarded")
}

fn decided(changed: Changed, wish: &str) -> Answer<Json<Data<Failure>>> {
    match changed {
        Changed::Done(record) => Ok(Data::new(Failure::from(&record.listed))),
        Changed::Unknown => Err(Problem::not_found("failure")),
        Changed::Refused(record) => {
            let state = record.listed.state;
            let detail = format!("a failure that is {state} is not {wish}");
            Err(Problem::new(Code::WrongState, detail))
        }
    }
}

/// A queue, and whether it is worked on.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct QueueState {
    name: String,
    /// `working`, `paused`, or `changing` from one to the other.
    #[schema(value_type = String)]
    state: &'static str,
}

/// Stop working on a queue. What is being worked on is worked off, and what comes waits.
#[utoipa::path(
    post, path = "/queues/{name}/pause", tag = "operations", operation_id = "pause_queue",
    params(("name" = String, Path)),
    responses(
        (status = 200, description = "Paused, or about to be", body = Data<QueueState>),
        (status = 404, description = "No such queue"),
    ),
    security(("token" = ["operate"]))
)]
pub async fn pause(State(app): Shared, Name(name): Name) -> Answer<Json<Data<QueueState>>> {
    set(&app, name, false).await
}

/// Go on with a queue.
#[utoipa::path(
    post, path = "/queues/{name}/continue", tag = "operations", operation_id = "continue_queue",
    params(("name" = String, Path)),
    responses(
        (status = 200, description = "Worked on, or about to be", body = Data<QueueState>),
        (status = 404, description = "No such queue"),
    ),
    security(("token" = ["operate"]))
)]
pub async fn go_on(State(app): Shared, Name(name): Name) -> Answer<Json<Data<QueueState>>> {
    set(&app, name, true).await
}

async fn set(app: &crate::App, name: String, works: bool) -> Answer<Json<Data<QueueState>>> {
    let pulse = app.outside.set_queue(&name, works).await?;
    let pulse = pulse.ok_or_else(|| Problem::not_found("queue"))?;
    let state = pulse.name();
    Ok(Data::new(QueueState { name, state }))
}

/// Which figures are to be built anew.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// One day of the business; all of them by default.
    #[param(value_type = Option<String>, format = Date)]
    date: Option<Day>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Rebuilding {
    /// One day, or all of them.
    #[schema(value_type = Option<String>, format = Date)]
    date: Option<Date>,
}

/// Add up figures anew from the journal.
///
/// It goes on behind the answer, beside the figures that are live. What is too much for one run of a function ends as a
/// failure of the queue `entries`, and is for `ordermill tally rebuild`.
#[utoipa::path(
    post, path = "/leaderboard/rebuild", tag = "figures", operation_id = "rebuild", params(Which),
    responses((status = 202, description = "About to begin", body = Data<Rebuilding>)),
    security(("token" = ["operate"]))
)]
pub async fn rebuild(
    State(app): Shared,
    Params(Which { date }): Params<Which>,
) -> Answer<Response> {
    let date = date.map(Date::from);
    app.outside
        .send_rebuild(date.map_or(Rebuild::Everything, Rebuild::Day))
        .await?;
    Ok((StatusCode::ACCEPTED, Data::new(Rebuilding { date })).into_response())
}
