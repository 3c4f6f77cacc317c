//! Rows whose order id another row took: those that state the same order are duplicates, all others are conflicts.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use store::memory::MemoryEngine;
use store::ops::{Item, Value};
use store::schema::Table;

use super::auditor::{Promise, Violations, number, number_of, text};
use super::orders::{OrderFile, Row};

pub fn check(
    memory: &MemoryEngine,
    orders: &BTreeMap<String, Item>,
    files: &[OrderFile],
    found: &mut Violations,
) {
    let journal = memory.items(Table::Journal);
    let mut wrong = |what: String| found.push((Promise::RepeatsAreToldApart, what));
    for file in files {
        let id = &file.import_id;
        let entries: Vec<&Item> = journal
            .iter()
            .filter(|entry| text(entry, "import_id") == *id)
            .collect();
        let mut expected = BTreeSet::new();
        let mut duplicates = 0_u64;
        for row in &file.rows {
            let Some(order) = row.order_id.as_ref().and_then(|id| orders.get(id)) else {
                continue;
            };
            let is_own = text(order, "import_id") == *id
                && number(order, "row") == Decimal::from(row.number);
            match is_own {
                true => {}
                false if states_again(row, order) => duplicates += 1,
                false => {
                    expected.insert(row.number);
                }
            }
        }
        let counted: Decimal = entries
            .iter()
            .map(|entry| number(entry, "duplicates"))
            .sum();
        if counted != Decimal::from(duplicates) {
            wrong(format!(
                "{id} has {duplicates} duplicates, and {counted} are counted"
            ));
        }
        let mut stated = BTreeSet::new();
        for conflict in entries.iter().map(|entry| text(entry, "conflict")) {
            let Ok(conflict) = serde_json::from_str::<serde_json::Value>(&conflict) else {
                continue;
            };
            let number = conflict["row"].as_u64().unwrap_or_default();
            let row = file.rows.iter().find(|row| row.number == number);
            if !row.is_some_and(|row| is_content(&conflict, row)) {
                wrong(format!(
                    "{id} has a conflict that no row states: {conflict}"
                ));
            }
            if !stated.insert(number) {
                wrong(format!("row {number} of {id} is a conflict twice"));
            }
        }
        if stated != expected {
            wrong(format!(
                "{id} has conflicts in the rows {expected:?}, and {stated:?} are kept"
            ));
        }
    }
}

/// A row that states no price takes that of the existing order.
fn states_again(row: &Row, order: &Item) -> bool {
    let lines = order_lines(order);
    text(order, "customer_id") == row.customer_id
        && lines == [(row.sku.clone(), row.units)]
        && (!row.stated || number_of(order, "total") == row.total)
}

fn order_lines(order: &Item) -> Vec<(String, u64)> {
    let Some(Value::L(lines)) = order.get("lines") else {
        return Vec::new();
    };
    let line = |line: &Value| match line {
        Value::M(line) => {
            let quantity = line.get("quantity");
            let quantity = quantity.and_then(|quantity| match quantity {
                Value::N(digits) => digits.parse().ok(),
                _ => None,
            });
            let sku = line.get("sku").map(|sku| match sku {
                Value::S(sku) => sku.clone(),
                _ => String::new(),
            });
            sku.zip(quantity)
        }
        _ => None,
    };
    lines.iter().filter_map(line).collect()
}

fn is_content(conflict: &serde_json::Value, row: &Row) -> bool {
    let line = &conflict["lines"][0];
    conflict["order_id"].as_str() == row.order_id.as_deref()
        && conflict["customer_id"].as_str() == Some(&row.customer_id)
        && line["sku"].as_str() == Some(&row.sku)
        && line["quantity"].as_u64() == Some(row.units)
}
