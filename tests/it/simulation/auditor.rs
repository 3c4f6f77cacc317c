//! Looks at what is stored and at the gateway's ledger, and says which promise was broken. It believes nobody: it reads
//! raw items, and shares no code with what it checks.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use ordermill::gateway::Book;
use rust_decimal::Decimal;
use store::memory::MemoryEngine;
use store::ops::{Item, Key, Value};
use store::schema::Table;

use super::afterwards;
use super::ledger::{self, Money};
use super::orders::{Catalog, OrderFile};
use super::{contacts, repeats};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Promise {
    EverythingEnds,
    RowsAreAccountedFor,
    OrdersKeepTheirRow,
    StockAddsUp,
    StatusesFollowTheGraph,
    NobodyIsChargedTwice,
    FailedOrdersAreNotCharged,
    CompletedOrdersAreCharged,
    TheLedgerIsOurBooks,
    TheJournalIsTheOrders,
    CancelledOrdersGoBack,
    NothingIsCorrupt,
    OrdersFailForAReason,
    AmountsAreThoseOfTheFile,
    FiguresAreTheJournal,
    ImportsEndOnce,
    ImportsEndLast,
    EverythingIsToldOnce,
    RepeatsAreToldApart,
    ContactsAreOfOrders,
    AddressesAreFound,
    NotificationsAreCounted,
    SmallWorkWaitsForNoBulk,
}

pub type Violations = Vec<(Promise, String)>;

/// What an order may be that was completed.
pub const COMPLETED: [&str; 4] = ["COMPLETED", "SHIPPED", "DELIVERED", "CANCELLED"];

/// Looks at every write in the moment in which it happens.
pub struct Auditor {
    violations: Arc<Mutex<Violations>>,
}

impl Auditor {
    pub fn watch(memory: &MemoryEngine, book: Arc<Mutex<Book>>) -> Auditor {
        let violations = Arc::new(Mutex::new(Vec::new()));
        let found = violations.clone();
        memory.watch(move |key, before, after| {
            let mut found = found.lock().expect("the violations");
            match key.table {
                Table::Products => stock(key, after, &mut found),
                Table::Orders => order(
                    key,
                    before,
                    after,
                    &book.lock().expect("the books"),
                    &mut found,
                ),
                Table::Journal if before.is_some() => {
                    found.push((
                        Promise::TheJournalIsTheOrders,
                        format!("the entry {key:?} was changed"),
                    ));
                }
                _ => {}
            }
        });
        Auditor { violations }
    }

    /// Everything that was found, in the end.
    pub fn conclude(
        self,
        memory: &MemoryEngine,
        book: &Book,
        files: &[OrderFile],
        uploads: &BTreeMap<String, Timestamp>,
        catalog: &Catalog,
    ) -> Violations {
        let mut found = std::mem::take(&mut *self.violations.lock().expect("the violations"));
        let orders: BTreeMap<String, Item> = memory
            .items(Table::Orders)
            .into_iter()
            .map(|order| (text(&order, "order_id"), order))
            .collect();
        rows(memory, &orders, files, &mut found);
        repeats::check(memory, &orders, files, &mut found);
        contacts::check(memory, &orders, files, uploads, &mut found);
        units(memory, &orders, files, catalog, &mut found);
        ledger::check(&orders, book, &mut found);
        journal(memory, &orders, &mut found);
        afterwards::check(memory, &orders, &mut found);
        found
    }
}

fn stock(key: &Key, product: &Item, found: &mut Violations) {
    let units = |name: &str| number(product, name);
    let (stocked, available, reserved, sold) = (
        units("stocked"),
        units("available"),
        units("reserved"),
        units("sold"),
    );
    let negative = [stocked, available, reserved, sold]
        .iter()
        .any(|units| units.is_sign_negative() && !units.is_zero());
    if negative || stocked != available + reserved + sold {
        found.push((
            Promise::StockAddsUp,
            format!(
                "{}: {stocked} stocked, {available} available, {reserved} reserved, {sold} sold",
                key.partition
            ),
        ));
    }
}

