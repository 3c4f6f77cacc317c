//! What customers were told, and how much of it.

use api::document::one_of;
use api::views::{Notification, NotificationStats};
use api::{Answer, At, Cursor, Data, Filled, Limit, Name, Page, Paging, Params, Problem, Segment};
use axum::Json;
use axum::extract::State;
use domain::Day;
use domain::notification::{self, Kind, Standing};
use domain::preferences::Channel;
use jiff::civil::Date;
use serde::Deserialize;
use store::lists::notifications::NotificationFilter;
use store::page::Position;
use utoipa::IntoParams;
use utoipa::openapi::{RefOr, Schema};

use crate::Shared;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    #[serde(rename = "type")]
    #[param(schema_with = kinds)]
    kind: Option<Kind>,
    #[param(schema_with = channels)]
    channel: Option<Channel>,
    #[param(schema_with = standings)]
    status: Option<Standing>,
    /// Those of a customer come order by order, the newest order first.
    #[param(value_type = Option<String>, min_length = 1, max_length = 128)]
    customer_id: Option<Filled>,
    /// Days are those of UTC, on which they were put on record. Thirty days before `to_date` by default.
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

fn kinds() -> RefOr<Schema> {
    one_of(Kind::ALL.map(Kind::name))
}

fn channels() -> RefOr<Schema> {
    one_of(Channel::ALL.map(Channel::name))
}

fn standings() -> RefOr<Schema> {
    one_of(Standing::ALL.map(Standing::name))
}

/// Notifications, the newest first.
#[utoipa::path(
    get, path = "/notifications", tag = "notifications", operation_id = "list_notifications", params(Filter),
    responses((status = 200, description = "A page", body = Page<Notification>)),
    security(("token" = ["read"]))
)]
pub async fn list(
    State(app): Shared,
    At(now): At,
    Params(params): Params<Filter>,
) -> Answer<Json<Page<Notification>>> {
    let filter = NotificationFilter {
        kind: params.kind,
        channel: params.channel,
        status: params.status,
        customer_id: params.customer_id.as_ref().map(Filled::as_str),
        from: params.from_date.map(Date::from),
        to: params.to_date.map(Date::from),
    };
    let position: Option<Position> = params.cursor.map(|cursor| cursor.read()).transpose()?;
    let listed = app
        .store
        .list_notifications(&filter, now, params.limit.0, position.as_ref());
    Ok(Page::of(listed.await?, |told| Notification::from(&told)))
}

/// The notifications of the last thirty days, the newest first.
#[utoipa::path(
    get, path = "/notifications/recent", tag = "notifications", operation_id = "recent_notifications", params(Paging),
    responses((status = 200, description = "A page", body = Page<Notification>)),
    security(("token" = ["read"]))
)]
pub async fn recent(
    State(app): Shared,
    At(now): At,
    Params(params): Params<Paging>,
) -> Answer<Json<Page<Notification>>> {
    let everything = NotificationFilter::default();
    let position: Option<Position> = params.cursor.map(|cursor| cursor.read()).transpose()?;
    let listed = app
        .store
        .list_notifications(&everything, now, params.limit.0, position.as_ref());
    Ok(Page::of(listed.await?, |told| Notification::from(&told)))
}

/// What was told of an order, the first one first.
#[utoipa::path(
    get, path = "/notifications/order/{order_id}", tag = "notifications", operation_id = "notifications_of_order",
    params(("order_id" = String, Path), Paging),
    responses(
        (status = 200, description = "A page", body = Page<Notification>),
        (status = 404, description = "No such order"),
    ),
    security(("token" = ["read"]))
)]
pub async fn of_order(
    State(app): Shared,
    Name(order_id): Name,
    Params(params): Params<Paging>,
) -> Answer<Json<Page<Notification>>> {
    let position: Option<Position> = params.cursor.map(|cursor| cursor.read()).transpose()?;
    let listed = app
        .store
        .list_notifications_of(&order_id, params.limit.0, position.as_ref());
    let listed = listed.await?;
    if listed.items.is_empty() && app.store.order(&order_id).await?.is_none() {
        return Err(Problem::not_found("order"));
    }
    Ok(Page::of(listed, |told| Notification::from(&told)))
}

/// A notification.
#[utoipa::path(
    get, path = "/notifications/{notification_id}", tag = "notifications", operation_id = "notification",
    params(("notification_id" = String, Path)),
    responses(
        (status = 200, description = "The notification", body = Data<Notification>),
        (status = 404, description = "No such notification"),
    ),
    security(("token" = ["read"]))
)]
pub async fn one(
    State(app): Shared,
    Segment(notification_id): Segment,
) -> Answer<Json<Data<Notification>>> {
    let told = match notification::Name::parse(&notification_id) {
        Some(name) => app.store.notification(&name).await?,
        None => None,
    };
    let told = told.ok_or_else(|| Problem::not_found("notification"))?;
    Ok(Data::new(Notification::from(&told)))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Period {
    /// Days are those of UTC, on which they were put on record. 29 days before `to_date` by default.
    #[param(value_type = Option<String>, format = Date)]
    from_date: Option<Day>,
    /// The last day, today by default. At most 31 days.
    #[param(value_type = Option<String>, format = Date)]
    to_date: Option<Day>,
}

/// How many notifications there are of some days, and how they ended.
#[utoipa::path(
    get, path = "/notifications/stats", tag = "notifications", operation_id = "notification_stats", params(Period),
    responses((status = 200, description = "Counts", body = Data<NotificationStats>)),
    security(("token" = ["read"]))
)]
pub async fn stats(
    State(app): Shared,
    At(now): At,
    Params(params): Params<Period>,
) -> Answer<Json<Data<NotificationStats>>> {
    let (from, to) = (params.from_date, params.to_date);
    let (from, to) = (from.map(Date::from), to.map(Date::from));
    let counted = app.store.notification_stats(from, to, now).await?;
    Ok(Data::new(NotificationStats::of(&counted)))
}
