//! Contact data: it comes from rows that became orders, newer uploads win, and each notification of an order finds the address.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use rust_decimal::Decimal;
use store::memory::MemoryEngine;
use store::ops::Item;
use store::schema::Table;

use super::auditor::{Promise, Violations, number, text};
use super::orders::OrderFile;

pub fn check(
    memory: &MemoryEngine,
    orders: &BTreeMap<String, Item>,
    files: &[OrderFile],
    uploads: &BTreeMap<String, Timestamp>,
    found: &mut Violations,
) {
    // The addresses that the newest upload states for each customer, and the orders whose rows state one.
    let mut newest: BTreeMap<&str, (Timestamp, BTreeSet<&str>)> = BTreeMap::new();
    let mut with_address: BTreeSet<&str> = BTreeSet::new();
    for file in files {
        let at = uploads.get(&file.key).copied().unwrap_or_default();
        for row in &file.rows {
            let order_id = row.order_id.as_deref().unwrap_or_default();
            let is_order = orders.get(order_id).is_some_and(|order| {
                text(order, "import_id") == file.import_id
                    && number(order, "row") == Decimal::from(row.number)
            });
            let (true, Some(email)) = (is_order, row.email.as_deref()) else {
                continue;
            };
            with_address.insert(order_id);
            let newest = newest.entry(&row.customer_id).or_default();
            if at > newest.0 {
                *newest = (at, BTreeSet::new());
            }
            if at == newest.0 {
                newest.1.insert(email);
            }
        }
    }
    for customer in memory.items(Table::Customers) {
        let (id, email) = (text(&customer, "customer_id"), text(&customer, "email"));
        let wrong = match newest.remove(id.as_str()) {
            Some((_, emails)) => !emails.contains(email.as_str()),
            None => email.ends_with("@files.example"),
        };
        if wrong {
            let what = format!("{id} has the address {email}, which its orders do not state last");
            found.push((Promise::ContactsAreOfOrders, what));
        }
    }
    for id in newest.keys() {
        let what = format!("the address of {id} was not stored");
        found.push((Promise::ContactsAreOfOrders, what));
    }
    for notification in memory.items(Table::Notifications) {
        let order_id = text(&notification, "order_id");
        let by_mail = text(&notification, "channel") == "email";
        if with_address.contains(order_id.as_str()) && !by_mail {
            let part = text(&notification, "part");
            let what = format!("{part} of {order_id} did not find the address");
            found.push((Promise::AddressesAreFound, what));
        }
    }
}
