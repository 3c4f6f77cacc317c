//! What tests stand on: orders made short, a saga without a state machine, and the local stack.

pub mod calendar;
pub mod failed;
pub mod lambda;
pub mod memory;
pub mod plain;
pub mod policies;
pub mod reading;
pub mod stack;
pub mod wait;

use std::path::PathBuf;

use domain::catalog::Policy;
use domain::order::{Draft, Line, TotalPolicy};
use domain::progress::Progress;
use domain::{Batch, Contact, Fault, Order};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use ordermill::verify::{Books, Report};
use pay::Terms;
use payments::{ApprovalRate, Gateway, Simulated};
use rust_decimal::Decimal;
use store::contacts::{ContactDate, DatedContact};
use store::products::{Catalog, Listing};
use store::{Engine, Moment, Store};
use tokio::net::TcpListener;

/// What makes requests. It needs to be told whose cryptography it uses, though it calls this machine only.
pub fn http() -> reqwest::Client {
    let _installed = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

/// A port that is held from now on, and the URL that leads there.
pub async fn listening() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    (listener, format!("http://{address}"))
}

/// A file of the checkout.
pub fn file(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(path)
}

pub fn read(path: &str) -> Vec<u8> {
    std::fs::read(file(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

pub fn moment() -> Moment {
    Moment {
        now: now(),
        zone: TimeZone::UTC,
    }
}

/// The terms of payments: an hour may be taken for one.
pub fn terms() -> Terms {
    Terms {
        now: now(),
        time_limit: jiff::SignedDuration::from_hours(1),
        remaining: std::time::Duration::from_secs(20),
    }
}

pub fn now() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().expect("an instant")
}

/// An order of the lines `(sku, units)`, at 9.99 a unit.
pub fn order(row: u64, order_id: &str, lines: &[(&str, u32)]) -> Order {
    let line = |&(sku, quantity): &(&str, u32)| Line {
        sku: sku.to_owned(),
        quantity,
        unit_price: Decimal::new(999, 2),
    };
    let draft = Draft {
        order_id: order_id.to_owned(),
        row,
        customer_id: format!("C-{}", row % 7),
        currency: "USD".parse().expect("a currency"),
        declared_total: None,
        lines: lines.iter().map(line).collect(),
        priced_by_catalog: false,
        ordered_at: None,
    };
    Order::new(draft, TotalPolicy::Declared).expect("a valid order")
}

pub fn batch(import_id: &str, number: u32, orders: Vec<Order>) -> Batch {
    Batch {
        batch_id: domain::ids::batch_id(import_id, number),
        import_id: import_id.to_owned(),
        orders,
        review: None,
        seen: false,
        paid: Vec::new(),
        failed: Vec::new(),
        uploaded_at: None,
        contacts: Vec::new(),
        earlier_contacts: Vec::new(),
    }
}

/// Contact data that is older than any file's.
pub fn undated(contact: Contact) -> DatedContact {
    DatedContact {
        contact,
        date: ContactDate::unknown(),
    }
}

pub async fn stock<E: Engine>(store: &Store<E>, products: &[(&str, u64)]) {
    for (sku, stock) in products {
        let listing = Listing {
            sku: (*sku).to_owned(),
            name: format!("Product {sku}"),
            price: Decimal::new(999, 2),
            currency: "USD".parse().expect("a currency"),
            stock: *stock,
        };
        store
            .list_product(&listing, &catalog_file("cl_stock", 0, Policy::Set))
            .await
            .expect("a catalog that loads");
    }
}

/// A catalog file that was uploaded so many seconds after the others.
pub fn catalog_file(catalog_id: &str, seconds: i64, policy: Policy) -> Catalog {
    Catalog {
        catalog_id: catalog_id.to_owned(),
        uploaded_at: now() + jiff::SignedDuration::from_secs(seconds),
        policy,
    }
}

/// A gateway that approves this share.
pub fn approving(rate: &str) -> Simulated {
    Simulated::new(rate.parse::<ApprovalRate>().expect("a rate"))
}

/// The saga as the state machine runs it, without a state machine: a step that fails fails the whole.
pub async fn saga<E: Engine>(
    store: &Store<E>,
    gateway: &impl Gateway,
    batch: &Batch,
) -> Result<(), Fault> {
    let reserved = reserve::handle(store, batch.clone(), &moment()).await?;
    if reserved.orders.is_empty() && reserved.paid.is_empty() && reserved.failed.is_empty() {
        return Ok(());
    }
    let charged = pay::handle(store, gateway, reserved, terms()).await?;
    let open = charged.open.clone();
    if !charged.paid.is_empty() {
        finalize::handle(store, charged.clone(), &moment()).await?;
    }
    if !charged.refused.is_empty() {
        rollback::handle(store, charged, &moment()).await?;
    }
    match open {
        Some(open) if open.fault == "Transient" => Err(Fault::Transient(open.reason)),
        Some(open) => Err(Fault::Corrupt(open.reason)),
        None => Ok(()),
    }
}

/// More than anything takes in memory.
pub const TIME: std::time::Duration = std::time::Duration::from_secs(3_600);

/// Enters the whole journal in the figures, as `tally` does with what the stream brings.
pub async fn tally<E: Engine>(store: &Store<E>) {
    let mut entries = Vec::new();
    let each = |entry: Result<_, _>| entries.push(entry.expect("an entry that can be read"));
    store.each_entry(each).await.expect("the journal");
    for entries in entries.chunks(100) {
        let answers = store.enter(entries, &TimeZone::UTC, now(), TIME).await;
        let answers: Result<Vec<()>, Fault> = answers.expect("answers").into_iter().collect();
        answers.expect("entries that can be entered");
    }
}

/// What became of the orders of an import, where no stack adds it up.
pub async fn settled<E: Engine>(store: &Store<E>, import_id: &str) -> Progress {
    tally(store).await;
    store.settled(import_id).await.expect("an answer")
}

/// Verifies, where no stack adds the figures up.
pub async fn tally_and_verify<E: Engine>(store: &Store<E>) -> Report {
    tally(store).await;
    verify(store).await
}

pub async fn verify<E: Engine>(store: &Store<E>) -> Report {
    Books::load(store, &TimeZone::UTC)
        .await
        .expect("books that can be read")
        .verify(Timestamp::now())
}

/// Drift that has nothing to do with imports or the clock, for tests that have no import and a clock of their own.
pub fn drift(report: &Report) -> Vec<&String> {
    report
        .checks
        .iter()
        .filter(|check| !["imports", "stuck"].contains(&check.name))
        .flat_map(|check| &check.drift)
        .collect()
}
