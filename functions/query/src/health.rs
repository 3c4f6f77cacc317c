//! Whether what this stands on answers. Open to everybody, so it says no more than that.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use api::At;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use domain::Fault;
use futures::future::join_all;
use futures::join;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{App, Shared};

/// Whoever asks wants an answer before their own patience ends.
const PATIENCE: Duration = Duration::from_secs(5);

/// For so long an answer holds, and is given to whoever asks next: anybody may ask, and as often as they like.
const HOLDS: SignedDuration = SignedDuration::from_secs(5);

/// The last answer.
#[derive(Default)]
pub struct Last(Mutex<Option<Health>>);

impl Last {
    fn at(&self, now: Timestamp) -> Option<Health> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let age = |health: &Health| now.duration_since(health.timestamp);
        let holds = |health: &&Health| SignedDuration::ZERO <= age(health) && age(health) < HOLDS;
        last.as_ref().filter(holds).cloned()
    }

    fn set(&self, health: Health) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(health);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Pulse {
    Up,
    Down,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
struct Health {
    /// Up where all services are.
    status: Pulse,
    /// When they were asked.
    #[schema(value_type = String, format = DateTime)]
    timestamp: Timestamp,
    /// Each table by its name, `queues` and `files`.
    #[schema(value_type = BTreeMap<String, Pulse>)]
    services: BTreeMap<&'static str, Pulse>,
}

/// Whether each table, the queues and the bucket answer, or did so within the last five seconds.
#[utoipa::path(
    get, path = "/health", tag = "operations", operation_id = "health",
    responses(
        (status = 200, description = "All of them do", body = Health),
        (status = 503, description = "One of them does not", body = Health),
    ),
    security(())
)]
pub async fn health(State(app): Shared, At(timestamp): At) -> Response {
    let health = match app.health.at(timestamp) {
        Some(health) => health,
        None => app.asked(timestamp).await,
    };
    let code = match health.status {
        Pulse::Down => StatusCode::SERVICE_UNAVAILABLE,
        Pulse::Up => StatusCode::OK,
    };
    (code, Json(health)).into_response()
}

impl App {
    async fn asked(&self, timestamp: Timestamp) -> Health {
        let tables = self.tables.iter().map(|table| {
            let asked = self.store.answers(*table);
            pulse(table.name(), asked)
        });
        let (tables, queues, files) = join!(
            join_all(tables),
            pulse("queues", self.outside.depths()),
            pulse("files", self.outside.files()),
        );
        let services: BTreeMap<_, _> = tables.into_iter().chain([queues, files]).collect();
        let down = services.values().any(|pulse| *pulse == Pulse::Down);
        let health = Health {
            status: if down { Pulse::Down } else { Pulse::Up },
            timestamp,
            services,
        };
        self.health.set(health.clone());
        health
    }
}

async fn pulse<T>(
    name: &'static str,
    asked: impl Future<Output = Result<T, Fault>>,
) -> (&'static str, Pulse) {
    let answer = tokio::time::timeout(PATIENCE, asked).await;
    let why = match answer {
        Ok(Ok(_)) => return (name, Pulse::Up),
        Ok(Err(fault)) => fault.to_string(),
        Err(_) => "no answer".to_owned(),
    };
    tracing::error!(service = name, why, "a service is down");
    (name, Pulse::Down)
}
