//! Counts again, one order after the other, what the figures say. Shares nothing with how they are entered.
//!
//! Every number has a name; what has no number is zero.

use std::collections::{BTreeMap, BTreeSet};

use domain::Reason;
use domain::tally::{Score, Subject};
use jiff::civil::Date;
use rust_decimal::Decimal;

/// Numbers by name.
pub type Numbers = BTreeMap<String, Decimal>;

/// A day, and the number of an hour.
pub type When = (Date, u8);

#[derive(Default)]
pub struct Recount {
    numbers: Numbers,
    spent: BTreeMap<Subject, Decimal>,
    ordered: BTreeSet<(Date, u8, Subject)>,
}

/// What came of an order, or back from it.
pub struct Sale<'a> {
    pub when: When,
    pub customer: Subject,
    pub total: Decimal,
    pub lines: Vec<(&'a str, u32, Decimal)>,
}

impl Recount {
    pub fn completed(&mut self, sale: &Sale<'_>) {
        let units: u64 = sale.lines.iter().map(|line| u64::from(line.1)).sum();
        self.hour(sale, "orders", Decimal::ONE);
        self.hour(sale, "units", units.into());
        self.hour(sale, "gross", sale.total);
        self.moved(sale, Decimal::ONE);
        for book in books(sale) {
            let customer = customer(&book, &sale.customer);
            self.add(format!("{customer}: orders"), Decimal::ONE);
        }
        let products: BTreeSet<&str> = sale.lines.iter().map(|line| line.0).collect();
        for (book, sku) in books(sale)
            .iter()
            .flat_map(|book| products.iter().map(move |sku| (book, sku)))
        {
            let product = Subject {
                currency: sale.customer.currency,
                id: (*sku).to_owned(),
            };
            self.add(
                format!("{}: orders", product_name(book, &product)),
                Decimal::ONE,
            );
        }
        let (day, hour) = sale.when;
        self.ordered.insert((day, hour, sale.customer.clone()));
    }

    pub fn refunded(&mut self, sale: &Sale<'_>) {
        self.hour(sale, "refund_count", Decimal::ONE);
        self.hour(sale, "refunds", sale.total);
        self.moved(sale, Decimal::NEGATIVE_ONE);
    }

    /// Units come back; the money does not, yet.
    pub fn cancelled(&mut self, sale: &Sale<'_>) {
        self.units_moved(sale, Decimal::NEGATIVE_ONE);
    }

    pub fn failed(&mut self, sale: &Sale<'_>, reason: Reason) {
        self.hour(sale, &format!("failed_{}", reason.name()), Decimal::ONE);
    }

    pub fn row(&mut self, import_id: &str, what: &str, rows: u64) {
        self.add(format!("import {import_id}: {what}"), rows.into());
    }

    /// All numbers, those included that follow from others.
    pub fn numbers(mut self) -> Numbers {
        let mut of_day = BTreeSet::new();
        for (day, hour, subject) in std::mem::take(&mut self.ordered) {
            let currency = subject.currency;
            let bit = Decimal::from(1_u32 << hour);
            self.add(
                format!("{}: hours", customer(&day.to_string(), &subject)),
                bit,
            );
            self.add(
                format!("{day} {currency} customers: h{hour:02}"),
                Decimal::ONE,
            );
            if of_day.insert((day, subject)) {
                self.add(format!("{day} {currency} customers: day"), Decimal::ONE);
            }
        }
        for (subject, amount) in std::mem::take(&mut self.spent) {
            if let Ok(score) = Score::of_amount(amount, subject.currency) {
                let bucket = score.bucket();
                let (currency, page, slot) = (subject.currency, bucket.page, bucket.slot);
                self.add(
                    format!("ranks {currency} {page:02}: b{slot:03}"),
                    Decimal::ONE,
                );
            }
        }
        self.numbers.retain(|_, number| !number.is_zero());
        self.numbers
    }

    fn moved(&mut self, sale: &Sale<'_>, sign: Decimal) {
        for book in books(sale) {
            self.add(
                format!("{}: amount", customer(&book, &sale.customer)),
                sale.total * sign,
            );
        }
        *self.spent.entry(sale.customer.clone()).or_default() += sale.total * sign;
        self.units_moved(sale, sign);
    }

    fn units_moved(&mut self, sale: &Sale<'_>, sign: Decimal) {
        for book in books(sale) {
            for (sku, units, price) in &sale.lines {
                let product = Subject {
                    currency: sale.customer.currency,
                    id: (*sku).to_owned(),
                };
                let product = product_name(&book, &product);
                let units = Decimal::from(*units) * sign;
                self.add(format!("{product}: units"), units);
                self.add(format!("{product}: amount"), units * price);
            }
        }
    }

    fn hour(&mut self, sale: &Sale<'_>, what: &str, by: Decimal) {
        let ((day, hour), currency) = (sale.when, sale.customer.currency);
        self.add(format!("{day} {currency} hour {hour:02}: {what}"), by);
    }

    fn add(&mut self, name: String, by: Decimal) {
        *self.numbers.entry(name).or_default() += by;
    }
}

fn books(sale: &Sale<'_>) -> [String; 2] {
    [sale.when.0.to_string(), super::figures::ALL_TIME.to_owned()]
}

pub fn customer(book: &str, subject: &Subject) -> String {
    format!("{book} customer {} {}", subject.id, subject.currency)
}

pub fn product_name(book: &str, subject: &Subject) -> String {
    format!("{book} product {} {}", subject.id, subject.currency)
}
