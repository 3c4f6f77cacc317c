//! What the gateway did, in figures: for people who stop it, and for programs that compare.

use std::collections::BTreeMap;

use domain::Currency;
use payments::contract::{ChargeStatus, Movement};
use rust_decimal::Decimal;
use serde::Serialize;

use super::behaviour::Failure;
use super::book::Book;

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Summary {
    pub charges: Charges,
    /// By currency.
    pub sums: BTreeMap<Currency, Sums>,
    pub faults: Faults,
    /// Requests whose signature was not right.
    pub unbelieved: u64,
    pub webhooks: Webhooks,
}

/// As they stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Charges {
    pub approved: u64,
    pub declined: u64,
    pub pending: u64,
    pub voided: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Sums {
    pub captured: Decimal,
    pub voided: Decimal,
    pub refunded: Decimal,
}

/// Injected, by what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Faults {
    pub dropped: u64,
    pub errors: u64,
    pub throttled: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Webhooks {
    /// That were accepted, the second copies of some included.
    pub delivered: u64,
    /// That nobody accepted, however often they were sent.
    pub given_up: u64,
}

impl Summary {
    /// What a book says. The rest is not in it.
    pub fn of(book: &Book) -> Summary {
        let mut charges = Charges::default();
        for charge in book.charges() {
            *match charge.status {
                ChargeStatus::Approved => &mut charges.approved,
                ChargeStatus::Declined => &mut charges.declined,
                ChargeStatus::Pending => &mut charges.pending,
                ChargeStatus::Voided => &mut charges.voided,
            } += 1;
        }
        let mut sums: BTreeMap<Currency, Sums> = BTreeMap::new();
        for entry in book.entries() {
            let sums = sums.entry(entry.currency).or_default();
            let sum = match entry.kind {
                Movement::Capture => &mut sums.captured,
                Movement::Void => &mut sums.voided,
                Movement::Refund => &mut sums.refunded,
            };
            // Amounts are limited so that no number of them that fits into memory gets there.
            *sum = sum.saturating_add(entry.amount);
        }
        Summary {
            charges,
            sums,
            ..Summary::default()
        }
    }
}

impl Faults {
    pub fn count(&mut self, failure: Failure) {
        *match failure {
            Failure::Dropped => &mut self.dropped,
            Failure::ErrorBefore | Failure::ErrorAfter => &mut self.errors,
            Failure::Throttled => &mut self.throttled,
        } += 1;
    }
}