fn order(key: &Key, before: Option<&Item>, after: &Item, book: &Book, found: &mut Violations) {
    let id = &key.partition;
    let (from, to) = (
        before.map(|before| text(before, "status")),
        text(after, "status"),
    );
    let steps: &[(&str, &str)] = &[
        ("RESERVED", "PAYMENT_PENDING"),
        ("RESERVED", "PAID"),
        ("RESERVED", "FAILED"),
        ("PAYMENT_PENDING", "PAID"),
        ("PAYMENT_PENDING", "FAILED"),
        ("PAID", "COMPLETED"),
        ("COMPLETED", "SHIPPED"),
        ("SHIPPED", "DELIVERED"),
        ("COMPLETED", "CANCELLED"),
    ];
    let allowed = match from.as_deref() {
        None => ["RESERVED", "FAILED"].contains(&to.as_str()),
        Some(from) => from == to || steps.contains(&(from, &to)),
    };
    if let Some(before) = before
        && [
            "import_id",
            "row",
            "customer_id",
            "currency",
            "total",
            "lines",
            "created_at",
        ]
        .iter()
        .any(|name| before.get(*name) != after.get(*name))
    {
        found.push((
            Promise::OrdersKeepTheirRow,
            format!("{id} was written over"),
        ));
    } else if !allowed {
        found.push((
            Promise::StatusesFollowTheGraph,
            format!("{id} went from {from:?} to {to}"),
        ));
    }
    let taken = Money::of(book, id).taken;
    if (to == "PAID" || COMPLETED.contains(&to.as_str()))
        && taken.is_zero()
        && !number_of(after, "total").is_zero()
    {
        found.push((
            Promise::CompletedOrdersAreCharged,
            format!("{id} is {to}, and nothing is captured for it"),
        ));
    }
}

/// Every row is an order that ended, a duplicate or a conflict that was counted, or no order at all.
fn rows(
    memory: &MemoryEngine,
    orders: &BTreeMap<String, Item>,
    files: &[OrderFile],
    found: &mut Violations,
) {
    let mut lost = |what: String| found.push((Promise::RowsAreAccountedFor, what));
    let journal = memory.items(Table::Journal);
    let imports = memory.items(Table::Imports);
    let mut of_a_row = 0;
    let mut amounts = Vec::new();
    for file in files {
        let id = &file.import_id;
        let import = imports
            .iter()
            .find(|import| text(import, "import_id") == *id);
        let Some(import) = import else {
            lost(format!("{id} was never begun"));
            continue;
        };
        let rejected = file
            .rows
            .iter()
            .filter(|row| row.order_id.is_none())
            .count();
        let expected = (
            Decimal::from(file.rows.len()),
            Decimal::from(rejected),
            "SENT".to_owned(),
        );
        let said = (
            number(import, "rows"),
            number(import, "rejected"),
            text(import, "stage"),
        );
        if said != expected {
            lost(format!(
                "{id} says {said:?} of its rows, and has {expected:?}"
            ));
        }
        let mut duplicates = 0;
        for row in &file.rows {
            let Some(order_id) = &row.order_id else {
                continue;
            };
            match orders.get(order_id) {
                None => lost(format!(
                    "row {} of {id}: {order_id} is not there",
                    row.number
                )),
                Some(order)
                    if text(order, "import_id") == *id
                        && number(order, "row") == Decimal::from(row.number) =>
                {
                    of_a_row += 1;
                    let (total, failure) = (number_of(order, "total"), text(order, "failure"));
                    if total != row.total && failure != "unknown_product" {
                        amounts.push(format!(
                            "{order_id} costs {total}, and {} in its file",
                            row.total
                        ));
                    }
                    let status = text(order, "status");
                    if status != "FAILED" && !COMPLETED.contains(&status.as_str()) {
                        lost(format!(
                            "row {} of {id}: {order_id} is {}",
                            row.number,
                            text(order, "status")
                        ));
                    }
                }
                Some(_) => duplicates += 1,
            }
        }
        let entries = journal
            .iter()
            .filter(|entry| text(entry, "import_id") == *id);
        let counted = entries.map(|entry| number(entry, "duplicates") + conflicts(entry));
        let counted: Decimal = counted.sum();
        if counted != Decimal::from(duplicates) {
            lost(format!(
                "{id} has {duplicates} duplicates and conflicts, and {counted} are counted"
            ));
        }
    }
    if of_a_row != orders.len() {
        lost(format!("{} orders are of {of_a_row} rows", orders.len()));
    }
    let amounts = amounts
        .into_iter()
        .map(|what| (Promise::AmountsAreThoseOfTheFile, what));
    found.extend(amounts);
}

