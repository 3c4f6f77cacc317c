//! What an entry adds to the figures, all of it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use rust_decimal::Decimal;

use crate::fault::Fault;
use crate::journal::{Change, Entry, Kind, Outcome};
use crate::money::{Currency, Money};
use crate::tally::figures::{Figures, add_amount, add_count, too_large};
use crate::tally::hour::Hour;

/// A customer, or a product, in one currency: two currencies are never added.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject {
    pub currency: Currency,
    pub id: String,
}

/// What a customer spent: refunds take from the amount, and never from the orders.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spend {
    pub amount: Decimal,
    pub orders: u64,
}

/// What was sold of a product: what comes back takes from amount and units, and never from the orders.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sales {
    pub amount: Decimal,
    pub units: i64,
    /// Orders that it is in.
    pub orders: u64,
}

/// What became of rows of an import.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Settled {
    pub completed: u64,
    pub failed: u64,
    pub duplicates: u64,
    pub conflicts: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effects {
    pub hour: Hour,
    pub figures: BTreeMap<Currency, Figures>,
    pub customers: BTreeMap<Subject, Spend>,
    pub products: BTreeMap<Subject, Sales>,
    pub import_id: String,
    pub settled: Settled,
}

impl Effects {
    /// Fails on an entry that contradicts itself, or says what cannot be added: then nothing of it counts.
    pub fn of(entry: &Entry, zone: &TimeZone) -> Result<Effects, Fault> {
        let mut effects = Effects {
            hour: Hour::of(entry.at, zone)?,
            figures: BTreeMap::new(),
            customers: BTreeMap::new(),
            products: BTreeMap::new(),
            import_id: entry.import_id.clone(),
            settled: Settled::default(),
        };
        for change in &entry.changes {
            effects.take(change)?;
        }
        let counted = (effects.settled.completed, effects.settled.failed);
        if counted != (entry.completed, entry.failed) {
            let id = &entry.entry_id;
            return Err(Fault::Malformed(format!(
                "the entry {id} counts other orders than it names"
            )));
        }
        effects.settled.duplicates = entry.duplicates;
        effects.settled.conflicts = entry.conflicts();
        Ok(effects)
    }

    fn take(&mut self, change: &Change) -> Result<(), Fault> {
        let currency = change.currency;
        let total = amount_of(change, change.total)?;
        let mut figures = Figures::default();
        let customer = match change.outcome() {
            Outcome::Failed(reason) => {
                figures.failed.insert(reason, 1);
                add_count(&mut self.settled.failed, 1)?;
                None
            }
            Outcome::Completed => {
                figures.orders = 1;
                figures.gross = total;
                figures.units = self.sell(change, false)?;
                add_count(&mut self.settled.completed, 1)?;
                Some((total, 1))
            }
            Outcome::Refunded => {
                figures.refund_count = 1;
                figures.refunds = total;
                self.sell(change, true)?;
                Some((minus(total), 0))
            }
            // Its money goes back by a refund, which has an entry of its own.
            Outcome::Done(Kind::Cancelled) => {
                self.sell(change, true)?;
                None
            }
            Outcome::Done(Kind::Shipped | Kind::Delivered) => None,
        };
        if let Some((amount, orders)) = customer {
            let customer = Subject {
                currency,
                id: change.customer_id.clone(),
            };
            self.customers
                .entry(customer)
                .or_default()
                .add(&Spend { amount, orders })?;
        }
        self.figures.entry(currency).or_default().add(&figures)
    }

    /// Returns how many units these are.
    fn sell(&mut self, change: &Change, back: bool) -> Result<u64, Fault> {
        let mut sum = 0;
        let mut seen = BTreeSet::new();
        for (sku, units, price) in &change.lines {
            // All of an entry is looked at before any of it counts.
            let price = amount_of(change, *price)?;
            let amount = price
                .checked_mul(Decimal::from(*units))
                .ok_or_else(too_large)?;
            let (amount, signed) = match back {
                false => (amount, i64::from(*units)),
                true => (minus(amount), i64::from(*units).saturating_neg()),
            };
            let product = Subject {
                currency: change.currency,
                id: sku.clone(),
            };
            let sales = self.products.entry(product).or_default();
            let first = seen.insert(sku) && !back;
            sales.add(&Sales {
                amount,
                units: signed,
                orders: u64::from(first),
            })?;
            add_count(&mut sum, u64::from(*units))?;
        }
        Ok(sum)
    }
}

fn amount_of(change: &Change, amount: Decimal) -> Result<Decimal, Fault> {
    let wrong = |error| Fault::Malformed(format!("{}: {error}", change.order_id));
    Ok(Money::new(amount, change.currency).map_err(wrong)?.amount())
}

fn minus(amount: Decimal) -> Decimal {
    Decimal::ZERO.saturating_sub(amount)
}

impl Spend {
    pub fn add(&mut self, more: &Spend) -> Result<(), Fault> {
        add_amount(&mut self.amount, more.amount)?;
        add_count(&mut self.orders, more.orders)
    }
}

impl Sales {
    pub fn add(&mut self, more: &Sales) -> Result<(), Fault> {
        add_amount(&mut self.amount, more.amount)?;
        self.units = self.units.checked_add(more.units).ok_or_else(too_large)?;
        add_count(&mut self.orders, more.orders)
    }
}

