//! The unit of work: what one message carries, and what the steps of the saga hand to each other.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::ids;
use crate::limits::{BYTES_PER_BATCH, KEY_BYTES, ORDERS_PER_BATCH};
use crate::order::{Contact, Order};
use crate::status::Reason;

/// Body of a message, input of the saga, input and output of `reserve`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    pub batch_id: String,
    pub import_id: String,
    /// In file order. From `reserve`: those to be charged.
    pub orders: Vec<Order>,
    /// Nothing for rows of a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<Review>,
    /// From `reserve`: some of the orders were on record before, so the gateway may know them.
    #[serde(default, skip_serializing_if = "is_false")]
    pub seen: bool,
    /// From `reserve`: those that an earlier run charged. Nobody asks the gateway about them again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paid: Vec<Order>,
    /// From `reserve`: those that failed, and whose payment must not stand.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<Order>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contacts: Vec<Contact>,
}

/// Why orders that are on record already go through the saga again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Review {
    /// The gateway says that their payment is not pending any more.
    Decided,
    /// The gateway says that it took money for them.
    Approved,
    /// Their payment was pending for too long.
    Expiry,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// Output of `pay`, input of `finalize` and `rollback`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charged {
    pub batch_id: String,
    pub import_id: String,
    pub paid: Vec<Order>,
    pub refused: Vec<Refused>,
    /// Orders are left without an answer. The others are settled all the same, and then this fails the execution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<Open>,
}

/// Why a batch has to come back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// The name of the fault.
    pub fault: String,
    pub reason: String,
}

/// An order that must be rolled back, and the known refusal that says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    #[serde(flatten)]
    pub order: Order,
    pub reason: Reason,
}

impl Batch {
    /// Orders that are on record, to be looked at again. They keep their batch's name: an order passes a step once, so
    /// what a step writes under that name and its row is written once.
    pub fn review(why: Review, batch_id: &str, import_id: &str, orders: Vec<Order>) -> Batch {
        Batch {
            batch_id: batch_id.to_owned(),
            import_id: import_id.to_owned(),
            orders,
            review: Some(why),
            seen: true,
            paid: Vec::new(),
            failed: Vec::new(),
            contacts: Vec::new(),
        }
    }

    /// Whether the steps may trust this batch. Ours always pass; what else finds its way into a queue need not.
    pub fn check(&self) -> Result<(), Fault> {
        let malformed = |what: String| Err(Fault::Malformed(what));
        for id in [&self.batch_id, &self.import_id] {
            if id.is_empty() || id.len() > KEY_BYTES {
                return malformed(format!("an id of {} bytes", id.len()));
            }
        }
        if self.orders.is_empty() || self.orders.len() > ORDERS_PER_BATCH {
            return malformed(format!(
                "{} orders are not between 1 and {ORDERS_PER_BATCH}",
                self.orders.len()
            ));
        }
        for order in &self.orders {
            if let Err(error) = order.check() {
                return malformed(format!("row {}: {error}", order.row));
            }
        }
        Ok(())
    }
}

/// A row of a window.
type Row = (Order, Contact);

/// Cuts a window of rows into batches numbered from `number` on.
///
/// Orders of one product are brought together first: a batch writes each of its products once, and two batches
/// that run at the same time seldom want the same one. Sorting keeps file order among the orders of a product.
/// Rows that repeat an order id stay together, behind the first of them, so that the first wins.
/// The same window always gives the same batches.
pub fn cut(import_id: &str, mut number: u32, window: Vec<Row>) -> Vec<Batch> {
    let window = brought_together(window);
    let repeats: Vec<(usize, usize)> = window
        .chunk_by(|(one, _), (other, _)| one.order_id == other.order_id)
        .flat_map(portions)
        .collect();
    let mut window = window.into_iter();
    let mut batches = Vec::new();
    let mut rows: Vec<Row> = Vec::new();
    let mut bytes = 0usize;
    for (count, size) in repeats {
        let many = rows.len().saturating_add(count) > ORDERS_PER_BATCH;
        if !rows.is_empty() && (many || bytes.saturating_add(size) > BYTES_PER_BATCH) {
            batches.push(batch(import_id, number, std::mem::take(&mut rows)));
            number = number.saturating_add(1);
            bytes = 0;
        }
        bytes = bytes.saturating_add(size);
        rows.extend(window.by_ref().take(count));
    }
    if !rows.is_empty() {
        batches.push(batch(import_id, number, rows));
    }
    batches
}

