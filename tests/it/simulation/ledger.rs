//! The auditor's eye on money: what the gateway took and gave back is what our orders say.

use std::collections::BTreeMap;

use ordermill::gateway::Book;
use payments::contract::{ChargeStatus, Movement};
use rust_decimal::Decimal;
use store::ops::Item;

use super::auditor::{COMPLETED, Promise, Violations, number_of, text};

/// What the gateway did about a charge.
#[derive(Debug, Default)]
pub struct Money {
    /// Captured, and not voided.
    pub taken: Decimal,
    /// Refunded of that.
    pub given_back: Decimal,
    pub captures: usize,
}

impl Money {
    pub fn of(book: &Book, id: &str) -> Money {
        let mut money = Money::default();
        for entry in book.entries().iter().filter(|entry| entry.charge == id) {
            match entry.kind {
                Movement::Capture => {
                    money.captures += 1;
                    money.taken += entry.amount;
                }
                Movement::Void => money.taken -= entry.amount,
                Movement::Refund => money.given_back += entry.amount,
            }
        }
        money
    }
}

/// What the gateway took is what our orders say.
pub fn check(orders: &BTreeMap<String, Item>, book: &Book, found: &mut Violations) {
    for entry in book.entries() {
        if !orders.contains_key(&entry.charge) {
            found.push((
                Promise::NobodyIsChargedTwice,
                format!("{} was charged, and is no order", entry.charge),
            ));
        }
    }
    for (id, order) in orders {
        let Money {
            taken,
            given_back: refunded,
            captures,
        } = Money::of(book, id);
        let sum = taken - refunded;
        let (status, total) = (text(order, "status"), number_of(order, "total"));
        if captures > 1 {
            found.push((
                Promise::NobodyIsChargedTwice,
                format!("{id} was captured {captures} times"),
            ));
        }
        let given_back = !text(order, "given_back").is_empty();
        match status.as_str() {
            "FAILED" => {
                let stands = book.find(id).map(|charge| charge.status).ok();
                let reason = match text(order, "failure").as_str() {
                    "payment_declined" => stands == Some(ChargeStatus::Declined) || captures > 0,
                    "payment_expired" => stands == Some(ChargeStatus::Voided) || captures > 0,
                    // Before anybody was asked for money.
                    _ => stands.is_none(),
                };
                if !reason {
                    let what = format!("{id} failed, {}: {stands:?}", text(order, "failure"));
                    found.push((Promise::OrdersFailForAReason, what));
                }
                if !sum.is_zero() {
                    let promise = if given_back {
                        Promise::TheLedgerIsOurBooks
                    } else {
                        Promise::FailedOrdersAreNotCharged
                    };
                    found.push((promise, format!("{id} failed, and {sum} of it is captured")));
                } else if (captures > 0) != given_back {
                    found.push((Promise::TheLedgerIsOurBooks, format!("{id} failed, was captured {captures} times, and given back: {given_back}")));
                }
            }
            status if COMPLETED.contains(&status) => {
                let kept = total - number_of(order, "refunded");
                if taken.is_zero() && !total.is_zero() {
                    found.push((
                        Promise::CompletedOrdersAreCharged,
                        format!("{id} is completed, and nothing is captured for it"),
                    ));
                } else if sum != kept {
                    found.push((
                        Promise::TheLedgerIsOurBooks,
                        format!(
                            "{id} costs {total}, of which {kept} is kept, and {sum} is captured"
                        ),
                    ));
                }
                let payment = book
                    .entries()
                    .iter()
                    .find(|entry| entry.charge == *id)
                    .map(|entry| entry.payment.clone());
                if payment.is_some_and(|payment| payment != text(order, "payment")) {
                    found.push((
                        Promise::TheLedgerIsOurBooks,
                        format!("{id} names another payment than the gateway"),
                    ));
                }
            }
            _ => {}
        }
    }
}
