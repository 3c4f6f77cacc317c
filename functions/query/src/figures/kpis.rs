//! Figures of days and hours, in one currency.

use std::collections::BTreeMap;

use api::money::{CurrencyCode, Number};
use api::{Answer, At, Code, Data, Params, Problem};
use axum::Json;
use axum::extract::State;
use domain::day::NoDay;
use domain::tally::{Figures, Hour};
use domain::{Currency, Fault, Reason};
use jiff::civil::Date;
use jiff::{Span, Timestamp, Zoned};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use store::tallies::{Day, DayFigures};
use utoipa::{IntoParams, ToSchema};

use super::span;
use crate::{App, Shared};

/// What some time came to.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Kpis {
    /// Gross revenue less refunds.
    pub total_revenue: Number,
    /// What completed orders cost.
    pub gross_revenue: Number,
    /// What went back, on the day on which it did.
    pub refunds: Number,
    pub refund_count: u64,
    /// Completed orders. A refund takes none back.
    pub order_count: u64,
    pub units: u64,
    /// Of gross revenue; zero where there were no orders.
    pub average_order_value: Number,
    pub failed_orders: u64,
    #[schema(value_type = BTreeMap<String, u64>)]
    pub failed_by_reason: BTreeMap<Reason, u64>,
}

impl Kpis {
    pub fn new(figures: &Figures, currency: Currency) -> Kpis {
        let number = |amount: Decimal| Number::new(amount, currency);
        Kpis {
            total_revenue: number(figures.net()),
            gross_revenue: number(figures.gross),
            refunds: number(figures.refunds),
            refund_count: figures.refund_count,
            order_count: figures.orders,
            units: figures.units,
            average_order_value: number(figures.average_order_value(currency).unwrap_or_default()),
            failed_orders: figures.failed_orders(),
            failed_by_reason: figures.failed.clone(),
        }
    }
}

/// A day of the business.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Daily {
    #[schema(value_type = String, format = Date)]
    date: Date,
    #[schema(value_type = CurrencyCode)]
    currency: Currency,
    #[serde(flatten)]
    pub kpis: Kpis,
    /// Customers of completed orders, each counted once.
    unique_customers: u64,
    /// In which more happened on this day. They are never added.
    #[schema(value_type = Vec<String>)]
    other_currencies: Vec<Currency>,
}

impl Daily {
    pub fn new((date, day): &Day, currency: Currency) -> Result<Daily, Fault> {
        let figures = day.get(&currency).cloned().unwrap_or_default();
        let others = day.keys().copied().filter(|other| *other != currency);
        Ok(Daily {
            date: *date,
            currency,
            kpis: Kpis::new(&figures.total()?, currency),
            unique_customers: figures.customers,
            other_currencies: others.collect(),
        })
    }
}