/// What lies in the warehouse is what the catalogs said, and what was sold is what was ordered.
fn units(
    memory: &MemoryEngine,
    orders: &BTreeMap<String, Item>,
    files: &[OrderFile],
    catalog: &Catalog,
    found: &mut Violations,
) {
    let mut sold: HashMap<&str, u64> = HashMap::new();
    let back = afterwards::came_back(memory, orders);
    for file in files {
        for row in &file.rows {
            let order = row.order_id.as_ref().and_then(|id| orders.get(id));
            let its = order.filter(|order| {
                text(order, "import_id") == file.import_id
                    && number(order, "row") == Decimal::from(row.number)
            });
            let Some(order) = its else { continue };
            if COMPLETED.contains(&text(order, "status").as_str()) {
                let back = back.get(&text(order, "order_id")).copied();
                *sold.entry(&row.sku).or_default() += row.units - back.unwrap_or_default();
            }
        }
    }
    for product in memory.items(Table::Products) {
        let sku = text(&product, "sku");
        let expected = (
            Decimal::from(catalog.stocked.get(&sku).copied().unwrap_or_default()),
            Decimal::ZERO,
            Decimal::from(sold.get(sku.as_str()).copied().unwrap_or_default()),
        );
        let kept = (
            number(&product, "stocked"),
            number(&product, "reserved"),
            number(&product, "sold"),
        );
        if kept != expected {
            found.push((
                Promise::StockAddsUp,
                format!("{sku}: stocked, reserved, sold are {kept:?}, and should be {expected:?}"),
            ));
        }
    }
}

/// Each order that ended is in the journal once, and says the same there.
fn journal(memory: &MemoryEngine, orders: &BTreeMap<String, Item>, found: &mut Violations) {
    let mut said: HashMap<String, Vec<(bool, Decimal, String)>> = HashMap::new();
    let mut refunded: HashMap<String, Decimal> = HashMap::new();
    for entry in memory.items(Table::Journal) {
        let changes: serde_json::Value =
            serde_json::from_str(&text(&entry, "changes")).expect("changes");
        for change in changes.as_array().expect("changes") {
            let total: Decimal = change["t"]
                .as_str()
                .expect("a total")
                .parse()
                .expect("a decimal");
            let failure = change["f"].as_str().unwrap_or_default().to_owned();
            let id = change["o"].as_str().expect("an order").to_owned();
            if change["s"].is_object() {
                continue;
            }
            if change["r"].is_string() {
                *refunded.entry(id).or_default() += total;
                continue;
            }
            said.entry(id)
                .or_default()
                .push((failure.is_empty(), total, failure));
        }
    }
    for (id, order) in orders {
        let expected = match text(order, "status").as_str() {
            status if COMPLETED.contains(&status) => {
                vec![(true, number_of(order, "total"), String::new())]
            }
            "FAILED" => vec![(false, number_of(order, "total"), text(order, "failure"))],
            _ => Vec::new(),
        };
        let expected = (expected, number_of(order, "refunded"));
        let said = (
            said.remove(id).unwrap_or_default(),
            refunded.remove(id).unwrap_or_default(),
        );
        if said != expected {
            found.push((
                Promise::TheJournalIsTheOrders,
                format!("{id} is {expected:?}, and the journal says {said:?}"),
            ));
        }
    }
    let refunded = refunded.into_iter();
    said.extend(refunded.map(|(id, sum)| (id, vec![(true, sum, "refunded".to_owned())])));
    for (id, changes) in said {
        found.push((
            Promise::TheJournalIsTheOrders,
            format!("the journal says {changes:?} of {id}, that is not there"),
        ));
    }
}

/// Rows that an entry counts as conflicts.
pub fn conflicts(entry: &Item) -> Decimal {
    Decimal::from(u8::from(entry.contains_key("conflict")))
}

pub fn text(item: &Item, name: &str) -> String {
    match item.get(name) {
        Some(Value::S(text)) => text.clone(),
        _ => String::new(),
    }
}

pub fn number(item: &Item, name: &str) -> Decimal {
    match item.get(name) {
        Some(Value::N(digits)) => digits.parse().expect("a number"),
        _ => Decimal::ZERO,
    }
}

/// An amount, that is kept as text.
pub fn number_of(item: &Item, name: &str) -> Decimal {
    text(item, name).parse().unwrap_or_default()
}
