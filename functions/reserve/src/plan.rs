//! What to write for a part of a batch, given what refusals have told of it so far. Decides, and does not write.

use std::collections::{BTreeSet, HashMap};

use domain::journal::{Change, Entry};
use domain::stock::{Known, demand, serve};
use domain::{Batch, Fault, Order, Reason, Status};
use store::ops::{Verdict, Write};
use store::orders::{Found, Origin};
use store::products::ProductRecord;
use store::{Moment, journal, orders, products};

use crate::price::Priced;

/// A part of a batch, and all that is known of its orders and products.
pub struct Part<'a> {
    batch: &'a Batch,
    orders: Vec<Priced>,
    /// Orders that exist under these ids.
    found: HashMap<String, Found>,
    stock: HashMap<String, Known>,
    /// Rows whose orders this run stored: with stock, or failed.
    served: BTreeSet<u64>,
    refused: BTreeSet<u64>,
}

/// What to do with the orders of a part.
pub struct Plan<'a> {
    batch: &'a Batch,
    /// To be stored with their stock.
    pub served: Vec<&'a Order>,
    /// To be stored as failed.
    pub refused: Vec<(&'a Order, Reason)>,
    written: Written,
}

/// The orders of a part of which everything is stored.
#[derive(Default)]
pub struct Written {
    pub to_pay: Vec<Order>,
    /// Some orders were stored by an earlier run.
    pub seen: bool,
    /// Charged by an earlier run.
    pub paid: Vec<Order>,
    /// Failed, and the money that came for them all the same has yet to go back.
    pub failed: Vec<Order>,
    pub repeats: Vec<Repeat>,
    /// Rows that became orders.
    pub own_rows: BTreeSet<u64>,
}

/// A row whose order id another row took.
pub enum Repeat {
    /// It states the existing order again.
    Duplicate(Order),
    /// It states other content.
    Conflict(Order),
}

pub struct Transaction {
    pub writes: Vec<Write>,
    /// What each of the writes is about, in their sequence.
    pub subjects: Vec<Subject>,
    /// Rows whose orders it stores.
    rows: BTreeSet<u64>,
    /// Units that it takes out of what is available.
    taken: Vec<(String, u64)>,
}

/// What a write is about.
pub enum Subject {
    Order(String),
    Product(String),
    Entry,
    Contact,
}

impl Transaction {
    fn add(&mut self, subject: Subject, write: Write) {
        self.subjects.push(subject);
        self.writes.push(write);
    }
}

impl Plan<'_> {
    pub fn written(self) -> Written {
        self.written
    }

    /// Stores the served orders and reserves their stock.
    pub fn reservation(&self, moment: &Moment) -> Result<Transaction, Fault> {
        let mut transaction = transaction(self.served.iter().map(|order| order.row));
        for order in &self.served {
            let (batch_id, import_id) = (&self.batch.batch_id, &self.batch.import_id);
            let write = orders::reserve(batch_id, import_id, order, moment.now)?;
            transaction.add(Subject::Order(order.order_id.clone()), write);
        }
        for (sku, units) in demand(self.served.iter().copied()) {
            transaction.add(
                Subject::Product(sku.to_owned()),
                products::take(sku, units)?,
            );
            transaction.taken.push((sku.to_owned(), units));
        }
        Ok(transaction)
    }

    /// Stores the refused orders as failed, with their contact data and their entry.
    pub fn refusal(&self, contacts: Vec<Write>, moment: &Moment) -> Result<Transaction, Fault> {
        let mut transaction = transaction(self.refused.iter().map(|(order, _)| order.row));
        for contact in contacts {
            transaction.add(Subject::Contact, contact);
        }
        let (batch_id, import_id) = (&self.batch.batch_id, &self.batch.import_id);
        let mut changes = Vec::new();
        for (order, reason) in &self.refused {
            let write = orders::refuse(batch_id, import_id, order, *reason, moment.now)?;
            transaction.add(Subject::Order(order.order_id.clone()), write);
            changes.push(Change::new(order, Some(*reason)));
        }
        let row = transaction.rows.first().copied().unwrap_or_default();
        let entry = Entry::settled(
            "reserve",
            batch_id,
            import_id,
            row,
            changes,
            moment.now,
            &moment.zone,
        );
        transaction.add(Subject::Entry, journal::append(&entry)?);
        Ok(transaction)
    }
}

fn transaction(rows: impl Iterator<Item = u64>) -> Transaction {
    Transaction {
        writes: Vec::new(),
        subjects: Vec::new(),
        rows: rows.collect(),
        taken: Vec::new(),
    }
}