/// An hour of a day.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Hourly {
    /// Its number: the third hour of a day on which the clocks change is not that from two to three.
    hour: u8,
    /// Nothing for one that its day does not have, as happens where the time zone was another one.
    #[schema(value_type = Option<String>, format = DateTime)]
    begins_at: Option<Timestamp>,
    #[serde(flatten)]
    kpis: Kpis,
    unique_customers: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Hours {
    #[schema(value_type = String, format = Date)]
    date: Date,
    #[schema(value_type = CurrencyCode)]
    currency: Currency,
    /// All of the day, and those that are still to come.
    hours: Vec<Hourly>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Range {
    #[schema(value_type = String, format = Date)]
    start_date: Date,
    #[schema(value_type = String, format = Date)]
    end_date: Date,
    #[schema(value_type = CurrencyCode)]
    currency: Currency,
    #[serde(flatten)]
    kpis: Kpis,
    /// The customers of each day, added up: who ordered on two of them counts twice.
    customer_days: u64,
    days: Vec<Daily>,
}

impl Range {
    pub fn new(days: &[Day], currency: Currency) -> Result<Option<Range>, Fault> {
        let ends = days.first().zip(days.last());
        let Some(((start_date, _), (end_date, _))) = ends else {
            return Ok(None);
        };
        let mut total = Figures::default();
        let mut customer_days: u64 = 0;
        for day in days.iter().filter_map(|(_, day)| day.get(&currency)) {
            total.add(&day.total()?)?;
            customer_days = customer_days.saturating_add(day.customers);
        }
        let each = days.iter().map(|day| Daily::new(day, currency));
        Ok(Some(Range {
            start_date: *start_date,
            end_date: *end_date,
            currency,
            kpis: Kpis::new(&total, currency),
            customer_days,
            days: each.collect::<Result<_, Fault>>()?,
        }))
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct OfDay {
    /// A day of the business, today by default.
    #[param(value_type = Option<String>, format = Date)]
    pub date: Option<domain::Day>,
    /// That of the stack by default.
    #[param(value_type = Option<CurrencyCode>)]
    pub currency: Option<Currency>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct InCurrency {
    /// That of the stack by default.
    #[param(value_type = Option<CurrencyCode>)]
    pub currency: Option<Currency>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct OfRange {
    #[param(value_type = String, format = Date)]
    start_date: domain::Day,
    /// The last day, which is one of them. At most 366 days.
    #[param(value_type = String, format = Date)]
    end_date: domain::Day,
    /// That of the stack by default.
    #[param(value_type = Option<CurrencyCode>)]
    currency: Option<Currency>,
}

/// Figures of a day.
#[utoipa::path(
    get, path = "/kpis/daily", tag = "figures", operation_id = "kpis_daily", params(OfDay),
    responses((status = 200, description = "The day so far", body = Data<Daily>)),
    security(("token" = ["read"]))
)]
pub async fn today(
    State(app): Shared,
    At(now): At,
    Params(params): Params<OfDay>,
) -> Answer<Json<Data<Daily>>> {
    let date = match params.date {
        Some(date) => date.into(),
        None => app.day_of(now).await?,
    };
    Ok(Data::new(app.daily(date, params.currency).await?))
}

/// Figures of a day.
#[utoipa::path(
    get, path = "/kpis/daily/{date}", tag = "figures", operation_id = "kpis_of_day",
    params(("date" = String, Path, format = Date), InCurrency),
    responses((status = 200, description = "The day", body = Data<Daily>)),
    security(("token" = ["read"]))
)]
pub async fn of_day(
    State(app): Shared,
    OfPath(date): OfPath,
    Params(params): Params<InCurrency>,
) -> Answer<Json<Data<Daily>>> {
    Ok(Data::new(app.daily(date, params.currency).await?))
}

/// Figures of many days, and of all of them together.
#[utoipa::path(
    get, path = "/kpis/range", tag = "figures", operation_id = "kpis_range", params(OfRange),
    responses((status = 200, description = "The days", body = Data<Range>)),
    security(("token" = ["read"]))
)]
pub async fn range(
    State(app): Shared,
    Params(params): Params<OfRange>,
) -> Answer<Json<Data<Range>>> {
    let (first, last) = (params.start_date.into(), params.end_date.into());
    span(first, last, ("start_date", "end_date"))?;
    let days = app.store.days(first, last).await?;
    let currency = params.currency.unwrap_or(app.currency);
    let range = Range::new(&days, currency)?;
    Ok(Data::new(range.ok_or_else(no_days)?))
}

