//! The journal: one entry for each transaction that settled orders. Everything derived is derived from it.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::ids;
use crate::money::Currency;
use crate::order::Order;
use crate::status::Reason;

/// Partitions of a day, so that no single one takes all the writes.
pub const BUCKETS: u8 = 16;

/// Rows that found their order id taken. They belong to no day: nothing but their import counts them.
const DUPLICATES: &str = "duplicates";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// `day#bucket` of the business day on which this happened.
    pub partition: String,
    pub entry_id: String,
    pub import_id: String,
    pub at: Timestamp,
    /// Counts of what is below, so that progress can be read without it.
    pub completed: u64,
    pub failed: u64,
    pub duplicates: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
}

/// The partitions that hold the entries of a day.
pub fn partitions(day: jiff::civil::Date) -> impl Iterator<Item = String> {
    buckets(day.to_string())
}

/// The partitions that hold the entries of rows that are duplicates.
pub fn of_duplicates() -> impl Iterator<Item = String> {
    buckets(DUPLICATES.to_owned())
}

fn buckets(of: String) -> impl Iterator<Item = String> {
    (0..BUCKETS).map(move |bucket| format!("{of}#{bucket:02}"))
}

/// What became of one order. Names are short: an entry is billed by the kilobyte and holds dozens of these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    #[serde(rename = "o")]
    pub order_id: String,
    #[serde(rename = "c")]
    pub customer_id: String,
    /// The reason of a failed order; a completed one has none.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Reason>,
    /// The refund that this is: part of a completed order goes back.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub refund_id: Option<String>,
    #[serde(rename = "m")]
    pub currency: Currency,
    /// What the order costs, or what is refunded of it.
    #[serde(rename = "t")]
    pub total: Decimal,
    /// What was ordered, or what comes back of it.
    #[serde(rename = "l")]
    pub lines: Vec<(String, u32, Decimal)>,
}

/// What a change says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Completed,
    Failed(Reason),
    Refunded,
}

impl Change {
    pub fn new(order: &Order, failure: Option<Reason>) -> Change {
        Change {
            order_id: order.order_id.clone(),
            customer_id: order.customer_id.clone(),
            failure,
            refund_id: None,
            currency: order.currency,
            total: order.total,
            lines: order
                .lines
                .iter()
                .map(|line| (line.sku.clone(), line.quantity, line.unit_price))
                .collect(),
        }
    }

    pub fn outcome(&self) -> Outcome {
        match (self.failure, &self.refund_id) {
            (Some(reason), _) => Outcome::Failed(reason),
            (None, Some(_)) => Outcome::Refunded,
            (None, None) => Outcome::Completed,
        }
    }
}

impl Entry {
    /// An entry for orders that `step` settled together in one transaction.
    ///
    /// An order is settled by a step once, so a step and the row of one of its orders name an entry uniquely.
    pub fn settled(
        step: &str,
        batch_id: &str,
        import_id: &str,
        row: u64,
        changes: Vec<Change>,
        at: Timestamp,
        zone: &TimeZone,
    ) -> Entry {
        let failed = changes
            .iter()
            .filter(|change| change.failure.is_some())
            .count();
        Entry {
            partition: partition(&at.to_zoned(zone.clone()).date().to_string(), batch_id),
            entry_id: format!("{batch_id}-{step}-{row}"),
            import_id: import_id.to_owned(),
            at,
            completed: changes.len().saturating_sub(failed) as u64,
            failed: failed as u64,
            duplicates: 0,
            changes,
        }
    }

    /// The one name under which it is known everywhere.
    pub fn name(&self) -> String {
        format!("{}/{}", self.partition, self.entry_id)
    }

    /// An entry for a refund that succeeded. A refund succeeds once, so it names its entry.
    pub fn refunded(
        refund_id: &str,
        import_id: &str,
        change: Change,
        at: Timestamp,
        zone: &TimeZone,
    ) -> Entry {
        let entry_id = format!("refund-{refund_id}");
        Entry {
            partition: partition(&at.to_zoned(zone.clone()).date().to_string(), &entry_id),
            entry_id,
            import_id: import_id.to_owned(),
            at,
            completed: 0,
            failed: 0,
            duplicates: 0,
            changes: vec![change],
        }
    }

    /// An entry for a row that found its order id taken.
    ///
    /// It is named by the row alone, and its partition does not depend on the day: however the batches were cut, and
    /// whenever it is repeated, the same row finds the same key.
    pub fn duplicate(import_id: &str, order: &Order, at: Timestamp) -> Entry {
        let entry_id = format!("{import_id}-duplicate-{}", order.row);
        Entry {
            partition: partition(DUPLICATES, &entry_id),
            entry_id,
            import_id: import_id.to_owned(),
            at,
            completed: 0,
            failed: 0,
            duplicates: 1,
            changes: Vec::new(),
        }
    }
}

fn partition(day: &str, batch_id: &str) -> String {
    format!("{day}#{:02}", ids::bucket(batch_id, BUCKETS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::tests::order;

    #[test]
    fn an_entry_counts_what_it_holds_on_the_day_of_the_business() {
        let changes = vec![
            Change::new(&order(3, "O-3", "A", 1), None),
            Change::new(&order(4, "O-4", "A", 1), Some(Reason::OutOfStock)),
        ];
        let at: Timestamp = "2026-03-01T23:30:00Z".parse().expect("an instant");
        let zone = TimeZone::get("Europe/Berlin").expect("a bundled zone");
        let entry = Entry::settled("finalize", "im_x-000001", "im_x", 3, changes, at, &zone);
        assert!(
            entry.partition.starts_with("2026-03-02#"),
            "{}",
            entry.partition
        );
        assert_eq!(
            (entry.completed, entry.failed, entry.entry_id.as_str()),
            (1, 1, "im_x-000001-finalize-3")
        );
    }

    #[test]
    fn duplicates_keep_their_key_on_the_next_day() {
        let on = |at: &str| {
            let at = at.parse().expect("an instant");
            Entry::duplicate("im_x", &order(4, "O-1", "A", 1), at)
        };
        let (today, tomorrow) = (on("2026-03-01T12:00:00Z"), on("2026-03-02T12:00:00Z"));
        assert_eq!(
            (&today.partition, &today.entry_id),
            (&tomorrow.partition, &tomorrow.entry_id)
        );
    }
}
