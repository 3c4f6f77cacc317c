//! The two ways in which a reserved order is settled, do and undo side by side: completed, or failed.
//!
//! Both move orders and stock and append to the journal in one transaction for each part of the batch. What was done
//! before is success; what is not as it must be is `Corrupt`, and never repaired here.

use domain::journal::{Change, Entry};
use domain::status::{Event, has_had};
use domain::stock::demand;
use domain::{Charged, Fault, Order, Reason, packing};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::engine::Engine;
use crate::ops::{Verdict, Write};
use crate::orders::{self, Found, Origin};
use crate::retry::Store;
use crate::{journal, products};

/// When, and on which business day.
#[derive(Debug, Clone)]
pub struct Moment {
    pub now: Timestamp,
    pub zone: TimeZone,
}

/// An order on its way to its end: completed, or failed for a reason.
type Settled<'a> = (&'a Order, Option<Reason>);

impl<E: Engine> Store<E> {
    /// Completes the paid orders of a batch: their stock is sold.
    pub async fn finalize(&self, batch: &Charged, moment: &Moment) -> Result<(), Fault> {
        let orders: Vec<Settled<'_>> = batch.paid.iter().map(|order| (order, None)).collect();
        self.settle("finalize", batch, &orders, moment).await
    }

    /// Fails the refused orders of a batch: their stock is given back.
    pub async fn rollback(&self, batch: &Charged, moment: &Moment) -> Result<(), Fault> {
        let orders: Vec<Settled<'_>> = batch
            .refused
            .iter()
            .map(|refused| (&refused.order, Some(refused.reason)))
            .collect();
        self.settle("rollback", batch, &orders, moment).await
    }

    async fn settle(
        &self,
        step: &str,
        batch: &Charged,
        orders: &[Settled<'_>],
        moment: &Moment,
    ) -> Result<(), Fault> {
        for part in packing::parts(orders.iter().map(|(order, _)| *order)) {
            let mut open: Vec<Settled<'_>> = part.into_iter().map(|order| orders[order]).collect();
            // Each refusal takes at least one order out, so this ends.
            while !open.is_empty() {
                let writes = writes(step, batch, &open, moment)?;
                match self.transact(&writes).await? {
                    Ok(()) => break,
                    Err(verdicts) => open = without_settled(batch, &open, verdicts)?,
                }
            }
        }
        Ok(())
    }
}

/// The orders come first, so that a verdict's place tells the order it is about.
fn writes(
    step: &str,
    batch: &Charged,
    open: &[Settled<'_>],
    moment: &Moment,
) -> Result<Vec<Write>, Fault> {
    let now = moment.now;
    let mut writes = Vec::new();
    for (order, failure) in open {
        let origin = Origin {
            import_id: &batch.import_id,
            row: order.row,
        };
        writes.push(match failure {
            None => orders::complete(origin, order, now)?,
            Some(reason) => orders::fail(origin, order, *reason, now)?,
        });
    }
    let (sold, released): (Vec<&Settled<'_>>, Vec<&Settled<'_>>) =
        open.iter().partition(|(_, failure)| failure.is_none());
    for (sku, units) in demand(sold.into_iter().map(|(order, _)| *order)) {
        writes.push(products::sell(sku, units)?);
    }
    for (sku, units) in demand(released.into_iter().map(|(order, _)| *order)) {
        writes.push(products::release(sku, units)?);
    }
    let row = open
        .iter()
        .map(|(order, _)| order.row)
        .min()
        .unwrap_or_default();
    let changes = open
        .iter()
        .map(|(order, failure)| Change::new(order, *failure))
        .collect();
    writes.push(journal::append(&Entry::settled(
        step,
        &batch.batch_id,
        &batch.import_id,
        row,
        changes,
        now,
        &moment.zone,
    ))?);
    Ok(writes)
}

fn without_settled<'a>(
    batch: &Charged,
    open: &[Settled<'a>],
    verdicts: Vec<Verdict>,
) -> Result<Vec<Settled<'a>>, Fault> {
    let mut left = Vec::new();
    let mut in_hand = false;
    let mut verdicts = verdicts.into_iter();
    for (settled, verdict) in open.iter().zip(&mut verdicts) {
        let (order, failure) = settled;
        match verdict {
            Verdict::Fine => left.push(*settled),
            // Somebody else may be settling it at this moment: nothing can be concluded from what else was found.
            Verdict::Conflict | Verdict::Throttled => {
                in_hand = true;
                left.push(*settled);
            }
            Verdict::Condition(found) => {
                let event = if failure.is_some() {
                    Event::Fail
                } else {
                    Event::Complete
                };
                let found = found.map(Found::read).transpose()?;
                let origin = Origin {
                    import_id: &batch.import_id,
                    row: order.row,
                };
                match found {
                    Some(found) if found.is_from(origin) && has_had(found.status, event) => {}
                    // The gateway changed its mind, and another run was told: the order is paid, and stays so.
                    Some(found)
                        if found.is_from(origin)
                            && event == Event::Fail
                            && has_had(found.status, Event::Pay) => {}
                    Some(found) => {
                        let order_id = &order.order_id;
                        let (status, import_id, row) = (found.status, found.import_id, found.row);
                        return Err(Fault::Corrupt(format!(
                            "{event:?} of order {order_id} found it {status}, of row {row} of {import_id}"
                        )));
                    }
                    None => {
                        return Err(Fault::Corrupt(format!(
                            "order {} was reserved and is gone",
                            order.order_id
                        )));
                    }
                }
            }
        }
    }
    if left.len() < open.len() {
        // Stock or an entry that is not as expected is explained by the orders that are settled already.
        return Ok(left);
    }
    let batch_id = &batch.batch_id;
    Err(if in_hand {
        Fault::Transient(format!(
            "orders of batch {batch_id} are in somebody else's hand"
        ))
    } else {
        Fault::Corrupt(format!(
            "the stock or the journal contradicts batch {batch_id}"
        ))
    })
}
