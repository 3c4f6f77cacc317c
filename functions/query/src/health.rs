//! Whether what this stands on answers. Open to everybody, so it says no more than that.

use std::collections::BTreeMap;
use std::time::Duration;

use api::At;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use domain::Fault;
use futures::join;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::Shared;

/// Whoever asks wants an answer before their own patience ends.
const PATIENCE: Duration = Duration::from_secs(3);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Pulse {
    Up,
    Down,
}

#[derive(Debug, Serialize, ToSchema)]
struct Health {
    /// Up where all services are.
    status: Pulse,
    #[schema(value_type = String, format = DateTime)]
    timestamp: Timestamp,
    /// `tables`, `queues` and `files`.
    #[schema(value_type = BTreeMap<String, Pulse>)]
    services: BTreeMap<&'static str, Pulse>,
}

/// Whether the tables, the queues and the bucket answer.
#[utoipa::path(
    get, path = "/health", tag = "operations", operation_id = "health",
    responses(
        (status = 200, description = "All of them do", body = Health),
        (status = 503, description = "One of them does not", body = Health),
    ),
    security(())
)]
pub async fn health(State(app): Shared, At(timestamp): At) -> Response {
    let (tables, queues, files) = join!(
        pulse("tables", app.store.settled("health")),
        pulse("queues", app.outside.depths()),
        pulse("files", app.outside.files()),
    );
    let services = BTreeMap::from([("tables", tables), ("queues", queues), ("files", files)]);
    let down = services.values().any(|pulse| *pulse == Pulse::Down);
    let (code, status) = match down {
        true => (StatusCode::SERVICE_UNAVAILABLE, Pulse::Down),
        false => (StatusCode::OK, Pulse::Up),
    };
    let health = Health {
        status,
        timestamp,
        services,
    };
    (code, Json(health)).into_response()
}

async fn pulse<T>(name: &'static str, asked: impl Future<Output = Result<T, Fault>>) -> Pulse {
    let answer = tokio::time::timeout(PATIENCE, asked).await;
    let why = match answer {
        Ok(Ok(_)) => return Pulse::Up,
        Ok(Err(fault)) => fault.to_string(),
        Err(_) => "no answer".to_owned(),
    };
    tracing::error!(service = name, why, "a service is down");
    Pulse::Down
}
