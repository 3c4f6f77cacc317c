//! Orders: one that comes by itself, and what people do about those that are completed.

use api::money::{Amount, CurrencyCode, count};
use api::views::{Order, Refund, segment};
use api::{Answer, At, Body, Caller, Code, Data, Filled, IdempotencyKey, Name, Problem, link};
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::{Contact, Currency, Fault, ids};
use edge::refunds;
use intake::{Reader, Row, Settings, Step};
use serde::{Deserialize, Serialize};
use store::Moment;
use store::lifecycle::{Asked, Changed, Refused};
use store::orders::OrderRecord;
use utoipa::ToSchema;

use crate::outside::Stored;
use crate::refunds::replayed;
use crate::{App, Shared};

/// An order as a row of a file says it, under the same rules. Its fields are the columns of files.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOrder {
    /// Without it, and only then, the Idempotency-Key names the order.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 128)]
    order_id: Option<Filled>,
    #[schema(value_type = String, min_length = 1, max_length = 128)]
    customer_id: Filled,
    #[schema(max_length = 512)]
    customer_name: Option<String>,
    #[schema(max_length = 512)]
    customer_email: Option<String>,
    #[schema(max_length = 512)]
    customer_phone: Option<String>,
    #[schema(max_length = 512)]
    address: Option<String>,
    /// That of the stack by default.
    #[schema(value_type = Option<CurrencyCode>)]
    currency: Option<Currency>,
    /// What the customer is charged; the sum of the items by default.
    total: Option<Amount>,
    /// A day, with or without a time.
    #[schema(example = "2026-03-01", max_length = 64)]
    order_date: Option<String>,
    #[schema(min_items = 1, max_items = 90)]
    items: Vec<NewItem>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewItem {
    #[schema(min_length = 1, max_length = 128)]
    sku: String,
    #[serde(deserialize_with = "count")]
    #[schema(minimum = 1, maximum = 1000000)]
    quantity: u32,
    /// The catalog's, where no item has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    unit_price: Option<Amount>,
}

/// An order on its way.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Accepted {
    order_id: String,
    /// Where the order is found once it is on record, which it is in a moment.
    url: String,
    import_id: String,
    /// Where it is told how far it is, and why where it is not taken.
    import_url: String,
}

/// Take in one order.
///
/// It is read as a row of a file is, and goes the same way. An order has one name, by which a repetition is known: its
/// `order_id`, or, where it has none, the `Idempotency-Key` of its caller. Both together are refused: an order that is sent
/// again under the key and another id would be another order. The same order again is the same order, whether it is on record
/// yet or not: it is told so with `Idempotent-Replayed: true`. Another one is refused.
#[utoipa::path(
    post, path = "/orders", tag = "orders", operation_id = "new_order",
    params(("Idempotency-Key" = Option<String>, Header)),
    request_body = NewOrder,
    responses(
        (status = 202, description = "On its way", body = Data<Accepted>),
        (status = 409, description = "Another order has this `order_id`"),
        (status = 422, description = "A row of a file would be rejected for this: the detail begins with its code; or an id and a key; or a key that was used for another order"),
    ),
    security(("token" = ["import"]))
)]
pub async fn new(
    State(app): Shared,
    caller: Caller,
    key: Option<IdempotencyKey>,
    Body(mut order): Body<NewOrder>,
) -> Answer<Response> {
    let (order_id, another) = match (order.order_id.take(), key) {
        (Some(order_id), None) => (order_id.as_str().to_owned(), id_taken as fn() -> Problem),
        (Some(_), Some(_)) => {
            let detail = "an order that has an order_id is named by it, and by no key";
            let code = Code::Unprocessable;
            return Err(Problem::of_field(code, "Idempotency-Key", detail));
        }
        (None, Some(IdempotencyKey(key))) => {
            let order_id = ids::order_of_request(&caller.name, &key);
            (order_id, Problem::key_reused as fn() -> Problem)
        }
        (None, None) => {
            let detail = "an order without an order_id is named by its Idempotency-Key";
            return Err(Problem::key_missing(detail));
        }
    };
    let file = order.file(&order_id)?;
    let wish = read(&file, app.intake)?;
    // As it will be known: without spaces around it.
    let order_id = wish.order.order_id.clone();
    // Whoever comes second finds the file of whoever came first, from the moment on from which that one will be read.
    let name = ids::short_hash(&[&order_id]);
    let key = format!("{}{name}.csv", domain::progress::SINGLE_ORDERS);
    let (import_id, known) = match app.store.order(&order_id).await? {
        Some(known) => {
            // Files go after a while, and what came in a file of many orders has none of its own.
            let stored = app.outside.stored(&key).await?;
            let stored = stored.map(|stored| read(&stored.file, app.intake));
            let is_beside = stored.transpose()?.is_none_or(|said| said.is_beside(&wish));
            if !is_beside || !known.asks_for(&wish.order) {
                return Err(another());
            }
            (known.import_id, true)
        }
        None => match app.outside.put_new(&key, file).await? {
            Some(version) => (app.outside.import_id(&key, &version), false),
            None => {
                let Some(Stored { version, file }) = app.outside.stored(&key).await? else {
                    let gone = format!("the file {key} was there, and is not");
                    return Err(Fault::Transient(gone).into());
                };
                if !read(&file, app.intake)?.is_asked_for_by(&wish) {
                    return Err(another());
                }
                (app.outside.import_id(&key, &version), true)
            }
        },
    };
    let url = link(&format!("/orders/{}", segment(&order_id)));
    let accepted = Accepted {
        order_id,
        url: url.clone(),
        import_url: link(&format!("/imports/{import_id}")),
        import_id,
    };
    let location = [(header::LOCATION, url)];
    let response = (StatusCode::ACCEPTED, location, Data::new(accepted)).into_response();
    Ok(match known {
        true => replayed(response),
        false => response,
    })
}

