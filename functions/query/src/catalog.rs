//! Products, and what customers want to be told of.

use api::views::{CustomerPreferences, Product};
use api::{Answer, Data, Name, Page, Paging, Params, Problem};
use axum::Json;
use axum::extract::State;
use store::page::Position;

use crate::Shared;

/// Products and their stock, in no particular sequence.
#[utoipa::path(
    get, path = "/products", tag = "catalog", operation_id = "list_products", params(Paging),
    responses((status = 200, description = "A page", body = Page<Product>)),
    security(("token" = ["read"]))
)]
pub async fn list(
    State(app): Shared,
    Params(params): Params<Paging>,
) -> Answer<Json<Page<Product>>> {
    let position: Option<Position> = params.cursor.map(|cursor| cursor.read()).transpose()?;
    let listed = app
        .store
        .list_products(params.limit.0, position.as_ref())
        .await?;
    Ok(Page::of(listed, |product| Product::from(&product)))
}

/// A product and its stock.
#[utoipa::path(
    get, path = "/products/{sku}", tag = "catalog", operation_id = "product",
    params(("sku" = String, Path)),
    responses(
        (status = 200, description = "The product", body = Data<Product>),
        (status = 404, description = "No such product"),
    ),
    security(("token" = ["read"]))
)]
pub async fn product(State(app): Shared, Name(sku): Name) -> Answer<Json<Data<Product>>> {
    let product = app.store.product(&sku).await?;
    let product = product.ok_or_else(|| Problem::not_found("product"))?;
    Ok(Data::new(Product::from(&product)))
}

/// How a customer wants to be told, and of what.
#[utoipa::path(
    get, path = "/customers/{customer_id}/preferences", tag = "customers", operation_id = "preferences",
    params(("customer_id" = String, Path)),
    responses(
        (status = 200, description = "What they said, or what holds until they do", body = Data<CustomerPreferences>),
        (status = 404, description = "No such customer"),
    ),
    security(("token" = ["read"]))
)]
pub async fn preferences(
    State(app): Shared,
    Name(customer_id): Name,
) -> Answer<Json<Data<CustomerPreferences>>> {
    let customer = app.store.known_addressee(&customer_id).await?;
    let customer = customer.ok_or_else(|| Problem::not_found("customer"))?;
    let suppressed = app.store.suppression_of(&customer).await?;
    let (wanted, suppressed) = (&customer.preferences, suppressed.as_ref());
    Ok(Data::new(CustomerPreferences::new(wanted, suppressed)))
}
