//! Whether the journal says of each order what was done with it after it was completed; and whether all that was left of a
//! cancelled one went back.

use std::collections::HashMap;

use domain::ids;
use domain::journal::{Change, Entry, Kind, Outcome};
use domain::refund::RefundStatus;
use domain::status::has_had;
use jiff::Timestamp;
use rust_decimal::Decimal;
use store::orders::OrderRecord;

use super::refunds::OfOrder;
use super::{Books, Check};

type Told<'a> = Vec<(&'a Entry, &'a Change)>;

impl Books {
    pub(super) fn lifecycle(&self) -> Check {
        let mut check = Check::new("lifecycle");
        let mut told: HashMap<(&str, Kind), Told<'_>> = HashMap::new();
        for entry in &self.entries {
            for change in &entry.changes {
                if let Outcome::Done(kind) = change.outcome() {
                    let of = (change.order_id.as_str(), kind);
                    told.entry(of).or_default().push((entry, change));
                }
            }
        }
        let refunds = self.refunds_by_order();
        for order in self.orders.values() {
            let (id, status) = (order.order_id.as_str(), order.status);
            for kind in Kind::ALL {
                let at = instant(order, kind);
                check.expect(at.is_some() == has_had(status, kind.event()), || {
                    format!("{id} is {status}, and {kind:?} at {at:?}")
                });
                let told = told.remove(&(id, kind)).unwrap_or_default();
                check.expect(told.len() == usize::from(at.is_some()), || {
                    format!("{id} is {status}, and {kind:?} in {} entries", told.len())
                });
                for (entry, change) in told {
                    let agrees = agrees(order, kind, entry, change, refunds.get(id));
                    check.expect(agrees, || {
                        format!("{} says {change:?}, and the order does not", entry.name())
                    });
                    check.checked += 1;
                    if kind == Kind::Cancelled {
                        let wrong = self.unrefunded(order, change.total);
                        check.drift.extend(wrong);
                    }
                }
            }
            let refund = self.refunds.get(&ids::refund_id_of_cancelled(id));
            check.expect(refund.is_none() || order.cancelled_at.is_some(), || {
                format!("{id} is {status}, and refunded as if it were cancelled")
            });
        }
        for (of, told) in told {
            let entries = told.len();
            let drift = format!("{of:?} stands in {entries} entries, and is no order");
            check.drift.push(drift);
        }
        check
    }

    /// What is wrong with the refund of a cancelled order, of which so much was left.
    fn unrefunded(&self, order: &OrderRecord, left: Decimal) -> Option<String> {
        let id = &order.order_id;
        let refund_id = ids::refund_id_of_cancelled(id);
        let Some(refund) = self.refunds.get(&refund_id) else {
            let settled = left.is_zero() && order.refunded == order.total;
            return (!settled).then(|| format!("{id} is cancelled, and {left} has no refund"));
        };
        let is_all = refund.amount == left && refund.full && refund.lines.is_empty();
        if !is_all || refund.order_id != *id {
            let amount = refund.amount;
            return Some(format!(
                "{id} is cancelled, {left} was left, and {refund_id} is over {amount}"
            ));
        }
        // Where the gateway refused it, the rest is owed, and can be asked for otherwise.
        let owed = refund.status == RefundStatus::Failed || order.refundable.is_zero();
        (!owed).then(|| format!("{id} is cancelled, and {} was left out", order.refundable))
    }
}

fn instant(order: &OrderRecord, kind: Kind) -> Option<Timestamp> {
    match kind {
        Kind::Shipped => order.shipped_at,
        Kind::Delivered => order.delivered_at,
        Kind::Cancelled => order.cancelled_at,
    }
}

fn agrees(
    order: &OrderRecord,
    kind: Kind,
    entry: &Entry,
    change: &Change,
    refunds: Option<&OfOrder>,
) -> bool {
    let lines = order.lines.iter().enumerate();
    let left = lines.filter_map(|(at, line)| {
        let back = refunds.map_or(0, |refunds| refunds.returned(at));
        let left = u64::from(line.quantity).saturating_sub(back);
        let back = kind == Kind::Cancelled && left > 0;
        back.then_some((line.sku.as_str(), left, line.unit_price))
    });
    let said = change.lines.iter();
    let said = said.map(|(sku, units, price)| (sku.as_str(), u64::from(*units), *price));
    entry.entry_id == kind.entry_id(&order.order_id)
        && instant(order, kind) == Some(entry.at)
        && change.customer_id == order.customer_id
        && change.currency == order.currency
        && (kind == Kind::Cancelled || change.total == order.total)
        && left.eq(said)
}