impl<'a> Part<'a> {
    pub fn new(batch: &'a Batch, orders: Vec<Priced>) -> Part<'a> {
        Part {
            batch,
            orders,
            found: HashMap::new(),
            stock: HashMap::new(),
            served: BTreeSet::new(),
            refused: BTreeSet::new(),
        }
    }

    pub fn batch_id(&self) -> &str {
        &self.batch.batch_id
    }

    pub fn plan(&self) -> Result<Plan<'_>, Fault> {
        let mut written = Written::default();
        let mut new: Vec<&Priced> = Vec::new();
        let mut firsts: HashMap<&str, &Order> = HashMap::new();
        for priced in &self.orders {
            let order = &priced.order;
            let first = firsts.get(order.order_id.as_str()).copied();
            match self.found.get(&order.order_id) {
                Some(found) if found.is_from(self.origin(order)) => {
                    self.go_on(order, found, &mut written)?;
                }
                Some(found) => {
                    let asked = priced.asked();
                    let is_duplicate = found.is_repeated_by(&asked);
                    written.repeats.push(Repeat::of(asked, is_duplicate));
                }
                None => match first {
                    Some(first) => {
                        let asked = priced.asked();
                        let (customer, lines) = (&first.customer_id, &first.lines);
                        let is_duplicate =
                            asked.repeats(customer, first.currency, first.total, lines);
                        written.repeats.push(Repeat::of(asked, is_duplicate));
                    }
                    None => new.push(priced),
                },
            }
            firsts.entry(&order.order_id).or_insert(order);
        }
        let done = |priced: &&Priced| {
            self.served.contains(&priced.order.row) || self.refused.contains(&priced.order.row)
        };
        let (done, new): (Vec<&Priced>, Vec<&Priced>) = new.into_iter().partition(done);
        for priced in done {
            written.own_rows.insert(priced.order.row);
            if self.served.contains(&priced.order.row) {
                written.to_pay.push(priced.order.clone());
            }
        }
        written.to_pay.sort_by_key(|order| order.row);
        let mut plan = Plan {
            batch: self.batch,
            served: Vec::new(),
            refused: Vec::new(),
            written,
        };
        let with_price = new.iter().filter(|priced| priced.refused.is_none());
        let mut verdicts = serve(with_price.map(|priced| &priced.order), &self.stock).into_iter();
        for priced in new {
            let verdict = match priced.refused {
                Some(reason) => Err(reason),
                None => verdicts.next().unwrap_or(Ok(())),
            };
            match verdict {
                Ok(()) => plan.served.push(&priced.order),
                Err(reason) => plan.refused.push((&priced.order, reason)),
            }
        }
        Ok(plan)
    }

    /// An order of this very row, that an earlier run stored.
    fn go_on(&self, order: &Order, found: &Found, written: &mut Written) -> Result<(), Fault> {
        if !found.asks_for(order) {
            let (order_id, row) = (&order.order_id, order.row);
            let reason = format!("row {row} asks for another order {order_id} than before");
            return Err(Fault::Corrupt(reason));
        }
        written.seen = true;
        written.own_rows.insert(order.row);
        match found.status {
            Status::Reserved => written.to_pay.push(order.clone()),
            Status::Paid => written.paid.push(order.clone()),
            Status::Failed if found.owes() => written.failed.push(order.clone()),
            // Settled, or waiting for a payment that settles it.
            _ => {}
        }
        Ok(())
    }

    fn origin(&self, order: &Order) -> Origin<'_> {
        Origin {
            import_id: &self.batch.import_id,
            row: order.row,
        }
    }

    /// Takes in that a transaction was written.
    pub fn was_written(&mut self, transaction: Transaction) {
        let rows = match transaction.taken.is_empty() {
            true => &mut self.refused,
            false => &mut self.served,
        };
        rows.extend(transaction.rows);
        for (sku, units) in transaction.taken {
            if let Some(Known::Available(available)) = self.stock.get_mut(&sku) {
                *available = available.saturating_sub(units);
            }
        }
    }

    /// Takes in what a refused transaction found. Every refusal that gets here has something to tell.
    pub fn learn(&mut self, subjects: Vec<Subject>, verdicts: Vec<Verdict>) -> Result<(), Fault> {
        for (subject, verdict) in subjects.into_iter().zip(verdicts) {
            let Verdict::Condition(found) = verdict else {
                continue;
            };
            match (subject, found) {
                (Subject::Order(order_id), Some(item)) => {
                    let found = Found::read(item)?;
                    self.keep_prices(&order_id, &found);
                    self.found.insert(order_id, found);
                }
                (Subject::Product(sku), None) => {
                    self.stock.insert(sku, Known::Missing);
                }
                (Subject::Product(sku), Some(item)) => {
                    let available = ProductRecord::read(item)?.available;
                    self.stock.insert(sku, Known::Available(available));
                }
                // An order was there when the transaction was refused; without it, there is nothing to learn. An entry that
                // exists is explained by its orders, and contact data is read anew.
                (Subject::Order(_), None) | (Subject::Entry | Subject::Contact, _) => {}
            }
        }
        Ok(())
    }

    /// The catalog may ask for something else by now. What an order was priced at when it was stored holds.
    fn keep_prices(&mut self, order_id: &str, found: &Found) {
        let import_id = &self.batch.import_id;
        for priced in &mut self.orders {
            let row = priced.order.row;
            let own = priced.order.order_id == order_id && found.is_from(Origin { import_id, row });
            if own && let Some(order) = found.as_priced(&priced.asked()) {
                priced.order = order;
            }
        }
    }
}

impl Repeat {
    fn of(order: Order, is_duplicate: bool) -> Repeat {
        match is_duplicate {
            true => Repeat::Duplicate(order),
            false => Repeat::Conflict(order),
        }
    }
}
