//! How a batch's writes are grouped into transactions.

use std::collections::HashSet;
use std::ops::Range;

use crate::limits::ITEMS_PER_TRANSACTION;
use crate::order::Order;

/// Cuts orders, in their sequence, into runs whose orders, products and one journal entry fit into a transaction.
///
/// The cut depends on nothing but the orders, so that a repetition groups them the same way.
pub fn parts<'a>(orders: impl IntoIterator<Item = &'a Order>) -> Vec<Range<usize>> {
    const ENTRY: usize = 1;
    let mut parts = Vec::new();
    let mut skus: HashSet<&str> = HashSet::new();
    let mut start = 0;
    let mut end = 0usize;
    for order in orders {
        let new = order
            .units()
            .keys()
            .filter(|sku| !skus.contains(*sku))
            .count();
        let items = [end.saturating_sub(start), 1, skus.len(), new, ENTRY]
            .iter()
            .sum::<usize>();
        if items > ITEMS_PER_TRANSACTION && end > start {
            parts.push(start..end);
            skus.clear();
            start = end;
        }
        skus.extend(order.lines.iter().map(|line| line.sku.as_str()));
        end = end.saturating_add(1);
    }
    if end > start {
        parts.push(start..end);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::LINES_PER_ORDER;
    use crate::order::TotalPolicy;
    use crate::order::tests::{draft, order};
    use proptest::prelude::*;

    fn items(orders: &[Order]) -> usize {
        orders.len() + crate::stock::demand(orders).len() + 1
    }

    #[test]
    fn a_full_batch_of_single_lines_is_one_transaction() {
        let orders: Vec<Order> = (0..40)
            .map(|row| order(row, &format!("O-{row}"), &format!("S-{row}"), 1))
            .collect();
        assert_eq!(parts(&orders), vec![0..40]);
        assert_eq!(parts([]), vec![]);
    }

    #[test]
    fn the_largest_order_fits_alone() {
        let skus: Vec<String> = (0..LINES_PER_ORDER).map(|sku| format!("S-{sku}")).collect();
        let lines: Vec<(&str, u32)> = skus.iter().map(|sku| (sku.as_str(), 1)).collect();
        let order = Order::new(draft(1, "O-1", &lines), TotalPolicy::Declared).expect("valid");
        assert!(items(std::slice::from_ref(&order)) <= ITEMS_PER_TRANSACTION);
    }

    proptest! {
        #[test]
        fn every_order_is_in_one_part_and_no_part_is_too_large(lines in prop::collection::vec(prop::collection::vec(0u8..200, 1..30), 0..60)) {
            let orders: Vec<Order> = lines.iter().zip(1..).map(|(skus, row)| {
                let skus: Vec<String> = skus.iter().map(|sku| format!("S-{sku}")).collect();
                let lines: Vec<(&str, u32)> = skus.iter().map(|sku| (sku.as_str(), 1)).collect();
                Order::new(draft(row, &format!("O-{row}"), &lines), TotalPolicy::Declared).expect("valid")
            }).collect();
            let parts = parts(&orders);
            prop_assert_eq!(parts.iter().cloned().flatten().collect::<Vec<_>>(), (0..orders.len()).collect::<Vec<_>>());
            for part in parts {
                prop_assert!(items(&orders[part]) <= ITEMS_PER_TRANSACTION);
            }
        }
    }
}
