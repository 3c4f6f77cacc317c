//! Orders that name no prices: what they cost stands in the catalog, at the moment they are reserved.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::money::{Currency, Money};
use crate::order::{Draft, Order, check_lines};
use crate::status::Reason;

/// Where the prices of an order's lines come from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prices {
    /// The order states them, or they were found.
    #[default]
    Stated,
    /// They are the catalog's, and the total is their sum.
    Catalog,
    /// They are the catalog's, under a total that was declared and stands.
    CatalogUnderTotal,
}

/// What the catalog asks for a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    pub amount: Decimal,
    pub currency: Currency,
}

impl Prices {
    pub(crate) fn of(draft: &Draft) -> Prices {
        match (draft.priced_by_catalog, draft.declared_total) {
            (false, _) => Prices::Stated,
            (true, None) => Prices::Catalog,
            (true, Some(_)) => Prices::CatalogUnderTotal,
        }
    }

    /// By reference, as serde asks for.
    #[allow(clippy::trivially_copy_pass_by_ref)]
    pub fn are_stated(&self) -> bool {
        *self == Prices::Stated
    }
}

impl Order {
    /// This order at the prices of the catalog, or why there is none for it: a product that is not listed, or one
    /// that is listed in another currency or beyond every amount.
    pub fn priced(&self, listed: impl Fn(&str) -> Option<Price>) -> Result<Order, Reason> {
        let mut lines = self.lines.clone();
        for line in &mut lines {
            let price = listed(&line.sku).ok_or(Reason::UnknownProduct)?;
            if price.currency != self.currency {
                return Err(Reason::NoPrice);
            }
            line.unit_price = price.amount;
        }
        let sum = check_lines(&lines, self.currency).map_err(|_| Reason::NoPrice)?;
        let total = match self.prices {
            Prices::CatalogUnderTotal => Money::new(self.total, self.currency),
            Prices::Stated | Prices::Catalog => Ok(sum),
        };
        let total = total.map_err(|_| Reason::NoPrice)?.amount();
        Ok(Order {
            total,
            adjustment: total.checked_sub(sum.amount()).ok_or(Reason::NoPrice)?,
            lines,
            prices: Prices::Stated,
            ..self.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::tests::draft;
    use crate::order::{OrderError, TotalPolicy};

    fn unpriced(total: Option<Decimal>) -> Draft {
        let mut draft = draft(1, "O-1", &[("A", 2), ("B", 1)]);
        for line in &mut draft.lines {
            line.unit_price = Decimal::ZERO;
        }
        Draft {
            declared_total: total,
            priced_by_catalog: true,
            ..draft
        }
    }

    fn catalog(sku: &str) -> Option<Price> {
        let (amount, currency) = match sku {
            "A" => (Decimal::new(250, 2), "USD"),
            "B" => (Decimal::new(1, 0), "USD"),
            _ => return None,
        };
        let currency = currency.parse().expect("a currency");
        Some(Price { amount, currency })
    }

    #[test]
    fn the_catalog_prices_what_the_order_does_not() {
        let order = Order::new(unpriced(None), TotalPolicy::Strict).expect("an order");
        assert_eq!(
            (order.prices, order.total),
            (Prices::Catalog, Decimal::ZERO)
        );
        assert_eq!(order.check(), Ok(()));
        let priced = order.priced(catalog).expect("priced");
        assert_eq!(
            (priced.prices, priced.total, priced.adjustment),
            (Prices::Stated, Decimal::new(600, 2), Decimal::ZERO)
        );
        assert_eq!(priced.check(), Ok(()));
    }

    #[test]
    fn a_declared_total_stands_over_the_catalog() {
        let draft = unpriced(Some(Decimal::new(599, 2)));
        let order = Order::new(draft.clone(), TotalPolicy::Declared).expect("an order");
        assert_eq!(order.check(), Ok(()));
        let priced = order.priced(catalog).expect("priced");
        assert_eq!(
            (priced.total, priced.adjustment),
            (Decimal::new(599, 2), Decimal::new(-1, 2))
        );
        assert_eq!(priced.check(), Ok(()));
        assert_eq!(
            Order::new(draft, TotalPolicy::Strict),
            Err(OrderError::NoPrice)
        );
    }

    #[test]
    fn without_a_price_in_its_currency_there_is_no_order() {
        let order = Order::new(unpriced(None), TotalPolicy::Declared).expect("an order");
        let without_b = |sku: &str| catalog(sku).filter(|_| sku != "B");
        assert_eq!(order.priced(without_b), Err(Reason::UnknownProduct));
        let euro = |sku: &str| {
            catalog(sku).map(|price| Price {
                currency: "EUR".parse().expect("a currency"),
                ..price
            })
        };
        assert_eq!(order.priced(euro), Err(Reason::NoPrice));
        let huge = |sku: &str| {
            catalog(sku).map(|price| Price {
                amount: Decimal::from(Money::LIMIT),
                ..price
            })
        };
        assert_eq!(order.priced(huge), Err(Reason::NoPrice));
    }

    #[test]
    fn an_unpriced_order_that_claims_prices_does_not_pass_the_check() {
        let order = Order::new(unpriced(None), TotalPolicy::Declared).expect("an order");
        let mut claimed = order.clone();
        claimed.lines[0].unit_price = Decimal::new(1, 2);
        assert!(claimed.check().is_err());
        let mut totalled = order;
        totalled.total = Decimal::new(1, 2);
        assert!(totalled.check().is_err());
        // Prices and an adjustment that cancel each other are claims all the same.
        let declared = unpriced(Some(Decimal::new(500, 2)));
        let mut cancelled = Order::new(declared, TotalPolicy::Declared).expect("an order");
        assert_eq!(cancelled.check(), Ok(()));
        cancelled.lines[0].unit_price = Decimal::new(100, 2);
        let units = Decimal::from(cancelled.lines[0].quantity);
        cancelled.adjustment = -(Decimal::new(100, 2) * units);
        assert!(cancelled.check().is_err());
    }
}
