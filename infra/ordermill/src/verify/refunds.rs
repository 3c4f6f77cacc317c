//! Whether each refund belongs to an order, and is told of by the journal if, and only if, the money went back.

use std::collections::{BTreeMap, HashMap};

use domain::Status;
use domain::journal::{Change, Outcome};
use domain::refund::RefundStatus;
use rust_decimal::Decimal;
use store::orders::OrderRecord;
use store::refunds::RefundRecord;

use super::{Books, Check};

/// What the refunds of one order come to.
#[derive(Debug, Default)]
pub struct OfOrder {
    refunding: Decimal,
    refunded: Decimal,
    /// Units by line, of those that are open or completed.
    returned: BTreeMap<usize, u64>,
}

impl OfOrder {
    pub fn add(&mut self, refund: &RefundRecord) {
        match refund.status {
            RefundStatus::Pending | RefundStatus::Processing => self.refunding += refund.amount,
            RefundStatus::Completed => self.refunded += refund.amount,
            RefundStatus::Failed | RefundStatus::Cancelled => return,
        }
        for line in &refund.lines {
            *self.returned.entry(line.line).or_default() += u64::from(line.quantity);
        }
    }

    /// Whether the order says the same, and no line came back that was not ordered. All of a cancelled one came back.
    pub fn explain(&self, order: &OrderRecord) -> bool {
        let ordered = order.lines.iter().map(|line| line.quantity);
        let returned = match order.status {
            Status::Cancelled => by_line(ordered.clone()),
            _ => self.returned.clone(),
        };
        let ordered = by_line(ordered);
        let ordered = |line| ordered.get(line).copied().unwrap_or_default();
        let mut lines = self.returned.iter();
        self.refunding == order.refunding
            && self.refunded == order.refunded
            && returned == by_line(order.returned.iter().copied())
            && lines.all(|(line, units)| *units <= ordered(line))
    }

    /// Units of a line that came back by refunds.
    pub fn returned(&self, line: usize) -> u64 {
        self.returned.get(&line).copied().unwrap_or_default()
    }
}

fn by_line(units: impl Iterator<Item = u32>) -> BTreeMap<usize, u64> {
    let units = units.map(u64::from).enumerate();
    units.filter(|(_, units)| *units > 0).collect()
}

impl Books {
    /// What the refunds of each order come to.
    pub(super) fn refunds_by_order(&self) -> HashMap<&str, OfOrder> {
        let mut refunds: HashMap<&str, OfOrder> = HashMap::new();
        for refund in self.refunds.values() {
            refunds.entry(&refund.order_id).or_default().add(refund);
        }
        refunds
    }

    pub(super) fn refunds(&self) -> Check {
        let mut check = Check::new("refunds");
        let changes = self.entries.iter().flat_map(|entry| &entry.changes);
        let mut told: HashMap<&str, Vec<&Change>> = HashMap::new();
        for change in changes.filter(|change| change.outcome() == Outcome::Refunded) {
            let id = change.refund_id.as_deref().unwrap_or_default();
            told.entry(id).or_default().push(change);
        }
        for refund in self.refunds.values() {
            let (id, status) = (&refund.refund_id, refund.status);
            let order = self.orders.get(&refund.order_id);
            check.expect(order.is_some_and(|order| is_of(refund, order)), || {
                format!("{id} is of order {}, which says otherwise", refund.order_id)
            });
            let told = told.remove(id.as_str()).unwrap_or_default();
            let expected = usize::from(status == RefundStatus::Completed);
            check.expect(told.len() == expected, || {
                format!("{id} is {status} and stands in {} entries", told.len())
            });
            for change in told {
                check.expect(is_told(refund, change), || {
                    let (amount, order_id) = (change.total, &change.order_id);
                    format!("{id}: an entry says {amount} of {order_id}, and the refund does not")
                });
            }
            check.expect(status.is_open() == refund.ended_at.is_none(), || {
                format!(
                    "{id} is {status}, and its end is on record at {:?}",
                    refund.ended_at
                )
            });
            check.checked += 1;
        }
        for (id, told) in told {
            let entries = told.len();
            check.drift.push(format!(
                "{id} stands in {entries} entries, and is not on record"
            ));
        }
        check
    }
}

fn is_of(refund: &RefundRecord, order: &OrderRecord) -> bool {
    let lines = refund.lines.iter();
    let ordered = lines.map(|line| (line, order.lines.get(line.line)));
    let mut same = ordered.map(|(line, ordered)| {
        ordered
            .is_some_and(|ordered| ordered.sku == line.sku && ordered.unit_price == line.unit_price)
    });
    refund.customer_id == order.customer_id
        && refund.currency == order.currency
        && refund.import_id == order.import_id
        && same.all(|same| same)
}

fn is_told(refund: &RefundRecord, change: &Change) -> bool {
    let lines = refund.lines.iter();
    let lines = lines.map(|line| (line.sku.clone(), line.quantity, line.unit_price));
    change.order_id == refund.order_id
        && change.customer_id == refund.customer_id
        && change.total == refund.amount
        && change.currency == refund.currency
        && lines.eq(change.lines.iter().cloned())
}
