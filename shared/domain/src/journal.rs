//! The journal: one entry for each transaction that settled orders. Everything derived is derived from it.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::ids;
use crate::money::Currency;
use crate::order::{Line, Order};
use crate::pricing::Prices;
use crate::status::{Event, Reason};

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
    /// The entry of a conflict is stored without this count, so that a release that knows no conflicts refuses it.
    #[serde(default)]
    pub duplicates: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conflict: Option<Box<Conflict>>,
}

/// A row that states other content for an order id than the existing order has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    pub row: u64,
    pub order_id: String,
    pub customer_id: String,
    pub currency: Currency,
    pub total: Decimal,
    pub lines: Vec<Line>,
    /// Whether the row leaves its prices to the catalog.
    #[serde(default, skip_serializing_if = "Prices::are_stated")]
    pub prices: Prices,
}

impl Conflict {
    pub fn of(order: &Order) -> Conflict {
        Conflict {
            row: order.row,
            order_id: order.order_id.clone(),
            customer_id: order.customer_id.clone(),
            currency: order.currency,
            total: order.total,
            lines: order.lines.clone(),
            prices: order.prices,
        }
    }
}

/// The partitions that hold the entries of a day.
pub fn partitions(day: Date) -> impl Iterator<Item = String> {
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
    /// Why it goes back, in the words of whoever asked for that.
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What somebody did with a completed order.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub deed: Option<Deed>,
    #[serde(rename = "m")]
    pub currency: Currency,
    /// What the order costs, or what is refunded of it, or what is to go back of it since it is cancelled.
    #[serde(rename = "t")]
    pub total: Decimal,
    /// What was ordered, or what comes back of it.
    #[serde(rename = "l")]
    pub lines: Vec<(String, u32, Decimal)>,
}

/// What somebody did with an order, and who it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deed {
    #[serde(rename = "k")]
    pub kind: Kind,
    #[serde(rename = "b")]
    pub requested_by: String,
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Shipped,
    Delivered,
    /// The lines of the change are the units that came back by it.
    Cancelled,
}

impl Kind {
    pub const ALL: [Kind; 3] = [Kind::Shipped, Kind::Delivered, Kind::Cancelled];

    pub fn event(self) -> Event {
        match self {
            Kind::Shipped => Event::Ship,
            Kind::Delivered => Event::Deliver,
            Kind::Cancelled => Event::Cancel,
        }
    }

    /// An order goes through each of them once, so it names its entry.
    pub fn entry_id(self, order_id: &str) -> String {
        let verb = match self {
            Kind::Shipped => "ship",
            Kind::Delivered => "deliver",
            Kind::Cancelled => "cancel",
        };
        format!("{verb}-{order_id}")
    }
}

/// What a change says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Completed,
    Failed(Reason),
    Refunded,
    Done(Kind),
}

impl Change {
    pub fn new(order: &Order, failure: Option<Reason>) -> Change {
        Change {
            order_id: order.order_id.clone(),
            customer_id: order.customer_id.clone(),
            failure,
            refund_id: None,
            reason: None,
            deed: None,
            currency: order.currency,
            total: order.total,
            lines: order
                .lines
                .iter()
                .map(|line| (line.sku.clone(), line.quantity, line.unit_price))
                .collect(),
        }
    }

    /// Why somebody did this, where he said so.
    pub fn why(&self) -> Option<&str> {
        let of_deed = || self.deed.as_ref()?.reason.as_deref();
        self.reason.as_deref().or_else(of_deed)
    }

