//! What is stuck: messages that were put aside, and how much is in the queues.

use api::views::{Failure, FailureWithMessage};
use api::{Answer, Cursor, Data, Filled, Limit, Name, Page, Params, Problem};
use axum::Json;
use axum::extract::State;
use edge::queues::{Depth, Pulse};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use store::failures;
use store::lists::failures::FailureFilter;
use store::page::Position;
use utoipa::{IntoParams, ToSchema};

use crate::Shared;

#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum States {
    /// What nobody has decided about, or what is just being sent again.
    #[default]
    Open,
    Retried,
    Discarded,
    All,
}

impl States {
    fn all(self) -> &'static [failures::State] {
        match self {
            States::Open => &[failures::State::Open, failures::State::Retrying],
            States::Retried => &[failures::State::Retried],
            States::Discarded => &[failures::State::Discarded],
            States::All => &[],
        }
    }
}

#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
enum Fault {
    Transient,
    Refused,
    Malformed,
    Corrupt,
}

impl Fault {
    fn name(self) -> &'static str {
        match self {
            Fault::Transient => "Transient",
            Fault::Refused => "Refused",
            Fault::Malformed => "Malformed",
            Fault::Corrupt => "Corrupt",
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    /// The short name of a queue.
    #[param(value_type = Option<String>, min_length = 1, max_length = 128)]
    queue: Option<Filled>,
    /// `open` by default: what nobody has decided about, or what is just being sent again.
    #[serde(default)]
    #[param(inline, required = false)]
    state: States,
    #[param(inline)]
    fault: Option<Fault>,
    /// Put aside at this instant or later.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, default = 50)]
    limit: Limit,
    /// The `next` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
}

/// What was put aside, queue by queue, the newest first.
#[utoipa::path(
    get, path = "/failures", tag = "operations", operation_id = "list_failures", params(Filter),
    responses((status = 200, description = "A page", body = Page<Failure>)),
    security(("token" = ["read"]))
)]
pub async fn failures(
    State(app): Shared,
    Params(params): Params<Filter>,
) -> Answer<Json<Page<Failure>>> {
    let every = app.outside.names();
    let queues = match &params.queue {
        Some(queue) => vec![queue.as_str()],
        None => every,
    };
    let filter = FailureFilter {
        queues: &queues,
        states: params.state.all(),
        fault: params.fault.map(Fault::name),
        since: params.since,
    };
    let position: Option<Position> = params.cursor.map(|cursor| cursor.read()).transpose()?;
    let listed = app
        .store
        .list_failures(&filter, params.limit.0, position.as_ref());
    Ok(Page::of(listed.await?, |failure| Failure::from(&failure)))
}

/// A message that was put aside.
#[utoipa::path(
    get, path = "/failures/{failure_id}", tag = "operations", operation_id = "failure",
    params(("failure_id" = String, Path)),
    responses(
        (status = 200, description = "The message, and what is known of it", body = Data<FailureWithMessage>),
        (status = 404, description = "No such failure"),
    ),
    security(("token" = ["read"]))
)]
pub async fn failure(
    State(app): Shared,
    Name(failure_id): Name,
) -> Answer<Json<Data<FailureWithMessage>>> {
    let failure = app.store.failure(&failure_id).await?;
    let failure = failure.ok_or_else(|| Problem::not_found("failure"))?;
    Ok(Data::new(FailureWithMessage::from(&failure)))
}

/// A queue, and how much is in it, about.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Queue {
    #[schema(value_type = String)]
    name: &'static str,
    waiting: u64,
    /// Worked on, or tried again later.
    in_flight: u64,
    /// Put aside, and about to be a failure on record.
    dead: u64,
    /// `working`, `paused`, or `changing` from one to the other.
    #[schema(value_type = String)]
    state: &'static str,
}

impl Queue {
    pub fn new((depth, pulse): (Depth, Pulse)) -> Queue {
        Queue {
            name: depth.name,
            waiting: depth.waiting,
            in_flight: depth.in_flight,
            dead: depth.dead,
            state: pulse.name(),
        }
    }
}

/// The queues, and whether they are worked on.
#[utoipa::path(
    get, path = "/queues", tag = "operations", operation_id = "queues",
    responses((status = 200, description = "All of them", body = Data<Vec<Queue>>)),
    security(("token" = ["read"]))
)]
pub async fn queues(State(app): Shared) -> Answer<Json<Data<Vec<Queue>>>> {
    let queues = app.outside.queues().await?;
    Ok(Data::new(queues.into_iter().map(Queue::new).collect()))
}
