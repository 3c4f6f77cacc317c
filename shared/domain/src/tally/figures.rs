//! The figures of an hour, of a day, of any number of days, in one currency.

use std::collections::BTreeMap;

use rust_decimal::{Decimal, RoundingStrategy};

use crate::fault::Fault;
use crate::money::Currency;
use crate::status::Reason;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// Completed orders. A refund does not take one back.
    pub orders: u64,
    /// Units of completed orders.
    pub units: u64,
    /// What completed orders cost.
    pub gross: Decimal,
    pub refund_count: u64,
    pub refunds: Decimal,
    pub failed: BTreeMap<Reason, u64>,
}

impl Figures {
    pub fn add(&mut self, more: &Figures) -> Result<(), Fault> {
        add_count(&mut self.orders, more.orders)?;
        add_count(&mut self.units, more.units)?;
        add_amount(&mut self.gross, more.gross)?;
        add_count(&mut self.refund_count, more.refund_count)?;
        add_amount(&mut self.refunds, more.refunds)?;
        for (reason, times) in &more.failed {
            add_count(self.failed.entry(*reason).or_default(), *times)?;
        }
        Ok(())
    }

    /// Revenue: what came in and did not go back. Refunds count on the day on which they succeed, so a day may be below
    /// zero.
    pub fn net(&self) -> Decimal {
        self.gross.checked_sub(self.refunds).unwrap_or_default()
    }

    /// Of completed orders, before refunds; half a cent is rounded up.
    pub fn average_order_value(&self, currency: Currency) -> Option<Decimal> {
        let average = self.gross.checked_div(Decimal::from(self.orders))?;
        let half_up = RoundingStrategy::MidpointAwayFromZero;
        Some(average.round_dp_with_strategy(currency.scale(), half_up))
    }

    pub fn failed_orders(&self) -> u64 {
        self.failed
            .values()
            .fold(0, |sum, times| sum.saturating_add(*times))
    }

    pub fn is_nothing(&self) -> bool {
        *self == Figures::default()
    }
}

pub(crate) fn add_amount(sum: &mut Decimal, more: Decimal) -> Result<(), Fault> {
    *sum = sum.checked_add(more).ok_or_else(too_large)?;
    Ok(())
}

pub(crate) fn add_count(sum: &mut u64, more: u64) -> Result<(), Fault> {
    *sum = sum.checked_add(more).ok_or_else(too_large)?;
    Ok(())
}

pub(crate) fn too_large() -> Fault {
    Fault::Malformed("amounts that are too large to be added".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn averages_are_of_what_was_ordered() {
        let usd = "USD".parse().expect("a currency");
        let figures = Figures {
            orders: 3,
            gross: Decimal::new(1000, 2),
            refund_count: 1,
            refunds: Decimal::new(1100, 2),
            ..Figures::default()
        };
        assert_eq!(figures.net(), Decimal::new(-100, 2));
        assert_eq!(figures.average_order_value(usd), Some(Decimal::new(333, 2)));
        assert_eq!(Figures::default().average_order_value(usd), None);
        let two = Figures {
            orders: 2,
            gross: Decimal::new(5, 0),
            ..Figures::default()
        };
        let jpy = "JPY".parse().expect("a currency");
        assert_eq!(two.average_order_value(jpy), Some(Decimal::new(3, 0)));
    }

    #[test]
    fn figures_add_up_or_say_that_they_cannot() {
        let some = Figures {
            orders: 1,
            units: 2,
            gross: Decimal::new(5, 1),
            refund_count: 3,
            refunds: Decimal::new(1, 1),
            failed: BTreeMap::from([(Reason::OutOfStock, 4)]),
        };
        let mut sum = Figures::default();
        assert!(sum.is_nothing());
        sum.add(&some).expect("a sum");
        sum.add(&some).expect("a sum");
        assert_eq!((sum.orders, sum.units, sum.refund_count), (2, 4, 6));
        assert_eq!(
            (sum.gross, sum.refunds, sum.failed_orders()),
            (Decimal::new(10, 1), Decimal::new(2, 1), 8)
        );
        let vast = Figures {
            gross: Decimal::MAX,
            ..Figures::default()
        };
        assert!(sum.add(&vast).is_err());
    }
}
