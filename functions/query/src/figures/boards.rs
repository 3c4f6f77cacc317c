//! Who spent most, what is sold most, and where somebody stands.

use api::money::{CurrencyCode, Number};
use api::{Answer, At, Data, Name, Params, Problem};
use axum::Json;
use axum::extract::State;
use domain::tally::Book;
use domain::{Currency, Day, Fault};
use futures::try_join;
use jiff::civil::Date;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use store::tallies::Board;
use utoipa::{IntoParams, ToSchema};

use super::kpis::{Daily, InCurrency, OfDay};
use crate::{App, Shared};

/// Rows of a board that has no limit of its own.
const FEW: usize = 10;

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct CustomerRow {
    /// Equal ones share it: 1, 2, 2, 4.
    rank: u64,
    customer_id: String,
    customer_name: Option<String>,
    order_count: u64,
    /// What was spent, and did not go back.
    total_spent: Number,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ProductRow {
    /// Equal ones share it: 1, 2, 2, 4.
    rank: u64,
    product_sku: String,
    product_name: Option<String>,
    total_quantity: i64,
    total_revenue: Number,
    /// Orders that it is in.
    order_count: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Boards {
    #[schema(value_type = CurrencyCode)]
    currency: Currency,
    customers: Vec<CustomerRow>,
    products: Vec<ProductRow>,
}

/// How many rows.
#[derive(Debug, Clone, Copy)]
struct Rows(u16);

impl Default for Rows {
    fn default() -> Rows {
        Rows(10)
    }
}

impl<'de> Deserialize<'de> for Rows {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Rows, D::Error> {
        let rows = u16::deserialize(deserializer).ok();
        let rows = rows.filter(|rows| (1..=1000).contains(rows));
        let wrong = || Error::custom("a limit is a number from 1 to 1000");
        rows.map(Rows).ok_or_else(wrong)
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Which {
    #[serde(default)]
    #[param(value_type = Option<u16>, minimum = 1, maximum = 1000, default = 10)]
    limit: Rows,
    /// Only what happened on this day of the business; all time by default.
    #[param(value_type = Option<String>, format = Date)]
    date: Option<Day>,
    /// That of the stack by default.
    #[param(value_type = Option<CurrencyCode>)]
    currency: Option<Currency>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Sold {
    #[default]
    Revenue,
    Units,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WhichProducts {
    #[serde(default)]
    #[param(value_type = Option<u16>, minimum = 1, maximum = 1000, default = 10)]
    limit: Rows,
    /// What counts: revenue by default.
    #[serde(default)]
    #[param(inline, required = false)]
    by: Sold,
    /// Only what happened on this day of the business; all time by default.
    #[param(value_type = Option<String>, format = Date)]
    date: Option<Day>,
    /// That of the stack by default.
    #[param(value_type = Option<CurrencyCode>)]
    currency: Option<Currency>,
}

fn book(date: Option<Day>) -> Book {
    date.map_or(Book::AllTime, |Day(date)| Book::Day(date))
}

impl App {
    async fn top_customers(
        &self,
        book: Book,
        currency: Currency,
        limit: usize,
    ) -> Result<Vec<CustomerRow>, Fault> {
        let board = Board::Customers;
        let rows = self.store.named_board(board, book, currency, limit).await?;
        let rows = rows.into_iter().map(|(row, customer_name)| CustomerRow {
            rank: row.rank,
            customer_id: row.id,
            customer_name,
            order_count: row.orders,
            total_spent: Number::new(row.amount, currency),
        });
        Ok(rows.collect())
    }

    async fn top_products(
        &self,
        board: Board,
        book: Book,
        currency: Currency,
        limit: usize,
    ) -> Result<Vec<ProductRow>, Fault> {
        let rows = self.store.named_board(board, book, currency, limit).await?;
        let rows = rows.into_iter().map(|(row, product_name)| ProductRow {
            rank: row.rank,
            product_sku: row.id,
            product_name,
            total_quantity: row.units,
            total_revenue: Number::new(row.amount, currency),
            order_count: row.orders,
        });
        Ok(rows.collect())
    }
}

/// The first ten customers and the first ten products of all time.
#[utoipa::path(
    get, path = "/leaderboard", tag = "figures", operation_id = "leaderboard", params(InCurrency),
    responses((status = 200, description = "Both boards", body = Data<Boards>)),
    security(("token" = ["read"]))
)]
pub async fn both(
    State(app): Shared,
    Params(params): Params<InCurrency>,
) -> Answer<Json<Data<Boards>>> {
    let currency = params.currency.unwrap_or(app.currency);
    let (customers, products) = try_join!(
        app.top_customers(Book::AllTime, currency, FEW),
        app.top_products(Board::ProductsByRevenue, Book::AllTime, currency, FEW),
    )?;
    Ok(Data::new(Boards {
        currency,
        customers,
        products,
    }))
}

/// Customers by what they spent.
#[utoipa::path(
    get, path = "/leaderboard/customers", tag = "figures", operation_id = "leaderboard_customers", params(Which),
    responses((status = 200, description = "The first ones", body = Data<Vec<CustomerRow>>)),
    security(("token" = ["read"]))
)]
pub async fn customers(
    State(app): Shared,
    Params(params): Params<Which>,
) -> Answer<Json<Data<Vec<CustomerRow>>>> {
    let currency = params.currency.unwrap_or(app.currency);
    let limit = usize::from(params.limit.0);
    let rows = app
        .top_customers(book(params.date), currency, limit)
        .await?;
    Ok(Data::new(rows))
}

/// Products by what they brought, or by how many were sold.
#[utoipa::path(
    get, path = "/leaderboard/products", tag = "figures", operation_id = "leaderboard_products", params(WhichProducts),
    responses((status = 200, description = "The first ones", body = Data<Vec<ProductRow>>)),
    security(("token" = ["read"]))
)]
pub async fn products(
    State(app): Shared,
    Params(params): Params<WhichProducts>,
) -> Answer<Json<Data<Vec<ProductRow>>>> {
    let currency = params.currency.unwrap_or(app.currency);
    let board = match params.by {
        Sold::Revenue => Board::ProductsByRevenue,
        Sold::Units => Board::ProductsByUnits,
    };
    let limit = usize::from(params.limit.0);
    let rows = app.top_products(board, book(params.date), currency, limit);
    Ok(Data::new(rows.await?))
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct CustomerRank {
    customer_id: String,
    customer_name: Option<String>,
    #[schema(value_type = CurrencyCode)]
    currency: Currency,
    rank: u64,
    /// Customers on the board.
    of: u64,
    order_count: u64,
    total_spent: Number,
}

/// Where a customer stands among all of them.
#[utoipa::path(
    get, path = "/leaderboard/customers/{customer_id}/rank", tag = "figures", operation_id = "customer_rank",
    params(("customer_id" = String, Path), InCurrency),
    responses(
        (status = 200, description = "The rank", body = Data<CustomerRank>),
        (status = 404, description = "They never bought anything in this currency"),
    ),
    security(("token" = ["read"]))
)]
pub async fn rank(
    State(app): Shared,
    Name(customer_id): Name,
    Params(params): Params<InCurrency>,
) -> Answer<Json<Data<CustomerRank>>> {
    let currency = params.currency.unwrap_or(app.currency);
    let (rank, contact) = try_join!(
        app.store.rank(&customer_id, currency),
        app.store.customer(&customer_id),
    )?;
    let rank = rank.ok_or_else(|| Problem::not_found("customer on this board"))?;
    let spend = &rank.customer.spend;
    Ok(Data::new(CustomerRank {
        customer_id,
        customer_name: contact.and_then(|contact| contact.name),
        currency,
        rank: rank.rank,
        of: rank.of,
        order_count: spend.orders,
        total_spent: Number::new(spend.amount, currency),
    }))
}

