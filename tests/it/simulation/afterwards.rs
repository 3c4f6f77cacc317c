//! The auditor's eye on orders that were completed: what came back of them is what refunds and cancellations say, and what
//! was done with them stands in the journal once.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use store::memory::MemoryEngine;
use store::ops::{Item, Value};
use store::schema::Table;

use super::auditor::{Promise, Violations, number, number_of, text};
use super::chance::Counts;

/// What the refunds of one order come to.
#[derive(Debug, Default)]
struct Refunds {
    open: Decimal,
    completed: Decimal,
    failed: bool,
    /// Units that came back by those that are completed, and can be sold again, or cannot.
    restocked: u64,
    unstocked: u64,
}

fn refunds(memory: &MemoryEngine) -> BTreeMap<String, Refunds> {
    let mut orders: BTreeMap<String, Refunds> = BTreeMap::new();
    for refund in memory.items(Table::Refunds) {
        let sum = orders.entry(text(&refund, "order_id")).or_default();
        let amount = number_of(&refund, "amount");
        match text(&refund, "status").as_str() {
            "PENDING" | "PROCESSING" => sum.open += amount,
            "COMPLETED" => {
                sum.completed += amount;
                for line in list(&refund, "lines") {
                    let units = units(&line, "quantity");
                    match line.get("restock") {
                        Some(Value::Bool(true)) => sum.restocked += units,
                        _ => sum.unstocked += units,
                    }
                }
            }
            _ => sum.failed = true,
        }
    }
    orders
}

/// Units of each order that were sold and are not any more. Orders of a simulation have one line each.
pub fn came_back(memory: &MemoryEngine, orders: &BTreeMap<String, Item>) -> BTreeMap<String, u64> {
    let refunds = refunds(memory);
    let restocked = refunds.iter();
    let restocked = restocked.map(|(id, refunds)| (id.clone(), refunds.restocked));
    let mut back: BTreeMap<String, u64> = restocked.collect();
    for (id, order) in orders {
        if text(order, "status") == "CANCELLED" {
            let lost = refunds.get(id).map_or(0, |refunds| refunds.unstocked);
            back.insert(id.clone(), ordered(order).iter().sum::<u64>() - lost);
        }
    }
    back
}

pub fn check(memory: &MemoryEngine, orders: &BTreeMap<String, Item>, found: &mut Violations) {
    let refunds = refunds(memory);
    let mut told = told(memory);
    for (id, order) in orders {
        let none = Refunds::default();
        let refunds = refunds.get(id).unwrap_or(&none);
        let status = text(order, "status");
        let mut wrong = |what: String| {
            let what = format!("{id} is {status}, and {what}");
            found.push((Promise::CancelledOrdersGoBack, what));
        };
        let (refunding, refunded) = (number_of(order, "refunding"), number_of(order, "refunded"));
        if (refunding, refunded) != (refunds.open, refunds.completed) {
            wrong(format!(
                "says {refunding} and {refunded}, its refunds {refunds:?}"
            ));
        }
        let expected: &[&str] = match status.as_str() {
            "SHIPPED" => &["shipped"],
            "DELIVERED" => &["delivered", "shipped"],
            "CANCELLED" => &["cancelled"],
            _ => &[],
        };
        let mut said = told.remove(id).unwrap_or_default();
        said.sort();
        let kinds: Vec<&str> = said.iter().map(|(kind, _)| kind.as_str()).collect();
        if kinds != expected {
            wrong(format!("the journal says {said:?}"));
        }
        if status != "CANCELLED" {
            continue;
        }
        let ordered = ordered(order);
        let returned = match order.get("returned") {
            Some(Value::L(units)) => units.iter().map(digits).collect(),
            _ => Vec::new(),
        };
        if returned != ordered {
            wrong(format!("{returned:?} of {ordered:?} came back"));
        }
        let left = ordered.iter().sum::<u64>() - refunds.restocked - refunds.unstocked;
        if said.iter().any(|(_, units)| *units != left) {
            wrong(format!("{left} units came back by that, not {said:?}"));
        }
        let rest = number_of(order, "refundable");
        if !rest.is_zero() && !refunds.failed {
            wrong(format!("{rest} of it stayed"));
        }
    }
    for (id, said) in told {
        let what = format!("the journal says {said:?} of {id}, that is not there");
        found.push((Promise::TheJournalIsTheOrders, what));
    }
}

/// What was done with each order, and how many units came back by it.
fn told(memory: &MemoryEngine) -> BTreeMap<String, Vec<(String, u64)>> {
    let mut told: BTreeMap<String, Vec<(String, u64)>> = BTreeMap::new();
    for entry in memory.items(Table::Journal) {
        let changes: serde_json::Value =
            serde_json::from_str(&text(&entry, "changes")).expect("changes");
        for change in changes.as_array().expect("changes") {
            let Some(kind) = change["s"]["k"].as_str() else {
                continue;
            };
            let lines = change["l"].as_array().expect("lines").iter();
            let units = lines.map(|line| line[1].as_u64().expect("units")).sum();
            let id = change["o"].as_str().expect("an order").to_owned();
            told.entry(id).or_default().push((kind.to_owned(), units));
        }
    }
    told
}

/// What happened of all that, for a simulation in which it did not would prove nothing.
pub fn count(memory: &MemoryEngine, counts: &mut Counts) {
    let orders = memory.items(Table::Orders);
    let cancelled = |id: &str| {
        let mut orders = orders.iter();
        orders.any(|order| text(order, "order_id") == id && text(order, "status") == "CANCELLED")
    };
    let mut count = |what| *counts.entry(what).or_default() += 1;
    for refund in memory.items(Table::Refunds) {
        let completed = text(&refund, "status") == "COMPLETED";
        if !completed {
            continue;
        }
        count("refunded");
        if number(&refund, "attempts") > Decimal::ONE {
            count("refunded after it was refused");
        }
        let mut lines = list(&refund, "lines").into_iter();
        if lines.any(|line| line.get("restock") == Some(&Value::Bool(true))) {
            count("restocked");
        }
        if cancelled(&text(&refund, "order_id")) {
            count("refunded, and cancelled");
        }
    }
}

fn ordered(order: &Item) -> Vec<u64> {
    let lines = list(order, "lines").into_iter();
    lines.map(|line| units(&line, "quantity")).collect()
}

fn list(item: &Item, name: &str) -> Vec<BTreeMap<String, Value>> {
    let Some(Value::L(list)) = item.get(name) else {
        return Vec::new();
    };
    let maps = list.iter().filter_map(|value| match value {
        Value::M(map) => Some(map.clone().into_iter().collect()),
        _ => None,
    });
    maps.collect()
}

fn units(line: &BTreeMap<String, Value>, name: &str) -> u64 {
    line.get(name).map_or(0, digits)
}

fn digits(value: &Value) -> u64 {
    match value {
        Value::N(digits) => digits.parse().expect("a number"),
        _ => 0,
    }
}