fn id_taken() -> Problem {
    let detail = "an order of this name is on record or on its way, and is another one";
    Problem::of_field(Code::AlreadyExists, "order_id", detail)
}

fn unwritable(error: impl std::fmt::Display) -> Problem {
    domain::Fault::Corrupt(format!("an answer could not be written: {error}")).into()
}

impl NewOrder {
    /// A file of one row.
    fn file(self, order_id: &str) -> Answer<Vec<u8>> {
        let items = serde_json::to_string(&self.items).map_err(unwritable)?;
        let cells = [
            ("order_id", Some(order_id.to_owned())),
            ("customer_id", Some(self.customer_id.as_str().to_owned())),
            ("customer_name", self.customer_name),
            ("customer_email", self.customer_email),
            ("customer_phone", self.customer_phone),
            ("address", self.address),
            (
                "currency",
                self.currency.map(|currency| currency.to_string()),
            ),
            ("total", self.total.map(|Amount(total)| total.to_string())),
            ("order_date", self.order_date),
            ("items", Some(items)),
        ];
        let (names, values): (Vec<&str>, Vec<String>) = cells
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .unzip();
        let mut file = csv::Writer::from_writer(Vec::new());
        file.write_record(names).map_err(unwritable)?;
        file.write_record(values).map_err(unwritable)?;
        file.into_inner().map_err(unwritable)
    }
}

/// What a file of one row says.
struct Said {
    order: domain::Order,
    contact: Contact,
}

impl Said {
    /// Whether it is the same but for what is charged.
    fn is_beside(&self, other: &Said) -> bool {
        let (one, other_one) = (&self.order, &other.order);
        one.order_id == other_one.order_id
            && one.ordered_at == other_one.ordered_at
            && self.contact == other.contact
    }

    fn is_asked_for_by(&self, other: &Said) -> bool {
        let kept = &self.order;
        let is_kept = other
            .order
            .is_kept_as(kept.currency, kept.total, &kept.lines);
        is_kept && self.is_beside(other)
    }
}

/// By the reader that will read it again.
fn read(file: &[u8], settings: Settings) -> Answer<Said> {
    let refused =
        |what: &dyn std::fmt::Display| Problem::new(Code::Unprocessable, what.to_string());
    let mut reader = Reader::new(settings, None);
    reader.push(file);
    reader.end();
    let mut rows = Vec::new();
    while let Step::Row = reader.step(&mut rows).map_err(|error| refused(&error))? {}
    match rows.pop() {
        Some(Row::Order { order, contact, .. }) => Ok(Said { order, contact }),
        Some(Row::Reject(reject)) => {
            let detail = format!("{}: {}", reject.code.as_str(), reject.message);
            let code = Code::Unprocessable;
            Err(match reject.column.as_str() {
                "" => Problem::new(code, detail),
                column => Problem::of_field(code, column, detail),
            })
        }
        None => Err(refused(&"this is no order")),
    }
}