/// As a client of old reads it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Metrics {
    #[schema(value_type = String, format = Date)]
    date: Date,
    kpi: MetricsKpi,
    /// The first ten customers of the day.
    leaderboard: Vec<MetricsRow>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct MetricsKpi {
    revenue: Number,
    order_count: u64,
    avg_order_value: Number,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct MetricsRow {
    customer_id: String,
    revenue: Number,
}

/// A day in short.
#[utoipa::path(
    get, path = "/metrics", tag = "figures", operation_id = "metrics", params(OfDay),
    responses((status = 200, description = "The day, in one currency", body = Metrics)),
    security(("token" = ["read"]))
)]
pub async fn metrics(
    State(app): Shared,
    At(now): At,
    Params(params): Params<OfDay>,
) -> Answer<Json<Metrics>> {
    let date = match params.date {
        Some(Day(date)) => date,
        None => app.day_of(now).await?,
    };
    let currency = params.currency.unwrap_or(app.currency);
    let (day, rows) = try_join!(
        app.store.day(date),
        app.store
            .board(Board::Customers, Book::Day(date), currency, FEW),
    )?;
    let kpis = Daily::new(&(date, day), currency)?.kpis;
    let rows = rows.into_iter().map(|row| MetricsRow {
        customer_id: row.id,
        revenue: Number::new(row.amount, currency),
    });
    Ok(Json(Metrics {
        date,
        kpi: MetricsKpi {
            revenue: kpis.total_revenue,
            order_count: kpis.order_count,
            avg_order_value: kpis.average_order_value,
        },
        leaderboard: rows.collect(),
    }))
}
