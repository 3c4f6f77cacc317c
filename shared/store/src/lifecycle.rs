//! What becomes of an order after it was completed: shipped and delivered, or cancelled before it is shipped.
//!
//! Each is one transaction of the order and the journal; a cancellation has the stock and a refund in it as well. What was
//! done before is success; what is not as it must be is `Corrupt`, and never repaired here.

use std::fmt;

use domain::journal::{Change as JournalChange, Deed, Entry, Kind};
use domain::limits::TEXT_BYTES;
use domain::order::check_text;
use domain::status::{has_had, next};
use domain::{Fault, Status, ids};
use rust_decimal::Decimal;

use crate::engine::Engine;
use crate::item::item;
use crate::ops::{Change, Condition, Write, text};
use crate::orders::{self, OrderRecord};
use crate::refunds::RefundRecord;
use crate::retry::Store;
use crate::schema::Table;
use crate::settlement::Moment;
use crate::{journal, products};

/// Why a cancelled order is refunded, where nobody said more.
const CANCELLED: &str = "the order was cancelled";

/// Who wants it, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked<'a> {
    pub requested_by: &'a str,
    pub reason: Option<&'a str>,
}

/// What became of it. The order as it is now.
#[derive(Debug, Clone, PartialEq)]
pub enum Changed {
    Done(Box<OrderRecord>),
    /// It was done before: by whomever, and for whatever reason.
    Already(Box<OrderRecord>),
    NoSuchOrder,
    Refused(Refused),
}

/// A known no, and not an error of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// An order in this status has not come so far, or is past it.
    Status(Kind, Status),
    /// Should it fail, it would take back what the cancellation returned.
    RefundOnItsWay,
    /// Such a thing cannot be asked for.
    Invalid { field: &'static str, why: String },
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::Status(kind, status) => {
                let done = match kind {
                    Kind::Shipped => "shipped",
                    Kind::Delivered => "delivered",
                    Kind::Cancelled => "cancelled",
                };
                write!(f, "an order that is {status} cannot be {done}")
            }
            Refused::RefundOnItsWay => f.write_str("a refund is on its way"),
            Refused::Invalid { why, .. } => f.write_str(why),
        }
    }
}

impl<E: Engine> Store<E> {
    pub async fn ship_order(
        &self,
        order_id: &str,
        asked: &Asked<'_>,
        moment: &Moment,
    ) -> Result<Changed, Fault> {
        self.carry_out(Kind::Shipped, order_id, asked, moment).await
    }

    pub async fn deliver_order(
        &self,
        order_id: &str,
        asked: &Asked<'_>,
        moment: &Moment,
    ) -> Result<Changed, Fault> {
        self.carry_out(Kind::Delivered, order_id, asked, moment)
            .await
    }

    /// Puts the refund of what is left on record, and back into stock what had not come back before. Whoever asks the
    /// gateway has to be told: `edge::refunds::cancel_order` does.
    pub async fn cancel_order(
        &self,
        order_id: &str,
        asked: &Asked<'_>,
        moment: &Moment,
    ) -> Result<Changed, Fault> {
        self.carry_out(Kind::Cancelled, order_id, asked, moment)
            .await
    }

    /// The refund that came with a cancellation. An order of which nothing was left to refund has none.
    pub async fn refund_of_cancelled(&self, order_id: &str) -> Result<Option<RefundRecord>, Fault> {
        self.refund(&ids::refund_id_of_cancelled(order_id)).await
    }

