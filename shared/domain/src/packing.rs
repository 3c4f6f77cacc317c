//! How a batch's writes are grouped into transactions.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::limits::ITEMS_PER_TRANSACTION;
use crate::order::Order;

/// The journal's entry of a transaction.
const ENTRY: usize = 1;

/// Groups orders, named by their places, so that each group fits into a transaction: its orders, each product once,
/// and one entry.
///
/// A batch touches a product once wherever that can be: orders that share products, directly or through others, stay
/// together unless they are too many for one transaction. In a group orders stand in their sequence, and of two groups
/// that want the same product the earlier orders are in the first, so that stock goes to the first orders that fit. So
/// it is with rows of the same order id: the first of them wins.
///
/// The groups depend on nothing but the orders, so that a repetition makes the same ones.
pub fn parts<'a>(orders: impl IntoIterator<Item = &'a Order>) -> Vec<Vec<usize>> {
    let (ids, products): (Vec<&str>, Vec<BTreeSet<&str>>) = orders
        .into_iter()
        .map(|order| (order.order_id.as_str(), order.units().into_keys().collect()))
        .unzip();
    let mut parts: Vec<Part<'_>> = Vec::new();
    for cluster in clusters(&ids, &products) {
        let whole = Part::of(&products, &cluster);
        let room = parts.iter_mut().find(|part| fits(part, &whole));
        match room {
            Some(part) => part.take(whole),
            None if whole.items() <= ITEMS_PER_TRANSACTION => parts.push(whole),
            None => parts.extend(cut(&products, &cluster)),
        }
    }
    let mut parts: Vec<Vec<usize>> = parts.into_iter().map(|part| part.orders).collect();
    for part in &mut parts {
        part.sort_unstable();
    }
    parts
}

/// Orders of one transaction, and their products.
struct Part<'a> {
    orders: Vec<usize>,
    products: BTreeSet<&'a str>,
}

impl<'a> Part<'a> {
    fn of(products: &[BTreeSet<&'a str>], orders: &[usize]) -> Part<'a> {
        let all = orders.iter().filter_map(|order| products.get(*order));
        Part {
            orders: orders.to_vec(),
            products: all.flatten().copied().collect(),
        }
    }

    fn items(&self) -> usize {
        [self.orders.len(), self.products.len(), ENTRY]
            .iter()
            .fold(0, |sum, count| sum.saturating_add(*count))
    }

    fn take(&mut self, other: Part<'a>) {
        self.orders.extend(other.orders);
        self.products.extend(other.products);
    }
}

/// Orders that share an id or products, directly or through others; the clusters in the sequence of their first orders.
fn clusters(ids: &[&str], products: &[BTreeSet<&str>]) -> Vec<Vec<usize>> {
    // Every order leads to an earlier one of its cluster, or to itself.
    let mut leads: Vec<usize> = (0..products.len()).collect();
    let first = |leads: &[usize], order: usize| {
        let mut order = order;
        while let Some(earlier) = leads
            .get(order)
            .copied()
            .filter(|earlier| *earlier != order)
        {
            order = earlier;
        }
        order
    };
    let mut wanted_by: HashMap<(bool, &str), usize> = HashMap::new();
    for (order, (id, products)) in ids.iter().zip(products).enumerate() {
        let products = products.iter().map(|sku| (false, *sku));
        for shared in products.chain([(true, *id)]) {
            let other = *wanted_by.entry(shared).or_insert(order);
            let (one, other) = (first(&leads, order), first(&leads, other));
            if let Some(lead) = leads.get_mut(one.max(other)) {
                *lead = one.min(other);
            }
        }
    }
    let mut clusters: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for order in 0..products.len() {
        let cluster = clusters.entry(first(&leads, order)).or_default();
        cluster.push(order);
    }
    clusters.into_values().collect()
}

/// A cluster that is too large for one transaction, in runs of its sequence.
fn cut<'a>(products: &[BTreeSet<&'a str>], cluster: &[usize]) -> Vec<Part<'a>> {
    let mut parts: Vec<Part<'a>> = Vec::new();
    for order in cluster {
        let alone = Part::of(products, std::slice::from_ref(order));
        match parts.last_mut() {
            Some(part) if fits(part, &alone) => part.take(alone),
            _ => parts.push(alone),
        }
    }
    parts
}

