//! The unit of work: what one message carries, and what the steps of the saga hand to each other.

use std::collections::HashMap;

use jiff::Timestamp;
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
    /// When the file was uploaded: this dates its contact data. Batches of older releases do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uploaded_at: Option<Timestamp>,
    /// For each customer, the contact data that the last of its rows states.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contacts: Vec<RowsContact>,
    /// Other contact data that earlier rows state. Apart, because older releases take one contact for each customer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier_contacts: Vec<RowsContact>,
}

/// Contact data, and the rows that state it. It is stored only if one of them becomes an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowsContact {
    #[serde(flatten)]
    pub contact: Contact,
    /// Ascending. Batches of older releases name no rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<u64>,
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
            uploaded_at: None,
            contacts: Vec::new(),
            earlier_contacts: Vec::new(),
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
pub fn cut(
    import_id: &str,
    uploaded_at: Timestamp,
    mut number: u32,
    window: Vec<Row>,
) -> Vec<Batch> {
    let batch = |number, rows| batch(import_id, uploaded_at, number, rows);
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
            batches.push(batch(number, std::mem::take(&mut rows)));
            number = number.saturating_add(1);
            bytes = 0;
        }
        bytes = bytes.saturating_add(size);
        rows.extend(window.by_ref().take(count));
    }
    if !rows.is_empty() {
        batches.push(batch(number, rows));
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

fn batch(import_id: &str, uploaded_at: Timestamp, number: u32, mut rows: Vec<Row>) -> Batch {
    rows.sort_by_key(|(order, _)| order.row);
    let mut orders = Vec::with_capacity(rows.len());
    let mut contacts: Vec<RowsContact> = Vec::new();
    let mut earlier_contacts = Vec::new();
    for (order, contact) in rows {
        let row = order.row;
        orders.push(order);
        if contact.is_empty() {
            continue;
        }
        let stated = RowsContact {
            contact,
            rows: vec![row],
        };
        let of_customer =
            |known: &&mut RowsContact| known.contact.customer_id == stated.contact.customer_id;
        match contacts.iter_mut().find(of_customer) {
            Some(known) if known.contact == stated.contact => known.rows.push(row),
            Some(known) => earlier_contacts.push(std::mem::replace(known, stated)),
            None => contacts.push(stated),
        }
    }
    Batch {
        batch_id: ids::batch_id(import_id, number),
        import_id: import_id.to_owned(),
        orders,
        review: None,
        seen: false,
        paid: Vec::new(),
        failed: Vec::new(),
        uploaded_at: Some(uploaded_at),
        contacts,
        earlier_contacts,
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
mod tests;
