//! Addresses that get no mail any more.

use api::views::Suppression;
use api::{Answer, Data, Name, Page, Paging, Params, Problem};
use axum::Json;
use axum::extract::State;
use store::page::Position;

use crate::Shared;

/// Addresses that get no mail any more, in no particular sequence.
///
/// They bounced or complained, or somebody put them there. A page may have fewer than `limit`, and not be the last.
#[utoipa::path(
    get, path = "/suppressions", tag = "notifications", operation_id = "list_suppressions", params(Paging),
    responses((status = 200, description = "A page", body = Page<Suppression>)),
    security(("token" = ["read"]))
)]
pub async fn list(
    State(app): Shared,
    Params(params): Params<Paging>,
) -> Answer<Json<Page<Suppression>>> {
    let position: Option<Position> = params.cursor.map(|cursor| cursor.read()).transpose()?;
    let listed = app
        .store
        .list_suppressions(params.limit.0, position.as_ref());
    Ok(Page::of(listed.await?, |listed| Suppression::from(&listed)))
}

/// Why an address gets no mail any more.
#[utoipa::path(
    get, path = "/suppressions/{address}", tag = "notifications", operation_id = "suppression",
    params(("address" = String, Path)),
    responses(
        (status = 200, description = "It is on the list", body = Data<Suppression>),
        (status = 404, description = "It is not"),
    ),
    security(("token" = ["read"]))
)]
pub async fn one(State(app): Shared, Name(address): Name) -> Answer<Json<Data<Suppression>>> {
    let found = match address.parse() {
        Ok(address) => app.store.suppression(&address).await?,
        Err(_) => None,
    };
    let found = found.ok_or_else(|| Problem::not_found("suppression"))?;
    Ok(Data::new(Suppression::from(&found)))
}