fn fits(part: &Part<'_>, more: &Part<'_>) -> bool {
    let new = more.products.difference(&part.products).count();
    let items = [part.items(), more.orders.len(), new];
    items.iter().sum::<usize>() <= ITEMS_PER_TRANSACTION
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::LINES_PER_ORDER;
    use crate::order::TotalPolicy;
    use crate::order::tests::{draft, order};
    use proptest::prelude::*;

    fn items(orders: &[&Order]) -> usize {
        orders.len() + crate::stock::demand(orders.iter().copied()).len() + 1
    }

    /// An order for each list of products, named by numbers.
    fn orders(products: &[Vec<u16>]) -> Vec<Order> {
        let orders = products.iter().zip(1..).map(|(skus, row)| {
            let skus: Vec<String> = skus.iter().map(|sku| format!("S-{sku}")).collect();
            let lines: Vec<(&str, u32)> = skus.iter().map(|sku| (sku.as_str(), 1)).collect();
            let draft = draft(row, &format!("O-{row}"), &lines);
            Order::new(draft, TotalPolicy::Declared).expect("valid")
        });
        orders.collect()
    }

    /// In how many transactions each product is.
    fn touched(orders: &[Order], parts: &[Vec<usize>]) -> BTreeMap<String, usize> {
        let mut touched = BTreeMap::new();
        for part in parts {
            let skus: BTreeSet<&str> = part
                .iter()
                .flat_map(|order| orders[*order].units().into_keys())
                .collect();
            for sku in skus {
                *touched.entry(sku.to_owned()).or_default() += 1;
            }
        }
        touched
    }

    #[test]
    fn a_full_batch_of_single_lines_is_one_transaction() {
        let orders: Vec<Order> = (0..40)
            .map(|row| order(row, &format!("O-{row}"), &format!("S-{row}"), 1))
            .collect();
        assert_eq!(parts(&orders), vec![(0..40).collect::<Vec<_>>()]);
        assert_eq!(parts([]), Vec::<Vec<usize>>::new());
    }

    #[test]
    fn the_largest_order_fits_alone() {
        let orders = orders(&[(0..LINES_PER_ORDER as u16).collect()]);
        assert!(items(&[&orders[0]]) <= ITEMS_PER_TRANSACTION);
    }

    #[test]
    fn orders_that_share_products_stay_together_though_others_stand_between_them() {
        // Two families of 60 products in turn: in their sequence, every product would be in two.
        let family = |first: u16| (first..first + 60).collect::<Vec<_>>();
        let orders = orders(&[family(0), family(100), family(0), family(100)]);
        let parts = parts(&orders);
        assert_eq!(parts, vec![vec![0, 2], vec![1, 3]]);
        assert!(touched(&orders, &parts).values().all(|times| *times == 1));
    }

    #[test]
    fn rows_of_one_order_id_keep_their_sequence() {
        let mut orders = orders(&[
            (0..60).collect(),
            (100..160).collect(),
            (200..230).collect(),
        ]);
        orders[2].order_id = orders[1].order_id.clone();
        // By products alone, the last would have found room in the first part.
        assert_eq!(parts(&orders), vec![vec![0], vec![1, 2]]);
    }

    #[test]
    fn a_group_is_filled_to_the_last_item() {
        // 49 orders of a product each and the entry are 99 items: one more order fits where its product is there already.
        let mut products: Vec<Vec<u16>> = (0..49).map(|sku| vec![sku]).collect();
        products.push(vec![0]);
        assert_eq!(parts(&orders(&products)).len(), 1);
        products.push(vec![50]);
        assert_eq!(parts(&orders(&products)).len(), 2);
        // And in a cluster of its own size: 60 orders of 40 products.
        let chain: Vec<Vec<u16>> = (0..60).map(|at| vec![at % 40, (at + 1) % 40]).collect();
        let chain = orders(&chain);
        let parts = parts(&chain);
        assert_eq!(parts.len(), 2);
        assert_eq!(parts[0], (0..59).collect::<Vec<_>>());
    }

    proptest! {
        #[test]
        fn every_order_is_in_one_part_no_part_is_too_large_and_products_meet_once_where_they_can(
            products in prop::collection::vec(prop::collection::vec(0u16..400, 1..30), 0..60)
        ) {
            let orders = orders(&products);
            let parts = parts(&orders);
            let mut all: Vec<usize> = parts.concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..orders.len()).collect::<Vec<_>>());
            for part in &parts {
                prop_assert!(part.is_sorted());
                let part: Vec<&Order> = part.iter().map(|order| &orders[*order]).collect();
                prop_assert!(items(&part) <= ITEMS_PER_TRANSACTION);
            }
            // Of two orders that want the same product, the first is never in a later part.
            for (later, part) in parts.iter().enumerate() {
                for earlier in &parts[..later] {
                    let shared = |one: usize, other: usize| orders[one].units().keys().any(|sku| orders[other].units().contains_key(sku));
                    prop_assert!(!part.iter().any(|one| earlier.iter().any(|other| one < other && shared(*one, *other))));
                }
            }
            // A product that is in two parts belongs to a cluster that is too large for one.
            let products: Vec<BTreeSet<&str>> = orders.iter().map(|order| order.units().into_keys().collect()).collect();
            let ids: Vec<&str> = orders.iter().map(|order| order.order_id.as_str()).collect();
            let times = touched(&orders, &parts);
            for cluster in clusters(&ids, &products) {
                let whole = Part::of(&products, &cluster);
                let once = whole.products.iter().all(|sku| times[*sku] == 1);
                prop_assert!(once || whole.items() > ITEMS_PER_TRANSACTION);
            }
        }
    }
}
