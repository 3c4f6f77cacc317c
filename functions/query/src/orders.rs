//! Orders: one with its story, or those of a customer.

use api::views::{Order, OrderStory};
use api::{Answer, Cursor, Data, Filled, Limit, Name, Page, Params, Problem};
use axum::Json;
use axum::extract::State;
use futures::try_join;
use serde::Deserialize;
use store::page::Position;
use utoipa::IntoParams;

use crate::Shared;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct OfCustomer {
    #[param(value_type = String, min_length = 1, max_length = 128)]
    customer_id: Filled,
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, default = 50)]
    limit: Limit,
    /// The `next` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
}

/// The orders of a customer, the newest first.
#[utoipa::path(
    get, path = "/orders", tag = "orders", operation_id = "list_orders", params(OfCustomer),
    responses((status = 200, description = "A page", body = Page<Order>)),
    security(("token" = ["read"]))
)]
pub async fn list(
    State(app): Shared,
    Params(params): Params<OfCustomer>,
) -> Answer<Json<Page<Order>>> {
    let position: Option<Position> = params.cursor.map(|cursor| cursor.read()).transpose()?;
    let orders = app.store.orders_of(
        params.customer_id.as_str(),
        params.limit.0,
        position.as_ref(),
    );
    Ok(Page::of(orders.await?, |order| Order::from(&order)))
}

/// An order, and all that happened to it.
#[utoipa::path(
    get, path = "/orders/{order_id}", tag = "orders", operation_id = "order",
    params(("order_id" = String, Path)),
    responses(
        (status = 200, description = "The order", body = Data<OrderStory>),
        (status = 404, description = "No such order"),
    ),
    security(("token" = ["read"]))
)]
pub async fn story(State(app): Shared, Name(order_id): Name) -> Answer<Json<Data<OrderStory>>> {
    let zone = app.store.zone_of_figures(&app.zone).await?;
    let (story, told) = try_join!(
        app.store.timeline(&order_id, &zone),
        app.store.notifications_of(&order_id),
    )?;
    let story = story.ok_or_else(|| Problem::not_found("order"))?;
    Ok(Data::new(OrderStory::new(story, &told)))
}
