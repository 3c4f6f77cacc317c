//! What to write for a part of a batch, given what refusals have told of it so far. Decides, and does not write.

use std::collections::{HashMap, HashSet};

use domain::journal::{Change, Entry};
use domain::stock::{Known, demand, serve};
use domain::{Batch, Fault, Order, Status};
use store::ops::{Verdict, Write};
use store::orders::{Found, Origin};
use store::products::ProductRecord;
use store::{Moment, journal, orders, products};

use crate::price::Priced;

/// A part of a batch, and all that is known of its orders and products.
pub struct Part<'a> {
    batch: &'a Batch,
    orders: Vec<Priced>,
    found: HashMap<String, Found>,
    stock: HashMap<String, Known>,
}

/// A transaction, and what holds once it is written.
pub struct Plan<'a> {
    pub writes: Vec<Write>,
    /// What each of the first writes is about, in their sequence; the journal's entry comes after them.
    pub subjects: Vec<Subject>,
    pub to_pay: Vec<&'a Order>,
    /// Some orders were on record before.
    pub seen: bool,
    /// Charged by an earlier run.
    pub paid: Vec<&'a Order>,
    /// Failed, and the money that came for them all the same has yet to go back.
    pub failed: Vec<&'a Order>,
    pub duplicates: Vec<&'a Order>,
}

/// The orders of a plan that was written.
pub struct Written {
    pub to_pay: Vec<Order>,
    pub seen: bool,
    pub paid: Vec<Order>,
    pub failed: Vec<Order>,
    pub duplicates: Vec<Order>,
}

pub enum Subject {
    Order(String),
    Product(String),
}

impl Plan<'_> {
    pub fn written(&self) -> Written {
        let own = |orders: &[&Order]| orders.iter().copied().cloned().collect();
        Written {
            to_pay: own(&self.to_pay),
            seen: self.seen,
            paid: own(&self.paid),
            failed: own(&self.failed),
            duplicates: own(&self.duplicates),
        }
    }
}

impl<'a> Part<'a> {
    pub fn new(batch: &'a Batch, orders: Vec<Priced>) -> Part<'a> {
        Part {
            batch,
            orders,
            found: HashMap::new(),
            stock: HashMap::new(),
        }
    }

    pub fn plan(&self, moment: &Moment) -> Result<Plan<'_>, Fault> {
        let (batch_id, import_id) = (self.batch.batch_id.as_str(), self.batch.import_id.as_str());
        let mut plan = Plan {
            writes: Vec::new(),
            subjects: Vec::new(),
            to_pay: Vec::new(),
            seen: false,
            paid: Vec::new(),
            failed: Vec::new(),
            duplicates: Vec::new(),
        };
        let mut new: Vec<&Priced> = Vec::new();
        let mut seen = HashSet::new();
        for priced in &self.orders {
            let order = &priced.order;
            let first = seen.insert(order.order_id.as_str());
            match self.found.get(order.order_id.as_str()) {
                None if first => new.push(priced),
                Some(found)
                    if found.is_from(Origin {
                        import_id,
                        row: order.row,
                    }) =>
                {
                    if !found.asks_for(order) {
                        let (order_id, row) = (&order.order_id, order.row);
                        let reason =
                            format!("row {row} asks for another order {order_id} than before");
                        return Err(Fault::Corrupt(reason));
                    }
                    plan.seen = true;
                    match found.status {
                        Status::Reserved => plan.to_pay.push(order),
                        Status::Paid => plan.paid.push(order),
                        Status::Failed if found.owes() => plan.failed.push(order),
                        // Settled, or waiting for a payment that settles it.
                        _ => {}
                    }
                }
                _ => plan.duplicates.push(order),
            }
        }
        let mut failed = Vec::new();
        let mut served = Vec::new();
        let with_price = new.iter().filter(|priced| priced.refused.is_none());
        let mut verdicts = serve(with_price.map(|priced| &priced.order), &self.stock).into_iter();
        for priced in &new {
            let order = &priced.order;
            let verdict = match priced.refused {
                Some(reason) => Err(reason),
                None => verdicts.next().unwrap_or(Ok(())),
            };
            plan.subjects.push(Subject::Order(order.order_id.clone()));
            plan.writes.push(match verdict {
                Ok(()) => {
                    served.push(order);
                    orders::reserve(batch_id, import_id, order, moment.now)?
                }
                Err(reason) => {
                    failed.push(Change::new(order, Some(reason)));
                    orders::refuse(batch_id, import_id, order, reason, moment.now)?
                }
            });
        }
        for (sku, units) in demand(served.iter().copied()) {
            plan.subjects.push(Subject::Product(sku.to_owned()));
            plan.writes.push(products::take(sku, units)?);
        }
        if let Some(row) = new
            .iter()
            .map(|priced| priced.order.row)
            .min()
            .filter(|_| !failed.is_empty())
        {
            plan.writes.push(journal::append(&Entry::settled(
                "reserve",
                batch_id,
                import_id,
                row,
                failed,
                moment.now,
                &moment.zone,
            ))?);
        }
        plan.to_pay.extend(served);
        plan.to_pay.sort_by_key(|order| order.row);
        Ok(plan)
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
                // It was there when the transaction was refused; without it, there is nothing to learn.
                (Subject::Order(_), None) => {}
                (Subject::Product(sku), None) => {
                    self.stock.insert(sku, Known::Missing);
                }
                (Subject::Product(sku), Some(item)) => {
                    let available = ProductRecord::read(item)?.available;
                    self.stock.insert(sku, Known::Available(available));
                }
            }
        }
        Ok(())
    }

    /// The catalog may ask for something else by now. What an order was priced at when it was put on record holds.
    fn keep_prices(&mut self, order_id: &str, found: &Found) {
        let import_id = &self.batch.import_id;
        for priced in &mut self.orders {
            let order = &priced.order;
            let row = order.row;
            let own = order.order_id == order_id && found.is_from(Origin { import_id, row });
            let asked = Order {
                prices: priced.prices,
                ..order.clone()
            };
            if own && let Some(order) = found.as_priced(&asked) {
                priced.order = order;
            }
        }
    }
}
