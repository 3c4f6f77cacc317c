//! Which orders of a batch the stock is enough for. Decided in file order, from what is known of the products.

use std::collections::{BTreeMap, HashMap};

use crate::order::Order;
use crate::status::Reason;

/// What a refused write told about a product. A product that nothing is known of is taken to have enough:
/// the write's condition finds out, and no read is needed while stock lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    Missing,
    Available(u64),
}

/// For each order, in their sequence: served, or why not. An order is served whole or not at all, and one that
/// does not fit does not keep a later, smaller one from being served.
pub fn serve<'a>(
    orders: impl IntoIterator<Item = &'a Order>,
    known: &HashMap<String, Known>,
) -> Vec<Result<(), Reason>> {
    let mut left: HashMap<&str, u64> = HashMap::new();
    for (sku, known) in known {
        if let Known::Available(units) = known {
            left.insert(sku, *units);
        }
    }
    let mut verdicts = Vec::new();
    for order in orders {
        let units = order.units();
        let missing = units
            .keys()
            .any(|sku| known.get(*sku) == Some(&Known::Missing));
        let short = units
            .iter()
            .any(|(sku, units)| left.get(sku).is_some_and(|left| left < units));
        verdicts.push(if missing {
            Err(Reason::UnknownProduct)
        } else if short {
            Err(Reason::OutOfStock)
        } else {
            for (sku, units) in units {
                left.entry(sku)
                    .and_modify(|left| *left = left.saturating_sub(units));
            }
            Ok(())
        });
    }
    verdicts
}

/// Units by product over all these orders: each product is written once, however many orders want it.
pub fn demand<'a>(orders: impl IntoIterator<Item = &'a Order>) -> BTreeMap<&'a str, u64> {
    let mut demand = BTreeMap::new();
    for (sku, units) in orders.into_iter().flat_map(Order::units) {
        let sum: &mut u64 = demand.entry(sku).or_default();
        *sum = sum.saturating_add(units);
    }
    demand
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::TotalPolicy;
    use crate::order::tests::{draft, order};

    #[test]
    fn stock_that_runs_short_goes_to_the_first_orders_that_fit() {
        let known = HashMap::from([
            ("A".to_owned(), Known::Available(25)),
            ("X".to_owned(), Known::Missing),
        ]);
        let orders: Vec<Order> = [
            ("A", 20),
            ("A", 6),
            ("A", 4),
            ("B", 1_000),
            ("X", 1),
            ("A", 1),
            ("A", 1),
        ]
        .iter()
        .zip(1..)
        .map(|((sku, units), row)| order(row, &format!("O-{row}"), sku, *units))
        .collect();
        let short = Err(Reason::OutOfStock);
        let expected = vec![
            Ok(()),
            short,
            Ok(()),
            Ok(()),
            Err(Reason::UnknownProduct),
            Ok(()),
            short,
        ];
        assert_eq!(serve(&orders, &known), expected);
    }

    #[test]
    fn an_order_is_served_whole_or_not_at_all() {
        let known = HashMap::from([
            ("A".to_owned(), Known::Available(5)),
            ("B".to_owned(), Known::Available(1)),
        ]);
        let make = |row, lines| {
            Order::new(
                draft(row, &format!("O-{row}"), lines),
                TotalPolicy::Declared,
            )
            .expect("valid")
        };
        // The first wants more of B than there is, so its A stays for the second, which names A twice.
        let orders = [
            make(1, &[("A", 5), ("B", 2)]),
            make(2, &[("A", 3), ("A", 2), ("B", 1)]),
        ];
        assert_eq!(
            serve(&orders, &known),
            vec![Err(Reason::OutOfStock), Ok(())]
        );
        assert_eq!(demand(&orders[1..]), BTreeMap::from([("A", 5), ("B", 1)]));
    }
}
