//! What was earned and sold, and by whom. Amounts are numbers here, as they have always been.

pub mod boards;
pub mod kpis;
pub mod stats;

use std::sync::Arc;

use api::{Answer, Code, Problem};
use domain::Fault;
use jiff::Timestamp;
use jiff::civil::Date;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::App;

/// Days in one answer.
const MOST_DAYS: usize = 366;

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(kpis::today))
        .routes(routes!(kpis::of_day))
        .routes(routes!(kpis::range))
        .routes(routes!(kpis::hourly))
        .routes(routes!(kpis::overview))
        .routes(routes!(boards::both))
        .routes(routes!(boards::customers))
        .routes(routes!(boards::products))
        .routes(routes!(boards::rank))
        .routes(routes!(boards::metrics))
        .routes(routes!(stats::realtime))
        .routes(routes!(stats::orders))
        .routes(routes!(stats::everything))
}

impl App {
    /// The business day that an instant falls on.
    async fn day_of(&self, now: Timestamp) -> Result<Date, Fault> {
        let zone = self.store.zone_of_figures(&self.zone).await?;
        Ok(now.to_zoned(zone).date())
    }
}

/// The days from one to another, both included.
fn span(first: Date, last: Date, names: (&str, &str)) -> Answer<()> {
    let wrong = |why: String| Err(Problem::of_field(Code::Unprocessable, names.1, why));
    if first > last {
        return wrong(format!("{last} is before {}, {first}", names.0));
    }
    let days = first.duration_until(last).as_hours() / 24 + 1;
    match usize::try_from(days) {
        Ok(days) if days <= MOST_DAYS => Ok(()),
        _ => wrong(format!(
            "{days} days are too many: {MOST_DAYS} can be asked for"
        )),
    }
}
