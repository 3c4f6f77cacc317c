//! Everything that can be asked to be done.

mod catalog;
mod imports;
mod notifications;
mod operations;
mod optout;
mod orders;
pub mod outside;
mod refunds;
mod suppressions;
pub mod webhooks;

use std::sync::Arc;

use api::optout::OptOutPage;
use axum::extract::State;
use intake::Settings;
use jiff::tz::TimeZone;
use store::{AnyEngine, Store};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use outside::Outside;

pub struct App {
    pub store: Store<AnyEngine>,
    pub outside: Box<dyn Outside>,
    /// Of the business.
    pub zone: TimeZone,
    /// What files are read with.
    pub intake: Settings,
    /// What links in mails lead to.
    pub optout: OptOutPage,
}

type Shared = State<Arc<App>>;

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(webhooks::payments))
        .routes(routes!(orders::new))
        .routes(routes!(orders::ship))
        .routes(routes!(orders::deliver))
        .routes(routes!(orders::cancel))
        .routes(routes!(imports::file))
        .routes(routes!(refunds::of_order))
        .routes(routes!(refunds::named))
        .routes(routes!(refunds::as_ever))
        .routes(routes!(refunds::cancel))
        .routes(routes!(refunds::retry))
        .routes(routes!(catalog::put))
        .routes(routes!(catalog::restock))
        .routes(routes!(catalog::preferences))
        .routes(routes!(optout::choose))
        .routes(routes!(notifications::resend))
        .routes(routes!(operations::retry))
        .routes(routes!(operations::discard))
        .routes(routes!(operations::pause))
        .routes(routes!(operations::go_on))
        .routes(routes!(operations::rebuild))
        .routes(routes!(suppressions::put))
        .routes(routes!(suppressions::lift))
}
