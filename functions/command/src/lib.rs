//! Everything that can be asked to be done.

pub mod outside;
mod refunds;
pub mod webhooks;

use std::sync::Arc;

use axum::extract::State;
use store::{AnyEngine, Store};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use outside::Outside;

pub struct App {
    pub store: Store<AnyEngine>,
    pub outside: Box<dyn Outside>,
}

type Shared = State<Arc<App>>;

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(webhooks::payments))
        .routes(routes!(refunds::of_order))
        .routes(routes!(refunds::named))
        .routes(routes!(refunds::as_ever))
        .routes(routes!(refunds::cancel))
        .routes(routes!(refunds::retry))
}
