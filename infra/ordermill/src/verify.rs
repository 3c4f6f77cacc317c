//! Recomputes every figure from its source. `load` reads everything once; the checks are pure.
//!
//! Reads are not a snapshot: while orders are on their way, figures move between two reads and drift may be shown that
//! is none. At rest there must be none at all.

mod conflicts;
mod figures;
mod lifecycle;
pub mod notifications;
mod orders;
pub mod payments;
mod recount;
mod refunds;

use std::collections::{BTreeMap, HashMap};

use domain::journal::{Change, Entry, Outcome};
use domain::progress::{ImportStatus, Stage};
use domain::{Fault, Reason, Status};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;
use serde::Serialize;
use store::imports::Import;
use store::journal::Unreadable;
use store::orders::OrderRecord;
use store::products::ProductRecord;
use store::refunds::RefundRecord;
use store::tallies::Live;
use store::{Engine, Store};

/// Nobody who reads a file is silent for minutes, and a saga takes seconds.
const PATIENCE: SignedDuration = SignedDuration::from_mins(20);

#[derive(Debug, Serialize)]
pub struct Report {
    pub balanced: bool,
    /// Rows that are still on their way. While there are any, drift may be movement.
    pub pending: u64,
    pub checks: Vec<Check>,
}

#[derive(Debug, Serialize)]
pub struct Check {
    pub name: &'static str,
    pub checked: u64,
    pub drift: Vec<String>,
    /// What is no drift, and yet to be known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Report {
    /// One more that was made elsewhere.
    pub fn add(&mut self, check: Check) {
        self.balanced &= check.drift.is_empty();
        self.checks.push(check);
    }
}

/// Everything there is.
pub struct Books {
    pub imports: Vec<Import>,
    pub orders: HashMap<String, OrderRecord>,
    pub refunds: BTreeMap<String, RefundRecord>,
    pub products: BTreeMap<String, ProductRecord>,
    pub entries: Vec<Entry>,
    /// Entries that cannot be read.
    pub unreadable: Vec<Unreadable>,
    pub figures: Vec<Live>,
    /// By whose days the figures are counted.
    pub zone: TimeZone,
}

impl Books {
    pub async fn load<E: Engine>(store: &Store<E>, zone: &TimeZone) -> Result<Books, Fault> {
        let mut books = Books::of_nothing(&store.zone_of_figures(zone).await?);
        // The figures first: they are behind the journal, and never ahead of it.
        store
            .each_live_figure(|figure| books.figures.push(figure))
            .await?;
        let mut ids = Vec::new();
        store
            .each_import(|import| ids.push(import.import_id))
            .await?;
        for id in ids {
            books.imports.extend(store.import(&id).await?);
        }
        store
            .each_order(|order| drop(books.orders.insert(order.order_id.clone(), order)))
            .await?;
        store
            .each_refund(|refund| drop(books.refunds.insert(refund.refund_id.clone(), refund)))
            .await?;
        store
            .each_product(|product| drop(books.products.insert(product.sku.clone(), product)))
            .await?;
        store
            .each_entry(|entry| match entry {
                Ok(entry) => books.entries.push(entry),
                Err(unreadable) => books.unreadable.push(unreadable),
            })
            .await?;
        Ok(books)
    }

    fn of_nothing(zone: &TimeZone) -> Books {
        Books {
            imports: Vec::new(),
            orders: HashMap::new(),
            refunds: BTreeMap::new(),
            products: BTreeMap::new(),
            entries: Vec::new(),
            unreadable: Vec::new(),
            figures: Vec::new(),
            zone: zone.clone(),
        }
    }

    /// `now` tells what is on its way from what is stuck.
    pub fn verify(&self, now: Timestamp) -> Report {
        let mut checks = vec![
            self.imports(),
            self.stuck(now),
            self.stock(),
            self.orders(),
            self.refunds(),
            self.journal(),
            conflicts::check(self),
            self.lifecycle(),
        ];
        checks.extend(figures::checks(self));
        Report {
            balanced: checks.iter().all(|check| check.drift.is_empty()),
            pending: self
                .imports
                .iter()
                .filter(|import| import.record.stage != Stage::Failed)
                .filter_map(|import| import.progress.pending())
                .sum(),
            checks,
        }
    }

    /// Rows = rejected + continued + duplicates + conflicts + completed + failed + pending, and the counters are those of the orders.
    fn imports(&self) -> Check {
        let mut settled: HashMap<&str, (u64, u64)> = HashMap::new();
        for order in self.orders.values() {
            let (completed, failed) = settled.entry(&order.import_id).or_default();
            match order.status {
                Status::Failed => *failed += 1,
                Status::Completed | Status::Shipped | Status::Delivered | Status::Cancelled => {
                    *completed += 1
                }
                Status::Reserved | Status::PaymentPending | Status::Paid => {}
            }
        }
        let mut check = Check::new("imports");
        for import in &self.imports {
            let (id, progress) = (&import.record.import_id, import.progress);
            let (completed, failed) = settled.remove(id.as_str()).unwrap_or_default();
            check.expect(progress.pending().is_some(), || {
                format!("{id}: more rows are accounted for than there are: {progress:?}")
            });
            check.expect(progress.completed == completed, || {
                format!(
                    "{id}: {} completed, but {completed} such orders",
                    progress.completed
                )
            });
            let over = import.status() == ImportStatus::Completed;
            let said = import.record.completed_at.is_some() && import.record.running.is_none();
            check.expect(over == said, || {
                let (status, at) = (import.status(), import.record.completed_at);
                format!("{id} is {status}, and its end is on record at {at:?}")
            });
            check.expect(progress.failed == failed, || {
                format!("{id}: {} failed, but {failed} such orders", progress.failed)
            });
            check.checked += 1;
        }
        for (id, (completed, failed)) in settled {
            check.expect(completed + failed == 0, || {
                format!(
                    "{} orders of import {id}, which is not on record",
                    completed + failed
                )
            });
        }
        check
    }