/// Figures of each hour of a day.
#[utoipa::path(
    get, path = "/kpis/hourly", tag = "figures", operation_id = "kpis_hourly", params(OfDay),
    responses((status = 200, description = "The hours", body = Data<Hours>)),
    security(("token" = ["read"]))
)]
pub async fn hourly(
    State(app): Shared,
    At(now): At,
    Params(params): Params<OfDay>,
) -> Answer<Json<Data<Hours>>> {
    let zone = app.store.zone_of_figures(&app.zone).await?;
    let date = params.date.map(Date::from);
    let date = date.unwrap_or_else(|| now.to_zoned(zone.clone()).date());
    let currency = params.currency.unwrap_or(app.currency);
    let mut day = app.store.day(date).await?;
    let day = day.remove(&currency).unwrap_or_default();
    let begins = Hour::of_day(date, &zone).map_err(|_| {
        let detail = "no clock goes as far as this day";
        Problem::of_field(Code::InvalidParameter, "date", detail)
    })?;
    let hours = hours(&day, &begins, currency);
    Ok(Data::new(Hours {
        date,
        currency,
        hours,
    }))
}

/// Each hour of the day, and any beyond its last one in which something was counted.
fn hours(day: &DayFigures, begins: &[Zoned], currency: Currency) -> Vec<Hourly> {
    let last = day.hours.keys().copied().map(usize::from).max();
    let count = begins.len().max(last.map_or(0, |last| last + 1));
    let hours = (0..=u8::MAX).take(count);
    hours
        .map(|hour| {
            let figures = day.hours.get(&hour).cloned().unwrap_or_default();
            let customers = day.customers_by_hour.get(&hour).copied();
            Hourly {
                hour,
                begins_at: begins.get(usize::from(hour)).map(Zoned::timestamp),
                kpis: Kpis::new(&figures, currency),
                unique_customers: customers.unwrap_or_default(),
            }
        })
        .collect()
}

/// How things go.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Overview {
    today: Daily,
    yesterday: Daily,
    last_7_days: Range,
    last_30_days: Range,
}

/// Today, yesterday, and the last weeks.
#[utoipa::path(
    get, path = "/analytics/kpis", tag = "figures", operation_id = "analytics_kpis", params(InCurrency),
    responses((status = 200, description = "Today is the last one of each", body = Data<Overview>)),
    security(("token" = ["read"]))
)]
pub async fn overview(
    State(app): Shared,
    At(now): At,
    Params(params): Params<InCurrency>,
) -> Answer<Json<Data<Overview>>> {
    let today = app.day_of(now).await?;
    let currency = params.currency.unwrap_or(app.currency);
    let first = today.saturating_sub(Span::new().days(29));
    let days = app.store.days(first, today).await?;
    let last = |count: usize| days.get(days.len().saturating_sub(count)..);
    let range = |count| Range::new(last(count).unwrap_or_default(), currency);
    let day = |back: usize| {
        let day = days.iter().rev().nth(back);
        day.map(|day| Daily::new(day, currency)).transpose()
    };
    Ok(Data::new(Overview {
        today: day(0)?.ok_or_else(no_days)?,
        yesterday: day(1)?.ok_or_else(no_days)?,
        last_7_days: range(7)?.ok_or_else(no_days)?,
        last_30_days: range(30)?.ok_or_else(no_days)?,
    }))
}

fn no_days() -> Fault {
    Fault::Corrupt("a period without days".to_owned())
}

impl App {
    async fn daily(&self, date: Date, currency: Option<Currency>) -> Result<Daily, Fault> {
        let day = self.store.day(date).await?;
        Daily::new(&(date, day), currency.unwrap_or(self.currency))
    }
}

/// A day in the path.
pub struct OfPath(Date);

impl<S: Send + Sync> axum::extract::FromRequestParts<S> for OfPath {
    type Rejection = api::Problem;

    async fn from_request_parts(
        parts: &mut axum::http::request::Parts,
        state: &S,
    ) -> Answer<OfPath> {
        let api::Name(text) = api::Name::from_request_parts(parts, state).await?;
        let day = text.parse().map(|day: domain::Day| OfPath(day.into()));
        day.map_err(|wrong: NoDay| {
            let detail = wrong.to_string();
            api::Problem::of_field(api::Code::InvalidParameter, "date", detail)
        })
    }
}