    pub fn outcome(&self) -> Outcome {
        match (self.failure, &self.refund_id, &self.deed) {
            (Some(reason), _, _) => Outcome::Failed(reason),
            (None, Some(_), _) => Outcome::Refunded,
            (None, None, Some(deed)) => Outcome::Done(deed.kind),
            (None, None, None) => Outcome::Completed,
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
            partition: partition_on(at.to_zoned(zone.clone()).date(), batch_id),
            entry_id: format!("{batch_id}-{step}-{row}"),
            import_id: import_id.to_owned(),
            at,
            completed: changes.len().saturating_sub(failed) as u64,
            failed: failed as u64,
            duplicates: 0,
            changes,
            conflict: None,
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
        Entry::single(id_of_refund(refund_id), import_id, change, at, zone)
    }

    /// An entry for what somebody did with an order.
    pub fn done(
        kind: Kind,
        import_id: &str,
        change: Change,
        at: Timestamp,
        zone: &TimeZone,
    ) -> Entry {
        let entry_id = kind.entry_id(&change.order_id);
        Entry::single(entry_id, import_id, change, at, zone)
    }

    /// One that settles no order.
    fn single(
        entry_id: String,
        import_id: &str,
        change: Change,
        at: Timestamp,
        zone: &TimeZone,
    ) -> Entry {
        Entry {
            partition: partition_on(at.to_zoned(zone.clone()).date(), &entry_id),
            entry_id,
            import_id: import_id.to_owned(),
            at,
            completed: 0,
            failed: 0,
            duplicates: 0,
            changes: vec![change],
            conflict: None,
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
            conflict: None,
        }
    }

    /// An entry for a row that states other content than the existing order under its id. It has the key that an entry for a
    /// duplicate has, so that a row counts once as either.
    pub fn conflict(import_id: &str, order: &Order, at: Timestamp) -> Entry {
        Entry {
            duplicates: 0,
            conflict: Some(Box::new(Conflict::of(order))),
            ..Entry::duplicate(import_id, order, at)
        }
    }

    /// Rows that this entry counts as conflicts.
    pub fn conflicts(&self) -> u64 {
        u64::from(self.conflict.is_some())
    }
}

/// The entry of a refund that succeeded.
pub fn id_of_refund(refund_id: &str) -> String {
    format!("refund-{refund_id}")
}

/// Where an entry of that business day lies: one of settled orders by its batch, any other by its id.
pub fn partition_on(day: Date, key: &str) -> String {
    partition(&day.to_string(), key)
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
    fn a_change_says_one_thing_whenever_it_was_written() {
        let read = |text: &str| -> Change { serde_json::from_str(text).expect("a change") };
        let change = |more: &str| {
            let text = format!(r#"{{"o":"O-1","c":"C","m":"USD","t":"5.00","l":[]{more}}}"#);
            let change = read(&text);
            let again = serde_json::to_string(&change).expect("json");
            assert_eq!(read(&again), change);
            // What it does not say costs no byte.
            assert!(!again.contains("null"), "{again}");
            change.outcome()
        };
        assert_eq!(change(""), Outcome::Completed);
        let failed = Outcome::Failed(Reason::OutOfStock);
        assert_eq!(change(r#","f":"out_of_stock""#), failed);
        assert_eq!(change(r#","r":"re_1""#), Outcome::Refunded);
        let done = |kind| Outcome::Done(kind);
        let shipped = change(r#","s":{"k":"shipped","b":"ada"}"#);
        assert_eq!(shipped, done(Kind::Shipped));
        let cancelled = change(r#","s":{"k":"cancelled","b":"ada","w":"too late"}"#);
        assert_eq!(cancelled, done(Kind::Cancelled));
    }

    #[test]
    fn what_is_done_with_an_order_is_named_by_it() {
        let at: Timestamp = "2026-03-01T23:30:00Z".parse().expect("an instant");
        let zone = TimeZone::get("Europe/Berlin").expect("a bundled zone");
        for kind in Kind::ALL {
            let mut change = Change::new(&order(1, "O-1", "A", 1), None);
            change.deed = Some(Deed {
                kind,
                requested_by: "ada".to_owned(),
                reason: None,
            });
            let entry = Entry::done(kind, "im_x", change, at, &zone);
            assert_eq!(entry.entry_id, kind.entry_id("O-1"));
            let day = "2026-03-02".parse().expect("a day");
            assert_eq!(entry.partition, partition_on(day, &entry.entry_id));
            assert_eq!((entry.completed, entry.failed, entry.duplicates), (0, 0, 0));
        }
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
