//! What is going on now, and what became of orders.

use std::collections::{BTreeMap, BTreeSet};

use api::{Answer, At, Data, Params};
use axum::Json;
use axum::extract::State;
use domain::tally::Figures;
use domain::{Currency, Fault};
use edge::queues::{self, Depth};
use futures::try_join;
use jiff::civil::Date;
use jiff::{Span, Timestamp};
use serde::{Deserialize, Serialize};
use store::tallies::{Day, DayFigures, Underway};
use utoipa::{IntoParams, ToSchema};

use super::kpis::Kpis;
use super::span;
use crate::operations::Queue;
use crate::{App, Shared};

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Realtime {
    #[schema(value_type = String, format = DateTime)]
    timestamp: Timestamp,
    /// Rows of files that are on their way, and orders that came by themselves. Nothing, where an import does not add up.
    pending_rows: Option<u64>,
    /// Of files.
    running_imports: u64,
    /// That came by themselves.
    running_orders: u64,
    /// In the queues of both lanes, as they say: they do not know it exactly.
    batches_waiting: u64,
    batches_in_flight: u64,
    completed_today: u64,
    failed_today: u64,
    /// Today so far, by currency.
    #[schema(value_type = BTreeMap<String, Kpis>)]
    today: BTreeMap<&'static str, Kpis>,
}

/// What is going on.
#[utoipa::path(
    get, path = "/kpis/realtime", tag = "figures", operation_id = "kpis_realtime",
    responses((status = 200, description = "Now", body = Data<Realtime>)),
    security(("token" = ["read"]))
)]
pub async fn realtime(State(app): Shared, At(now): At) -> Answer<Json<Data<Realtime>>> {
    let (depths, books) = try_join!(app.outside.depths(), app.today(now))?;
    Ok(Data::new(Realtime::new(now, books, depths.iter())?))
}

/// What is on its way, and what this day came to.
type Today = (Underway, BTreeMap<Currency, DayFigures>);

impl App {
    async fn today(&self, now: Timestamp) -> Result<Today, Fault> {
        let today = self.day_of(now).await?;
        try_join!(self.store.underway(), self.store.day(today))
    }
}

impl Realtime {
    fn new<'a>(
        timestamp: Timestamp,
        (underway, today): Today,
        depths: impl Iterator<Item = &'a Depth>,
    ) -> Result<Realtime, Fault> {
        let batches = depths.filter(|depth| queues::OF_BATCHES.contains(&depth.name));
        let batches: Vec<&Depth> = batches.collect();
        let mut realtime = Realtime {
            timestamp,
            pending_rows: underway.rows,
            running_imports: underway.files,
            running_orders: underway.orders,
            batches_waiting: batches.iter().map(|depth| depth.waiting).sum(),
            batches_in_flight: batches.iter().map(|depth| depth.in_flight).sum(),
            completed_today: 0,
            failed_today: 0,
            today: BTreeMap::new(),
        };
        for (currency, day) in today {
            let total = day.total()?;
            realtime.completed_today += total.orders;
            realtime.failed_today += total.failed_orders();
            let kpis = Kpis::new(&total, currency);
            realtime.today.insert(currency.code(), kpis);
        }
        Ok(realtime)
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct OrderStats {
    #[schema(value_type = String, format = Date)]
    from_date: Date,
    #[schema(value_type = String, format = Date)]
    to_date: Date,
    completed: u64,
    failed: u64,
    refunds: u64,
    /// By currency.
    #[schema(value_type = BTreeMap<String, Kpis>)]
    currencies: BTreeMap<&'static str, Kpis>,
}

impl OrderStats {
    fn new(days: &[Day], (from_date, to_date): (Date, Date)) -> Result<OrderStats, Fault> {
        let known = days.iter().flat_map(|(_, day)| day.keys().copied());
        let known: BTreeSet<Currency> = known.collect();
        let mut stats = OrderStats {
            from_date,
            to_date,
            completed: 0,
            failed: 0,
            refunds: 0,
            currencies: BTreeMap::new(),
        };
        for currency in known {
            let mut total = Figures::default();
            for day in days.iter().filter_map(|(_, day)| day.get(&currency)) {
                total.add(&day.total()?)?;
            }
            stats.completed += total.orders;
            stats.failed += total.failed_orders();
            stats.refunds += total.refund_count;
            let kpis = Kpis::new(&total, currency);
            stats.currencies.insert(currency.code(), kpis);
        }
        Ok(stats)
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Period {
    /// 29 days before `to_date` by default.
    #[param(value_type = Option<String>, format = Date)]
    from_date: Option<domain::Day>,
    /// The last day, today by default. At most 366 days.
    #[param(value_type = Option<String>, format = Date)]
    to_date: Option<domain::Day>,
}

/// What became of the orders of some days.
#[utoipa::path(
    get, path = "/orders/stats", tag = "figures", operation_id = "order_stats", params(Period),
    responses((status = 200, description = "All currencies", body = Data<OrderStats>)),
    security(("token" = ["read"]))
)]
pub async fn orders(
    State(app): Shared,
    At(now): At,
    Params(params): Params<Period>,
) -> Answer<Json<Data<OrderStats>>> {
    Ok(Data::new(app.order_stats(now, &params).await?))
}

impl App {
    async fn order_stats(&self, now: Timestamp, period: &Period) -> Answer<OrderStats> {
        let last = match period.to_date {
            Some(date) => date.into(),
            None => self.day_of(now).await?,
        };
        let first = period.from_date.map(Date::from);
        let first = first.unwrap_or_else(|| last.saturating_sub(Span::new().days(29)));
        span(first, last, ("from_date", "to_date"))?;
        let days = self.store.days(first, last).await?;
        Ok(OrderStats::new(&days, (first, last))?)
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Stats {
    now: Realtime,
    /// Of the last 30 days.
    orders: OrderStats,
    queues: Vec<Queue>,
}

/// All of it at once.
#[utoipa::path(
    get, path = "/stats", tag = "figures", operation_id = "stats",
    responses((status = 200, description = "Now, and the last 30 days", body = Data<Stats>)),
    security(("token" = ["read"]))
)]
pub async fn everything(State(app): Shared, At(at): At) -> Answer<Json<Data<Stats>>> {
    let period = Period {
        from_date: None,
        to_date: None,
    };
    let (queues, books) = try_join!(app.outside.queues(), app.today(at))?;
    let now = Realtime::new(at, books, queues.iter().map(|(depth, _)| depth))?;
    let orders = app.order_stats(at, &period).await?;
    let queues = queues.into_iter().map(Queue::new);
    Ok(Data::new(Stats {
        now,
        orders,
        queues: queues.collect(),
    }))
}
