//! What customers were told, and how much of it.

use std::collections::BTreeMap;

use api::document::one_of;
use api::views::Notification;
use api::{Answer, At, Cursor, Data, Filled, Limit, Name, Page, Paging, Params, Problem, Segment};
use axum::Json;
use axum::extract::State;
use domain::Day;
use domain::notification::{self, Kind, Standing};
use domain::preferences::Channel;
use jiff::Span;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use store::lists::notifications::{Counts, NotificationFilter, added};
use store::page::Position;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{IntoParams, ToSchema};

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

/// Counted one by one. What is not pending was a success or has failed.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct NotificationStats {
    #[schema(value_type = String, format = Date)]
    from_date: Date,
    #[schema(value_type = String, format = Date)]
    to_date: Date,
    /// Successes, failures, and what is pending.
    total_notifications: u64,
    /// Those that were sent, by mail or to the log.
    success_notifications: u64,
    /// Those that reached nobody: `failed`, and `suppressed`.
    failed_notifications: u64,
    /// The same as successes: what is sent was taken by the mail service, or is in the log.
    sent_notifications: u64,
    pending_notifications: u64,
    /// Those that were to be sent, and were refused: `failed` alone.
    failed_sends: u64,
    /// `email` and `log`, where there are any.
    by_channel: BTreeMap<String, Outcomes>,
    /// Those of today, whatever days were asked for.
    today: Outcomes,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, ToSchema)]
pub struct Outcomes {
    total: u64,
    success: u64,
    failed: u64,
}

impl Outcomes {
    fn add(&mut self, status: Standing, count: u64) {
        self.total += count;
        match status {
            Standing::Pending => {}
            Standing::Sent => self.success += count,
            Standing::Failed | Standing::Suppressed => self.failed += count,
        }
    }

    fn of(counts: &Counts) -> Outcomes {
        let mut outcomes = Outcomes::default();
        for ((_, _, status), count) in counts {
            outcomes.add(*status, *count);
        }
        outcomes
    }
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
    let today = now.to_zoned(TimeZone::UTC).date();
    let to_date = params.to_date.map_or(today, Date::from);
    let from_date = params.from_date.map(Date::from);
    let from_date = from_date.unwrap_or_else(|| to_date.saturating_sub(Span::new().days(29)));
    let mut days = app.store.notification_days(from_date, to_date).await?;
    let counts = added(days.values());
    let of_today = match days.remove(&today) {
        Some(counted) => counted,
        None => app.store.notification_stats(today, today).await?,
    };
    let mut by_channel: BTreeMap<String, Outcomes> = BTreeMap::new();
    for ((channel, _, status), count) in &counts {
        let outcomes = by_channel.entry(channel.to_string()).or_default();
        outcomes.add(*status, *count);
    }
    let standing = |wanted| {
        let found = counts
            .iter()
            .filter(|((_, _, status), _)| *status == wanted);
        found.map(|(_, count)| count).sum()
    };
    let all = Outcomes::of(&counts);
    Ok(Data::new(NotificationStats {
        from_date,
        to_date,
        total_notifications: all.total,
        success_notifications: all.success,
        failed_notifications: all.failed,
        sent_notifications: all.success,
        pending_notifications: standing(Standing::Pending),
        failed_sends: standing(Standing::Failed),
        by_channel,
        today: Outcomes::of(&of_today),
    }))
}