impl Settled {
    pub fn add(&mut self, more: &Settled) -> Result<(), Fault> {
        add_count(&mut self.completed, more.completed)?;
        add_count(&mut self.failed, more.failed)?;
        add_count(&mut self.duplicates, more.duplicates)?;
        add_count(&mut self.conflicts, more.conflicts)
    }

    pub fn is_nothing(&self) -> bool {
        *self == Settled::default()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::journal::Deed;
    use crate::order::tests::order;
    use crate::status::Reason;

    /// An entry of orders that were settled at noon: customer, product, units, and the reason of those that failed.
    pub fn entry(name: &str, orders: &[(&str, &str, u32, Option<Reason>)]) -> Entry {
        let changes = orders
            .iter()
            .zip(1..)
            .map(|((customer, sku, units, failure), row)| {
                let mut order = order(row, &format!("{name}-{row}"), sku, *units);
                order.customer_id = (*customer).to_owned();
                Change::new(&order, *failure)
            });
        let at = "2026-03-01T12:00:00Z".parse().expect("an instant");
        Entry::settled(
            "finalize",
            name,
            "im_x",
            1,
            changes.collect(),
            at,
            &TimeZone::UTC,
        )
    }

    fn subject(id: &str) -> Subject {
        Subject {
            currency: "USD".parse().expect("a currency"),
            id: id.to_owned(),
        }
    }

    #[test]
    fn an_entry_adds_to_everything_that_it_is_about() {
        let entry = entry(
            "b",
            &[
                ("C-1", "A", 2, None),
                ("C-1", "B", 1, None),
                ("C-2", "A", 1, Some(Reason::OutOfStock)),
            ],
        );
        let price = entry.changes[0].lines[0].2;
        let effects = Effects::of(&entry, &TimeZone::UTC).expect("effects");
        let figures = &effects.figures[&subject("").currency];
        assert_eq!((figures.orders, figures.units), (2, 3));
        assert_eq!(figures.gross, price * Decimal::from(3));
        assert_eq!(figures.failed, BTreeMap::from([(Reason::OutOfStock, 1)]));
        let customers: Vec<(&str, u64)> = effects
            .customers
            .iter()
            .map(|(subject, spend)| (subject.id.as_str(), spend.orders))
            .collect();
        assert_eq!(customers, [("C-1", 2)]);
        let product = &effects.products[&subject("A")];
        assert_eq!((product.units, product.orders), (2, 1));
        let settled = Settled {
            completed: 2,
            failed: 1,
            duplicates: 0,
            conflicts: 0,
        };
        assert_eq!((effects.settled, effects.hour.number), (settled, 12));
    }

    #[test]
    fn a_refund_takes_money_and_units_and_no_order() {
        let mut change = entry("b", &[("C-1", "A", 3, None)]).changes.remove(0);
        change.total = Decimal::new(500, 2);
        change.refund_id = Some("re_1".to_owned());
        change.lines[0].1 = 1;
        let at = "2026-03-02T12:00:00Z".parse().expect("an instant");
        let refund = Entry::refunded("re_1", "im_x", change, at, &TimeZone::UTC);
        let effects = Effects::of(&refund, &TimeZone::UTC).expect("effects");
        let figures = &effects.figures[&subject("").currency];
        let expected = Figures {
            refund_count: 1,
            refunds: Decimal::new(500, 2),
            ..Figures::default()
        };
        assert_eq!(*figures, expected);
        let spend = &effects.customers[&subject("C-1")];
        assert_eq!((spend.amount, spend.orders), (Decimal::new(-500, 2), 0));
        let product = &effects.products[&subject("A")];
        assert_eq!((product.units, product.orders), (-1, 0));
        assert!(effects.settled.is_nothing());
    }

    #[test]
    fn what_is_done_with_an_order_moves_no_money() {
        let mut change = entry("b", &[("C-1", "A", 3, None)]).changes.remove(0);
        let at = "2026-03-02T12:00:00Z".parse().expect("an instant");
        for kind in Kind::ALL {
            change.deed = Some(Deed {
                kind,
                requested_by: "ada".to_owned(),
                reason: None,
            });
            let entry = Entry::done(kind, "im_x", change.clone(), at, &TimeZone::UTC);
            let effects = Effects::of(&entry, &TimeZone::UTC).expect("effects");
            assert!(effects.figures.values().all(Figures::is_nothing));
            assert!(effects.customers.is_empty() && effects.settled.is_nothing());
            // The units of one that is cancelled are not sold any more.
            let back = effects.products.get(&subject("A"));
            let back = back.map(|product| (product.units, product.orders));
            let expected = (kind == Kind::Cancelled).then_some((-3, 0));
            assert_eq!(back, expected, "{kind:?}");
        }
    }

    #[test]
    fn an_entry_that_contradicts_itself_counts_nothing() {
        let good = entry("b", &[("C-1", "A", 1, None)]);
        let broken: [fn(&mut Entry); 4] = [
            |entry| entry.completed = 2,
            |entry| entry.failed = 1,
            |entry| entry.changes[0].total = Decimal::new(1, 3),
            |entry| entry.changes[0].lines[0].2 = Decimal::MAX,
        ];
        for (at, break_it) in broken.into_iter().enumerate() {
            let mut entry = good.clone();
            entry.changes[0].lines[0].1 = 2;
            break_it(&mut entry);
            let effects = Effects::of(&entry, &TimeZone::UTC);
            assert!(
                matches!(effects, Err(Fault::Malformed(_))),
                "{at}: {effects:?}"
            );
        }
    }
}