    async fn carry_out(
        &self,
        kind: Kind,
        order_id: &str,
        asked: &Asked<'_>,
        moment: &Moment,
    ) -> Result<Changed, Fault> {
        if let Err(refused) = check(order_id, asked) {
            return Ok(Changed::Refused(refused));
        }
        let event = kind.event();
        let mut wait = self.wait();
        let mut order = self.order(order_id).await?;
        loop {
            let Some(found) = order else {
                return Ok(Changed::NoSuchOrder);
            };
            if has_had(found.status, event) {
                return Ok(Changed::Already(Box::new(found)));
            }
            if next(Some(found.status), event).is_none() {
                return Ok(Changed::Refused(Refused::Status(kind, found.status)));
            }
            let writes = match kind {
                Kind::Cancelled if !found.refunding.is_zero() => {
                    return Ok(Changed::Refused(Refused::RefundOnItsWay));
                }
                Kind::Cancelled => cancelled(&found, asked, moment)?,
                Kind::Shipped => moved(kind, "shipped_at", &found, asked, moment)?,
                Kind::Delivered => moved(kind, "delivered_at", &found, asked, moment)?,
            };
            match self.transact(&writes).await? {
                Ok(()) => {
                    let now = self.order(order_id).await?;
                    return Ok(
                        now.map_or(Changed::NoSuchOrder, |order| Changed::Done(Box::new(order)))
                    );
                }
                Err(verdicts) => {
                    order = self.looked_again(&found, &verdicts, 0, &mut wait).await?;
                }
            }
        }
    }
}

fn check(order_id: &str, asked: &Asked<'_>) -> Result<(), Refused> {
    let fields = [
        ("order_id", Some(order_id)),
        ("requested_by", Some(asked.requested_by)),
        ("reason", asked.reason),
    ];
    for (field, value) in fields {
        let Some(value) = value else { continue };
        let invalid = |why| Refused::Invalid { field, why };
        check_text(field, value, TEXT_BYTES).map_err(|error| invalid(error.to_string()))?;
        if value.is_empty() {
            return Err(invalid(format!("{field} is empty")));
        }
    }
    Ok(())
}

/// The order's write comes first, so that its verdict is found.
fn moved(
    kind: Kind,
    instant: &'static str,
    order: &OrderRecord,
    asked: &Asked<'_>,
    moment: &Moment,
) -> Result<Vec<Write>, Fault> {
    let at = Change::Set(instant, text(moment.now.to_string()));
    Ok(vec![
        orders::moved(order.origin(), &order.order_id, kind.event(), vec![at])?,
        told(kind, order, order.total, Vec::new(), asked, moment)?,
    ])
}

fn cancelled(order: &OrderRecord, asked: &Asked<'_>, moment: &Moment) -> Result<Vec<Write>, Fault> {
    let Some((account, units)) = order.account().cancel(&order.lines) else {
        let id = &order.order_id;
        let why = format!("more units of order {id} came back than were ordered");
        return Err(Fault::Corrupt(why));
    };
    let mut writes = vec![orders::cancel(order, &account, moment.now)?];
    let amount = account.refunding;
    if !amount.is_zero() {
        let refund_id = ids::refund_id_of_cancelled(&order.order_id);
        // No lines: their units come back with the order.
        let refund = RefundRecord {
            full: true,
            reason: asked.reason.unwrap_or(CANCELLED).to_owned(),
            requested_by: asked.requested_by.to_owned(),
            ..RefundRecord::pending(order, refund_id, amount, moment.now)
        };
        writes.push(Write::Put {
            table: Table::Refunds,
            item: item(&refund)?,
            condition: Condition::Absent,
        });
    }
    let lines = order.lines.iter().zip(units);
    let back: Vec<(String, u32, Decimal)> = lines
        .filter(|(_, units)| *units > 0)
        .map(|(line, units)| (line.sku.clone(), units, line.unit_price))
        .collect();
    let restocked = back.iter().map(|(sku, units, _)| (sku.as_str(), *units));
    writes.extend(products::restock(restocked)?);
    writes.push(told(Kind::Cancelled, order, amount, back, asked, moment)?);
    Ok(writes)
}

fn told(
    kind: Kind,
    order: &OrderRecord,
    total: Decimal,
    lines: Vec<(String, u32, Decimal)>,
    asked: &Asked<'_>,
    moment: &Moment,
) -> Result<Write, Fault> {
    let change = JournalChange {
        order_id: order.order_id.clone(),
        customer_id: order.customer_id.clone(),
        failure: None,
        refund_id: None,
        reason: None,
        deed: Some(Deed {
            kind,
            requested_by: asked.requested_by.to_owned(),
            reason: asked.reason.map(str::to_owned),
        }),
        currency: order.currency,
        total,
        lines,
    };
    let (at, zone) = (moment.now, &moment.zone);
    journal::append(&Entry::done(kind, &order.import_id, change, at, zone))
}
