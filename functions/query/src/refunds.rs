//! Refunds, and what they come to.

use std::collections::BTreeMap;

use api::money::text;
use api::views::Refund;
use api::{Answer, At, Cursor, Data, Filled, Limit, Name, Page, Paging, Params, Problem};
use axum::Json;
use axum::extract::State;
use domain::Day;
use domain::refund::RefundStatus;
use jiff::Span;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use store::lists::refunds::RefundFilter;
use store::page::Position;
use utoipa::{IntoParams, ToSchema};

use crate::Shared;

#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Status {
    Pending,
    Processing,
    Completed,
    Failed,
    Cancelled,
}

impl From<Status> for RefundStatus {
    fn from(status: Status) -> RefundStatus {
        match status {
            Status::Pending => RefundStatus::Pending,
            Status::Processing => RefundStatus::Processing,
            Status::Completed => RefundStatus::Completed,
            Status::Failed => RefundStatus::Failed,
            Status::Cancelled => RefundStatus::Cancelled,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Full,
    Partial,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    #[param(inline)]
    status: Option<Status>,
    #[serde(rename = "type")]
    #[param(inline)]
    kind: Option<Kind>,
    #[param(value_type = Option<String>, min_length = 1, max_length = 128)]
    customer_id: Option<Filled>,
    #[param(value_type = Option<String>, min_length = 1, max_length = 128)]
    order_id: Option<Filled>,
    /// Days are those of UTC. Thirty days before `to_date` by default.
    #[param(value_type = Option<String>, format = Date)]
    from_date: Option<Day>,
    /// The last day, which is one of them: today by default.
    #[param(value_type = Option<String>, format = Date)]
    to_date: Option<Day>,
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, default = 50)]
    limit: Limit,
    /// The `next` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
}

/// Refunds, the newest first.
#[utoipa::path(
    get, path = "/refunds", tag = "refunds", operation_id = "list_refunds", params(Filter),
    responses((status = 200, description = "A page", body = Page<Refund>)),
    security(("token" = ["read"]))
)]
pub async fn list(
    State(app): Shared,
    At(now): At,
    Params(params): Params<Filter>,
) -> Answer<Json<Page<Refund>>> {
    let filter = RefundFilter {
        status: params.status.map(RefundStatus::from),
        full: params.kind.map(|kind| kind == Kind::Full),
        customer_id: params.customer_id.as_ref().map(Filled::as_str),
        order_id: params.order_id.as_ref().map(Filled::as_str),
        from: params.from_date.map(Date::from),
        to: params.to_date.map(Date::from),
    };
    let position: Option<Position> = params.cursor.map(|cursor| cursor.read()).transpose()?;
    let listed = app
        .store
        .list_refunds(&filter, now, params.limit.0, position.as_ref());
    Ok(Page::of(listed.await?, |refund| Refund::now(&refund)))
}

/// A refund.
#[utoipa::path(
    get, path = "/refunds/{refund_id}", tag = "refunds", operation_id = "refund_now",
    params(("refund_id" = String, Path)),
    responses(
        (status = 200, description = "The refund", body = Data<Refund>),
        (status = 404, description = "No such refund"),
    ),
    security(("token" = ["read"]))
)]
pub async fn one(State(app): Shared, Name(refund_id): Name) -> Answer<Json<Data<Refund>>> {
    let refund = app.store.refund(&refund_id).await?;
    let refund = refund.ok_or_else(|| Problem::not_found("refund"))?;
    Ok(Data::new(Refund::now(&refund)))
}

/// The refunds of an order, the first one first.
#[utoipa::path(
    get, path = "/refunds/order/{order_id}", tag = "refunds", operation_id = "refunds_of_order",
    params(("order_id" = String, Path), Paging),
    responses(
        (status = 200, description = "A page", body = Page<Refund>),
        (status = 404, description = "No such order"),
    ),
    security(("token" = ["read"]))
)]
pub async fn of_order(
    State(app): Shared,
    Name(order_id): Name,
    Params(params): Params<Paging>,
) -> Answer<Json<Page<Refund>>> {
    let position: Option<Position> = params.cursor.map(|cursor| cursor.read()).transpose()?;
    let listed = app
        .store
        .list_refunds_of(&order_id, params.limit.0, position.as_ref());
    let listed = listed.await?;
    if listed.items.is_empty() && app.store.order(&order_id).await?.is_none() {
        return Err(Problem::not_found("order"));
    }
    Ok(Page::of(listed, |refund| Refund::now(&refund)))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Period {
    /// Days are those of UTC. 29 days before `to_date` by default.
    #[param(value_type = Option<String>, format = Date)]
    from_date: Option<Day>,
    /// The last day, today by default. At most 92 days.
    #[param(value_type = Option<String>, format = Date)]
    to_date: Option<Day>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct RefundStats {
    #[schema(value_type = String, format = Date)]
    from_date: Date,
    #[schema(value_type = String, format = Date)]
    to_date: Date,
    total_refunds: u64,
    /// How many, by status.
    by_status: BTreeMap<String, u64>,
    /// What they come to, by currency and status.
    amounts: BTreeMap<String, BTreeMap<String, String>>,
}

/// What the refunds come to that were asked for on some days.
#[utoipa::path(
    get, path = "/refunds/stats", tag = "refunds", operation_id = "refund_stats", params(Period),
    responses((status = 200, description = "Counts and amounts", body = Data<RefundStats>)),
    security(("token" = ["read"]))
)]
pub async fn stats(
    State(app): Shared,
    At(now): At,
    Params(params): Params<Period>,
) -> Answer<Json<Data<RefundStats>>> {
    let to_date = params.to_date.map(Date::from);
    let to_date = to_date.unwrap_or_else(|| now.to_zoned(TimeZone::UTC).date());
    let from_date = params.from_date.map(Date::from);
    let from_date = from_date.unwrap_or_else(|| to_date.saturating_sub(Span::new().days(29)));
    let mut stats = RefundStats {
        from_date,
        to_date,
        total_refunds: 0,
        by_status: BTreeMap::new(),
        amounts: BTreeMap::new(),
    };
    for sum in app.store.refund_stats(from_date, to_date).await? {
        let status = sum.status.name().to_ascii_lowercase();
        stats.total_refunds += sum.refunds;
        *stats.by_status.entry(status.clone()).or_default() += sum.refunds;
        let amounts = stats.amounts.entry(sum.currency.to_string()).or_default();
        amounts.insert(status, text(sum.amount, sum.currency));
    }
    Ok(Data::new(stats))
}
