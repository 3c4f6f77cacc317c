//! Products and their stock, and what customers want to be told of.

use api::money::{Amount, CurrencyCode, count, count_if_any};
use api::views::{CustomerPreferences, Preferences, Product};
use api::{Answer, At, Body, Caller, Code, Data, Draw, IdempotencyKey, Name, Problem};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use domain::preferences::Preferences as Wanted;
use domain::{Currency, ids};
use serde::Deserialize;
use store::product_requests::{Requested, Wish};
use utoipa::ToSchema;

use crate::Shared;

/// What a product should be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProductWish {
    #[schema(min_length = 1, max_length = 512)]
    name: String,
    price: Amount,
    #[schema(value_type = CurrencyCode)]
    currency: Currency,
    /// What lies in the warehouse: of that, what is reserved stays reserved. It needs an Idempotency-Key. Without it the stock
    /// stays as it is, and a new product has none.
    #[serde(default, deserialize_with = "count_if_any")]
    #[schema(maximum = 1000000000000_u64)]
    stock: Option<u64>,
}

/// Make a product what it should be.
///
/// Under an Idempotency-Key a repetition changes nothing, whatever was sold in between. Where `stock` is given it is needed:
/// counted once more, what was sold since could be sold again.
#[utoipa::path(
    put, path = "/products/{sku}", tag = "catalog", operation_id = "put_product",
    params(("sku" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    request_body = ProductWish,
    responses(
        (status = 200, description = "As it is now", body = Data<Product>),
        (status = 201, description = "It is new", body = Data<Product>),
        (status = 422, description = "A key that was used for something else, or what no product can be"),
    ),
    security(("token" = ["import"]))
)]
pub async fn put(
    State(app): Shared,
    Name(sku): Name,
    caller: Caller,
    key: Option<IdempotencyKey>,
    At(now): At,
    Draw(draw): Draw,
    Body(wish): Body<ProductWish>,
) -> Answer<Response> {
    let wish = Wish {
        sku,
        name: wish.name,
        price: wish.price.0,
        currency: wish.currency,
        stock: wish.stock,
    };
    let key = match key {
        Some(key) => of_caller(&caller, &key),
        None if wish.stock.is_some() => {
            let detail = "a stock that is counted twice brings back what was sold in between";
            return Err(Problem::key_missing(detail));
        }
        // One that nobody chose, and nobody will meet again.
        None => format!("{now} {draw:016x}"),
    };
    Ok(answered(app.store.put_product(&wish, &key, now).await?)?.into_response())
}

/// What came in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Delivery {
    #[serde(deserialize_with = "count")]
    #[schema(minimum = 1, maximum = 1000000000000_u64)]
    quantity: u64,
}

/// Add to the stock of a product.
#[utoipa::path(
    post, path = "/products/{sku}/restock", tag = "catalog", operation_id = "restock_product",
    params(("sku" = String, Path), ("Idempotency-Key" = String, Header)),
    request_body = Delivery,
    responses(
        (status = 200, description = "Added, now or under this key before", body = Data<Product>),
        (status = 404, description = "No such product"),
        (status = 422, description = "A key that was used for something else, or more than any warehouse holds"),
    ),
    security(("token" = ["import"]))
)]
pub async fn restock(
    State(app): Shared,
    Name(sku): Name,
    caller: Caller,
    key: IdempotencyKey,
    At(now): At,
    Body(delivery): Body<Delivery>,
) -> Answer<Response> {
    let key = of_caller(&caller, &key);
    let requested = app
        .store
        .restock_product(&sku, delivery.quantity, &key, now);
    Ok(answered(requested.await?)?.into_response())
}

/// Two callers may choose the same key.
fn of_caller(caller: &Caller, IdempotencyKey(key): &IdempotencyKey) -> String {
    ids::short_hash(&[&caller.name, key])
}

fn answered(requested: Requested) -> Answer<(StatusCode, Json<Data<Product>>)> {
    match requested {
        Requested::Created(product) => {
            Ok((StatusCode::CREATED, Data::new(Product::from(&*product))))
        }
        Requested::Changed(product) | Requested::Unchanged(product) => {
            Ok((StatusCode::OK, Data::new(Product::from(&*product))))
        }
        Requested::KeyReused => Err(Problem::key_reused()),
        Requested::NoSuchProduct => Err(Problem::not_found("product")),
        Requested::Invalid(wrong) => {
            let (field, detail) = (wrong.field(), wrong.to_string());
            Err(Problem::of_field(Code::Unprocessable, field, detail))
        }
    }
}

/// Say how a customer wants to be told, and of what.
#[utoipa::path(
    put, path = "/customers/{customer_id}/preferences", tag = "customers", operation_id = "set_preferences",
    params(("customer_id" = String, Path)), request_body = Preferences,
    responses(
        (status = 200, description = "As they are now", body = Data<CustomerPreferences>),
        (status = 404, description = "No such customer"),
    ),
    security(("token" = ["operate"]))
)]
pub async fn preferences(
    State(app): Shared,
    Name(customer_id): Name,
    caller: Caller,
    At(now): At,
    Body(preferences): Body<Preferences>,
) -> Answer<Json<Data<CustomerPreferences>>> {
    let wanted = Wanted::from(preferences);
    let set = app
        .store
        .set_preferences(&customer_id, &wanted, &caller.name, now);
    if !set.await? {
        return Err(Problem::not_found("customer"));
    }
    let customer = app.store.addressee(&customer_id).await?;
    let suppressed = app.store.suppression_of(&customer).await?;
    let suppressed = suppressed.as_ref();
    Ok(Data::new(CustomerPreferences::new(&wanted, suppressed)))
}