    /// Nothing waits longer than the mill ever takes: a row that is not accounted for by then, or an order that is
    /// neither completed nor failed, is lost or stuck.
    fn stuck(&self, now: Timestamp) -> Check {
        let mut check = Check::new("stuck");
        let late = |since: Timestamp| now.duration_since(since) > PATIENCE;
        // A payment may take its time.
        let mut pending_until: HashMap<&str, Timestamp> = HashMap::new();
        for order in self.orders.values() {
            if let Some(until) = order.pending_until {
                let last = pending_until.entry(&order.import_id).or_insert(until);
                *last = until.max(*last);
            }
        }
        for import in &self.imports {
            let (id, pending) = (
                &import.record.import_id,
                import.progress.pending().unwrap_or_default(),
            );
            let until = pending_until.get(id.as_str());
            let heard = last_heard_of(import).max(until.copied().unwrap_or(Timestamp::MIN));
            let waits = late(heard) && !import.is_over();
            check.expect(!waits, || {
                format!("{id} is {} with {pending} rows pending", import.status())
            });
            check.checked += 1;
        }
        for order in self
            .orders
            .values()
            .filter(|order| order.status.holds_reservation())
        {
            let since = order.pending_until.unwrap_or(order.created_at);
            check.expect(!late(since.max(order.created_at)), || {
                format!(
                    "{} is {} since {}",
                    order.order_id, order.status, order.created_at
                )
            });
            check.checked += 1;
        }
        for refund in self.refunds.values().filter(|one| one.status.is_open()) {
            let RefundRecord {
                refund_id, status, ..
            } = refund;
            let since = refund.open_since();
            check.expect(!late(since), || {
                format!("refund {refund_id} is {status} since {since}")
            });
            check.checked += 1;
        }
        check
    }

    /// The journal says of every settled order once what became of it, what was refunded of it, and of no other order
    /// anything.
    fn journal(&self) -> Check {
        let mut check = Check::new("journal");
        for (name, fault) in &self.unreadable {
            check.drift.push(format!("{name}: {fault}"));
        }
        let mut told: HashMap<&str, u64> = HashMap::new();
        let mut refunded: HashMap<&str, Decimal> = HashMap::new();
        let changes = self.entries.iter();
        let changes =
            changes.flat_map(|entry| entry.changes.iter().map(move |change| (entry, change)));
        for (entry, change) in changes {
            let order = self.orders.get(&change.order_id);
            let agrees = match change.outcome() {
                Outcome::Refunded => {
                    *refunded.entry(&change.order_id).or_default() += change.total;
                    order.is_some_and(|order| order.currency == change.currency)
                }
                // Looked at below, in a check of its own.
                Outcome::Done(_) => continue,
                Outcome::Completed | Outcome::Failed(_) => {
                    *told.entry(&change.order_id).or_default() += 1;
                    order.is_some_and(|order| {
                        agrees(order, change) && order.settled_at == Some(entry.at)
                    })
                }
            };
            check.expect(agrees, || {
                format!(
                    "{}: an entry of {} says {:?} of {} {}, and the order does not",
                    change.order_id,
                    entry.at,
                    change.outcome(),
                    change.total,
                    change.currency
                )
            });
            check.checked += 1;
        }
        for order in self.orders.values() {
            let refunded = refunded
                .get(order.order_id.as_str())
                .copied()
                .unwrap_or_default();
            check.expect(order.refunded == refunded, || {
                format!(
                    "{}: {} is refunded, and {refunded} in the journal",
                    order.order_id, order.refunded
                )
            });
        }
        for order in self.orders.values() {
            let settled = !order.status.holds_reservation();
            let times = told
                .get(order.order_id.as_str())
                .copied()
                .unwrap_or_default();
            check.expect(times == u64::from(settled), || {
                format!(
                    "{} is {} and stands in {times} entries",
                    order.order_id, order.status
                )
            });
        }
        check
    }

    /// How often each reason stands in the journal, over the orders of one import.
    pub fn reasons(&self, import_id: &str) -> BTreeMap<Reason, u64> {
        let mut reasons = BTreeMap::new();
        for order in self
            .orders
            .values()
            .filter(|order| order.import_id == import_id)
        {
            if let Some(reason) = order.failure {
                *reasons.entry(reason).or_default() += 1;
            }
        }
        reasons
    }
}

/// When its file was read to its end, or until when somebody who reads it said to live.
fn last_heard_of(import: &Import) -> Timestamp {
    let record = &import.record;
    let lease_ms = i64::try_from(record.lease_until_ms).unwrap_or_default();
    let lease = Timestamp::from_millisecond(lease_ms).unwrap_or(record.created_at);
    record.read_at.unwrap_or(record.created_at).max(lease)
}

fn agrees(order: &OrderRecord, change: &Change) -> bool {
    let lines = order
        .lines
        .iter()
        .map(|line| (line.sku.clone(), line.quantity, line.unit_price));
    order.customer_id == change.customer_id
        && order.failure == change.failure
        && order.currency == change.currency
        && order.total == change.total
        && lines.eq(change.lines.iter().cloned())
}

impl Check {
    fn new(name: &'static str) -> Check {
        Check {
            name,
            checked: 0,
            drift: Vec::new(),
            note: None,
        }
    }

    fn expect(&mut self, holds: bool, drift: impl FnOnce() -> String) {
        if !holds {
            self.drift.push(drift());
        }
    }
}
