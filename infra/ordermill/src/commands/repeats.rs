//! Rows of one file that repeat an order id: the same order again, or other content.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use domain::{Order, Prices};

/// The orders of a file so far, by hashes of their ids: a file of ten million orders takes some 500 MB.
#[derive(Default)]
pub struct OrdersSoFar(HashMap<u64, OrderHash>);

/// What an order asks for, as hashes.
struct OrderHash {
    /// Customer, currency, and the lines without their prices.
    goods: u64,
    /// The prices of the lines. None if the catalog prices them.
    prices: Option<u64>,
    /// None if the catalog decides it.
    total: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowOutcome {
    New,
    Duplicate,
    Conflict,
}

impl OrdersSoFar {
    /// As the step `reserve` will decide, where no order exists yet under the ids of the file.
    pub fn add(&mut self, order: &Order) -> RowOutcome {
        let asked = OrderHash::of(order);
        let Some(first) = self.0.get(&hash(&order.order_id)) else {
            self.0.insert(hash(&order.order_id), asked);
            return RowOutcome::New;
        };
        let prices = asked.prices.is_none() || asked.prices == first.prices;
        let total = asked.total.is_none() || asked.total == first.total;
        match asked.goods == first.goods && prices && total {
            true => RowOutcome::Duplicate,
            false => RowOutcome::Conflict,
        }
    }
}

impl OrderHash {
    fn of(order: &Order) -> OrderHash {
        let mut lines = order.lines.clone();
        lines.sort_by(|one, other| {
            let key = |line: &domain::Line| (line.sku.clone(), line.quantity, line.unit_price);
            key(one).cmp(&key(other))
        });
        let goods = lines.iter().map(|line| (&line.sku, line.quantity));
        let prices = lines.iter().map(|line| line.unit_price);
        OrderHash {
            goods: hash(&(
                &order.customer_id,
                order.currency.code(),
                goods.collect::<Vec<_>>(),
            )),
            prices: (order.prices == Prices::Stated).then(|| hash(&prices.collect::<Vec<_>>())),
            total: (order.prices != Prices::Catalog).then(|| hash(&order.total)),
        }
    }
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::order::{Draft, Line, TotalPolicy};

    fn order(order_id: &str, customer: &str, lines: &[(&str, u32, i64)]) -> Order {
        let line = |&(sku, quantity, cents): &(&str, u32, i64)| Line {
            sku: sku.to_owned(),
            quantity,
            unit_price: rust_decimal::Decimal::new(cents, 2),
        };
        let draft = Draft {
            order_id: order_id.to_owned(),
            row: 1,
            customer_id: customer.to_owned(),
            currency: "USD".parse().expect("a currency"),
            declared_total: None,
            lines: lines.iter().map(line).collect(),
            priced_by_catalog: false,
            ordered_at: None,
        };
        Order::new(draft, TotalPolicy::Declared).expect("a valid order")
    }

    #[test]
    fn repeated_rows_are_duplicates_or_conflicts() {
        let mut orders = OrdersSoFar::default();
        let lines = [("A", 1, 999), ("B", 2, 500)];
        let turned = [("B", 2, 500), ("A", 1, 999)];
        let mut add = |id: &str, customer: &str, lines| orders.add(&order(id, customer, lines));
        assert_eq!(add("O-1", "C-1", &lines), RowOutcome::New);
        assert_eq!(add("O-1", "C-1", &lines), RowOutcome::Duplicate);
        assert_eq!(add("O-1", "C-1", &turned), RowOutcome::Duplicate);
        assert_eq!(add("O-1", "C-2", &lines), RowOutcome::Conflict);
        assert_eq!(add("O-1", "C-1", &lines[..1]), RowOutcome::Conflict);
        let dearer = [("A", 1, 1_000), ("B", 2, 500)];
        assert_eq!(add("O-1", "C-1", &dearer), RowOutcome::Conflict);
        assert_eq!(add("O-2", "C-2", &lines), RowOutcome::New);
    }
}