/// How many of these rows go together, and their bytes. Only more repeats than a batch can hold are ever torn apart.
fn portions(repeats: &[Row]) -> Vec<(usize, usize)> {
    let mut portions: Vec<(usize, usize)> = Vec::new();
    for size in repeats.iter().map(wire_bytes) {
        match portions.last_mut() {
            Some((count, bytes))
                if *count < ORDERS_PER_BATCH && bytes.saturating_add(size) <= BYTES_PER_BATCH =>
            {
                *count = count.saturating_add(1);
                *bytes = bytes.saturating_add(size);
            }
            _ => portions.push((1, size)),
        }
    }
    portions
}

/// By the first product, then by the first row of the order id, then by row.
fn brought_together(window: Vec<Row>) -> Vec<Row> {
    let mut homes: HashMap<&str, (&str, u64)> = HashMap::with_capacity(window.len());
    for (order, _) in &window {
        let sku = order.lines.first().map_or("", |line| line.sku.as_str());
        homes.entry(&order.order_id).or_insert((sku, order.row));
    }
    let place = |(order, _): &Row| (homes.get(order.order_id.as_str()).copied(), order.row);
    let mut sequence: Vec<_> = window.iter().map(place).zip(0usize..).collect();
    sequence.sort_unstable();
    let sequence: Vec<usize> = sequence.into_iter().map(|(_, index)| index).collect();
    // Rows are moved, not copied.
    let mut rows: Vec<Option<Row>> = window.into_iter().map(Some).collect();
    let moved = |index| rows.get_mut(index).and_then(Option::take);
    sequence.into_iter().filter_map(moved).collect()
}

fn batch(import_id: &str, number: u32, mut rows: Vec<Row>) -> Batch {
    rows.sort_by_key(|(order, _)| order.row);
    let mut contacts: BTreeMap<String, Contact> = BTreeMap::new();
    let mut orders = Vec::with_capacity(rows.len());
    for (order, contact) in rows {
        orders.push(order);
        if contact.is_empty() {
            continue;
        }
        let contact = match contacts.remove(&contact.customer_id) {
            Some(known) => known.updated_by(contact),
            None => contact,
        };
        contacts.insert(contact.customer_id.clone(), contact);
    }
    Batch {
        batch_id: ids::batch_id(import_id, number),
        import_id: import_id.to_owned(),
        orders,
        review: None,
        seen: false,
        paid: Vec::new(),
        failed: Vec::new(),
        contacts: contacts.into_values().collect(),
    }
}

