//! Everything that can be asked: reads only, and its role cannot write.

mod catalog;
pub mod figures;
pub mod health;
mod imports;
mod notifications;
mod operations;
mod optout;
mod orders;
pub mod outside;
mod refunds;
mod suppressions;

use std::sync::Arc;

use api::optout::OptOutPage;
use axum::extract::State;
use domain::Currency;
use jiff::tz::TimeZone;
use store::schema::Table;
use store::{AnyEngine, Store};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use outside::Outside;

pub struct App {
    pub store: Store<AnyEngine>,
    pub outside: Box<dyn Outside>,
    /// Of figures that were never entered yet.
    pub zone: TimeZone,
    /// Where nobody asks for another one.
    pub currency: Currency,
    /// All that the store knows.
    pub tables: Vec<Table>,
    pub health: health::Last,
    /// What links in mails lead to.
    pub optout: OptOutPage,
}

type Shared = State<Arc<App>>;

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(health::health))
        .routes(routes!(openapi))
        .routes(routes!(orders::list))
        .routes(routes!(orders::story))
        .routes(routes!(refunds::list))
        .routes(routes!(refunds::stats))
        .routes(routes!(refunds::of_order))
        .routes(routes!(refunds::one))
        .routes(routes!(notifications::list))
        .routes(routes!(notifications::recent))
        .routes(routes!(notifications::stats))
        .routes(routes!(notifications::of_order))
        .routes(routes!(notifications::one))
        .routes(routes!(imports::list))
        .routes(routes!(imports::one))
        .routes(routes!(imports::rejects))
        .routes(routes!(imports::conflicts))
        .routes(routes!(catalog::list))
        .routes(routes!(catalog::product))
        .routes(routes!(catalog::preferences))
        .routes(routes!(optout::page))
        .routes(routes!(operations::failures))
        .routes(routes!(operations::failure))
        .routes(routes!(operations::queues))
        .routes(routes!(suppressions::list))
        .routes(routes!(suppressions::one))
        .merge(figures::routes())
}

/// This description.
#[utoipa::path(
    get, path = "/openapi.json", tag = "operations", operation_id = "openapi",
    responses((status = 200, description = "An OpenAPI 3.1 document", content_type = "application/json", body = Object)),
    security(("token" = ["read"]))
)]
async fn openapi() -> impl axum::response::IntoResponse {
    let json = (axum::http::header::CONTENT_TYPE, "application/json");
    ([json], api::document::PUBLISHED)
}
