//! Whether each order agrees with itself and with its refunds, and the stock with all of them.

use std::collections::HashMap;

use domain::refund::RefundStatus;
use domain::{Reason, Status};
use rust_decimal::Decimal;
use store::orders::OrderRecord;
use store::products::ProductRecord;

use super::{Books, Check};

impl Books {
    /// Stocked = available + reserved + sold, and the orders hold just what is reserved and sold, but for what came back and
    /// can be sold again. Of a cancelled order nothing is sold but what had come back before, and cannot be.
    pub(super) fn stock(&self) -> Check {
        let mut held: HashMap<&str, (u64, u64)> = HashMap::new();
        for order in self.orders.values() {
            for line in &order.lines {
                let (reserved, sold) = held.entry(&line.sku).or_default();
                if order.status.holds_reservation() {
                    *reserved += u64::from(line.quantity);
                } else if order.status.is_sold() {
                    *sold += u64::from(line.quantity);
                }
            }
        }
        let completed = self.refunds.values();
        let completed = completed.filter(|one| one.status == RefundStatus::Completed);
        let lines = completed.flat_map(|refund| {
            let order = self.orders.get(&refund.order_id);
            let cancelled = order.is_some_and(|order| order.status == Status::Cancelled);
            refund.lines.iter().map(move |line| (cancelled, line))
        });
        for (cancelled, line) in lines {
            // More than was bought shows below, as a sum that is not the product's.
            let (_, sold) = held.entry(&line.sku).or_default();
            let units = u64::from(line.quantity);
            match (cancelled, line.restock) {
                (true, false) => *sold += units,
                (false, true) => *sold = sold.saturating_sub(units),
                (true, true) | (false, false) => {}
            }
        }
        let mut check = Check::new("stock");
        for product in self.products.values() {
            let ProductRecord {
                sku,
                stocked,
                available,
                reserved,
                sold,
                ..
            } = product;
            let (held_reserved, held_sold) = held.remove(sku.as_str()).unwrap_or_default();
            check.expect(*stocked == available + reserved + sold, || {
                format!("{sku}: {stocked} stocked, but {available} + {reserved} + {sold}")
            });
            check.expect(*reserved == held_reserved, || {
                format!("{sku}: {reserved} reserved, but orders hold {held_reserved}")
            });
            check.expect(*sold == held_sold, || {
                format!("{sku}: {sold} sold, but orders bought {held_sold}")
            });
            check.checked += 1;
        }
        for (sku, (reserved, sold)) in held {
            check.expect(reserved + sold == 0, || {
                format!(
                    "{sku}: orders hold {} units of a product that is not there",
                    reserved + sold
                )
            });
        }
        check
    }

    /// Each order agrees with itself: what was paid is refunded or refundable, and what failed says why.
    pub(super) fn orders(&self) -> Check {
        let mut check = Check::new("orders");
        let mut refunds = self.refunds_by_order();
        for order in self.orders.values() {
            let OrderRecord {
                order_id,
                status,
                total,
                ..
            } = order;
            let charged = !matches!(
                status,
                Status::Reserved | Status::PaymentPending | Status::Failed
            );
            let expected = if charged { *total } else { Decimal::ZERO };
            let kept = order.refunded + order.refundable + order.refunding;
            check.expect(kept == expected, || {
                format!(
                    "{order_id}: refunded {}, refunding {} and refundable {} are not {expected}",
                    order.refunded, order.refunding, order.refundable
                )
            });
            let refunds = refunds.remove(order_id.as_str()).unwrap_or_default();
            check.expect(refunds.explain(order), || {
                format!(
                    "{order_id}: it says {:?}, and its refunds {refunds:?}",
                    order.account()
                )
            });
            // One whose payment was pending has a payment, too.
            let paid = order.paid_at.is_some() && order.payment.is_some();
            check.expect(charged == paid, || {
                format!(
                    "{order_id} is {status}, with payment {:?} at {:?}",
                    order.payment, order.paid_at
                )
            });
            check.expect(
                (*status == Status::Failed) == order.failure.is_some(),
                || format!("{order_id} is {status}, with failure {:?}", order.failure),
            );
            check.expect(!order.owes(), || {
                format!(
                    "{order_id} is {status}, and payment {:?} that came for it was not given back",
                    order.late_payment
                )
            });
            let lines: Decimal = order
                .lines
                .iter()
                .map(|line| line.unit_price * Decimal::from(line.quantity))
                .sum();
            // What was never priced does not add up.
            let unpriced = matches!(
                order.failure,
                Some(Reason::UnknownProduct | Reason::NoPrice)
            );
            check.expect(unpriced || lines + order.adjustment == *total, || {
                format!(
                    "{order_id}: lines {lines} and adjustment {} are not {total}",
                    order.adjustment
                )
            });
            check.checked += 1;
        }
        check
    }
}