/// Why something is done. All of it can be left out.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Why {
    #[schema(min_length = 1, max_length = 512)]
    reason: Option<String>,
}

/// An order that was cancelled, and the refund of what was left of it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct CancelledOrder {
    #[serde(flatten)]
    order: Order,
    /// Nothing, where nothing was left.
    refund: Option<Refund>,
}

/// The order has left the house.
#[utoipa::path(
    post, path = "/orders/{order_id}/ship", tag = "orders", operation_id = "ship_order",
    params(("order_id" = String, Path)), request_body = Option<Why>,
    responses(
        (status = 200, description = "Shipped, now or before", body = Data<Order>),
        (status = 404, description = "No such order"),
        (status = 409, description = "It is not completed, or it is cancelled"),
    ),
    security(("token" = ["operate"]))
)]
pub async fn ship(
    State(app): Shared,
    Name(order_id): Name,
    caller: Caller,
    At(now): At,
    why: Option<Body<Why>>,
) -> Answer<Json<Data<Order>>> {
    let moment = app.moment(now);
    let changed = app
        .store
        .ship_order(&order_id, &asked(&caller, &why), &moment)
        .await?;
    Ok(Data::new(Order::from(&*changed_order(changed)?)))
}

/// The order has arrived.
#[utoipa::path(
    post, path = "/orders/{order_id}/deliver", tag = "orders", operation_id = "deliver_order",
    params(("order_id" = String, Path)), request_body = Option<Why>,
    responses(
        (status = 200, description = "Delivered, now or before", body = Data<Order>),
        (status = 404, description = "No such order"),
        (status = 409, description = "It was not shipped"),
    ),
    security(("token" = ["operate"]))
)]
pub async fn deliver(
    State(app): Shared,
    Name(order_id): Name,
    caller: Caller,
    At(now): At,
    why: Option<Body<Why>>,
) -> Answer<Json<Data<Order>>> {
    let moment = app.moment(now);
    let changed = app
        .store
        .deliver_order(&order_id, &asked(&caller, &why), &moment)
        .await?;
    Ok(Data::new(Order::from(&*changed_order(changed)?)))
}

/// Cancel an order that was not shipped: what is left of it is refunded, and its units can be sold again.
#[utoipa::path(
    post, path = "/orders/{order_id}/cancel", tag = "orders", operation_id = "cancel_order",
    params(("order_id" = String, Path)), request_body = Option<Why>,
    responses(
        (status = 200, description = "Cancelled, now or before", body = Data<CancelledOrder>),
        (status = 404, description = "No such order"),
        (status = 409, description = "It is not completed, or was shipped, or a refund is on its way"),
    ),
    security(("token" = ["refund"]))
)]
pub async fn cancel(
    State(app): Shared,
    Name(order_id): Name,
    caller: Caller,
    At(now): At,
    why: Option<Body<Why>>,
) -> Answer<Json<Data<CancelledOrder>>> {
    let moment = app.moment(now);
    let asked = asked(&caller, &why);
    let cancelled = refunds::cancel_order(&app.store, &app.outside, &order_id, &asked, &moment);
    let cancelled = cancelled.await?;
    let order = changed_order(cancelled.changed)?;
    Ok(Data::new(CancelledOrder {
        order: Order::from(&*order),
        refund: cancelled.refund.as_ref().map(Refund::now),
    }))
}

/// Who has nothing to say sends no body.
fn asked<'a>(caller: &'a Caller, why: &'a Option<Body<Why>>) -> Asked<'a> {
    Asked {
        requested_by: &caller.name,
        reason: why.as_ref().and_then(|Body(why)| why.reason.as_deref()),
    }
}

fn changed_order(changed: Changed) -> Answer<Box<OrderRecord>> {
    match changed {
        Changed::Done(order) | Changed::Already(order) => Ok(order),
        Changed::NoSuchOrder => Err(Problem::not_found("order")),
        Changed::Refused(refused) => Err(match refused {
            Refused::Invalid { field, why } => Problem::of_field(Code::Unprocessable, field, why),
            Refused::Status(..) | Refused::RefundOnItsWay => {
                Problem::new(Code::WrongState, refused.to_string())
            }
        }),
    }
}

impl App {
    fn moment(&self, now: jiff::Timestamp) -> Moment {
        let zone = self.zone.clone();
        Moment { now, zone }
    }
}