fn wire_bytes<T: Serialize>(value: &T) -> usize {
    // A writer that only counts; the types above cannot fail to serialize.
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 = self.0.saturating_add(bytes.len());
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    match serde_json::to_writer(&mut count, value) {
        Ok(()) => count.0,
        Err(_) => BYTES_PER_BATCH,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::tests::order;
    use proptest::prelude::*;

    fn window(skus: &[u8]) -> Vec<(Order, Contact)> {
        skus.iter()
            .zip(1..)
            .map(|(sku, row)| {
                (
                    order(row, &format!("O-{row}"), &format!("S-{sku}"), 1),
                    Contact::default(),
                )
            })
            .collect()
    }

    #[test]
    fn what_is_no_batch_is_malformed() {
        let orders = |count: u64| (1..=count).map(|row| order(row, &format!("O-{row}"), "A", 1));
        let review = |batch_id: &str, import_id: &str, count| {
            let orders = orders(count).collect();
            Batch::review(Review::Expiry, batch_id, import_id, orders)
        };
        for good in [review("b", "i", 1), review("b", "i", 40)] {
            assert_eq!(good.check(), Ok(()));
        }
        let mut tampered = review("b", "i", 2);
        tampered.orders[1].lines.clear();
        for bad in [
            review("", "i", 1),
            review("b", "", 1),
            review(&"b".repeat(KEY_BYTES + 1), "i", 1),
            review("b", "i", 0),
            review("b", "i", 41),
            tampered,
        ] {
            assert!(matches!(bad.check(), Err(Fault::Malformed(_))), "{bad:?}");
        }
    }

    #[test]
    fn a_batch_is_filled_to_the_last_byte() {
        let row = |row, size| {
            let mut row = (order(row, &format!("O-{row}"), "A", 1), Contact::default());
            let padding = size - wire_bytes(&row) - ",\"ordered_at\":\"\"".len();
            row.0.ordered_at = Some("x".repeat(padding));
            assert_eq!(wire_bytes(&row), size);
            row
        };
        let half = BYTES_PER_BATCH / 2;
        let count = |size| cut("im_x", 0, vec![row(1, half), row(2, size)]).len();
        assert_eq!((count(half), count(half + 1)), (1, 2));
        // Repeats of one order id are torn apart where they do not fit, and not before.
        let repeats = |size| {
            let mut window = vec![row(1, half), row(2, size)];
            window[1].0.order_id = window[0].0.order_id.clone();
            portions(&window)
        };
        assert_eq!(repeats(half), vec![(2, 2 * half)]);
        assert_eq!(repeats(half + 1), vec![(1, half), (1, half + 1)]);
        let many: Vec<_> = (1..=41).map(|number| row(number, 1_000)).collect();
        assert_eq!(portions(&many), vec![(40, 40_000), (1, 1_000)]);
    }

    #[test]
    fn orders_of_a_product_share_batches() {
        let skus: Vec<u8> = (0..200).map(|row| row % 10).collect();
        let batches = cut("im_x", 7, window(&skus));
        assert_eq!(
            batches
                .iter()
                .map(|batch| batch.orders.len())
                .collect::<Vec<_>>(),
            vec![40; 5]
        );
        assert_eq!(batches[0].batch_id, "im_x-000007");
        for batch in &batches {
            assert_eq!(crate::stock::demand(&batch.orders).len(), 2);
            assert!(batch.orders.is_sorted_by_key(|order| order.row));
        }
    }

    #[test]
    fn rows_that_repeat_an_order_id_stay_behind_the_first() {
        let mut window = window(&[9; 39]);
        window.push((order(40, "O-1", "S-0", 1), Contact::default()));
        let batches = cut("im_x", 0, window);
        assert_eq!(batches.len(), 1);
        assert_eq!(
            batches[0]
                .orders
                .iter()
                .map(|order| order.row)
                .collect::<Vec<_>>(),
            (1..=40).collect::<Vec<_>>()
        );
    }

    #[test]
    fn no_batch_ends_between_a_row_and_its_repeat() {
        let mut window = window(&[5; 100]);
        window.push((order(101, "O-1", "S-5", 1), Contact::default()));
        window.push((order(102, "O-39", "S-9", 1), Contact::default()));
        for batch in cut("im_x", 0, window) {
            for (first, repeat) in [(1, 101), (39, 102)] {
                let has = |row| batch.orders.iter().any(|order| order.row == row);
                assert_eq!(has(first), has(repeat), "rows {first} and {repeat}");
            }
        }
    }

    #[test]
    fn repeats_too_large_for_one_batch_are_torn_apart() {
        let large = |row| {
            let skus: Vec<String> = (0..90).map(|sku| format!("{sku:0128}")).collect();
            let lines: Vec<(&str, u32)> = skus.iter().map(|sku| (sku.as_str(), 1)).collect();
            let draft = crate::order::tests::draft(row, "O-1", &lines);
            let order = Order::new(draft, crate::order::TotalPolicy::Declared).expect("valid");
            (order, Contact::default())
        };
        let batches = cut("im_x", 0, (1..=40).map(large).collect());
        assert!(batches.len() > 10);
        for batch in &batches {
            assert!(wire_bytes(batch) <= BYTES_PER_BATCH + 200);
        }
        let rows: Vec<u64> = batches
            .iter()
            .flat_map(|batch| &batch.orders)
            .map(|order| order.row)
            .collect();
        assert_eq!(rows, (1..=40).collect::<Vec<_>>());
    }

    #[test]
    fn later_contact_data_adds_to_earlier() {
        let contact = |name: &str, email: Option<&str>| Contact {
            customer_id: "C-1".to_owned(),
            name: Some(name.to_owned()),
            email: email.map(str::to_owned),
            ..Contact::default()
        };
        let rows = vec![
            (
                order(1, "O-1", "A", 1),
                contact("Ada", Some("ada@example.com")),
            ),
            (order(2, "O-2", "A", 1), contact("Ada B.", None)),
        ];
        let batches = cut("im_x", 0, rows);
        assert_eq!(
            batches[0].contacts,
            vec![contact("Ada B.", Some("ada@example.com"))]
        );
    }

    proptest! {
        #[test]
        fn every_row_is_in_one_batch_and_no_batch_is_too_large(skus in prop::collection::vec(any::<u8>(), 0..300)) {
            let batches = cut("im_x", 0, window(&skus));
            prop_assert_eq!(&batches, &cut("im_x", 0, window(&skus)));
            let mut rows: Vec<u64> = batches.iter().flat_map(|batch| batch.orders.iter().map(|order| order.row)).collect();
            rows.sort_unstable();
            prop_assert_eq!(rows, (1..=skus.len() as u64).collect::<Vec<_>>());
            for batch in batches {
                prop_assert_eq!(batch.check(), Ok(()));
                prop_assert!(wire_bytes(&batch) <= BYTES_PER_BATCH + 200);
            }
        }
    }
}
