//! Puts refunds on record: each in one transaction with its order, so that no two of them take the same money.

use domain::Fault;
use domain::limits::{REQUEST_KEY_BYTES, TEXT_BYTES};
use domain::order::check_text;
use domain::refund::{Refusal, Wanted};
use jiff::Timestamp;

use crate::engine::Engine;
use crate::item::{item, record};
use crate::ops::{Condition, Verdict, Write};
use crate::orders::{self, OrderRecord};
use crate::refunds::{RefundRecord, RefundRequest, Requested};
use crate::retry::Store;
use crate::schema::Table;

impl<E: Engine> Store<E> {
    /// Puts a refund on record, and takes its amount out of what can be refunded of its order.
    pub async fn request_refund(
        &self,
        request: &RefundRequest<'_>,
        now: Timestamp,
    ) -> Result<Requested, Fault> {
        if let Err(refusal) = check(request) {
            return Ok(Requested::Refused(refusal));
        }
        let fingerprint = request.fingerprint()?;
        let mut wait = self.wait();
        let mut order = self.order(request.order_id).await?;
        loop {
            let planned = match &order {
                None => Err(Requested::NoSuchOrder),
                Some(order) => planned(request, &fingerprint, order, now)
                    .map(|refund| (order, refund))
                    .map_err(Requested::Refused),
            };
            let (found, refund) = match planned {
                Ok(planned) => planned,
                // Whoever repeats a request gets its answer, also where nothing is left by now.
                Err(refused) => {
                    let known = self.refund(&request.refund_id()).await?;
                    return Ok(known.map_or(refused, |known| replayed(known, &fingerprint)));
                }
            };
            let verdicts = match self.transact(&put(&refund, found)?).await? {
                Ok(()) => return Ok(Requested::New(Box::new(refund))),
                Err(verdicts) => verdicts,
            };
            if let Some(Verdict::Condition(Some(known))) = verdicts.first() {
                return Ok(replayed(record(known.clone())?, &fingerprint));
            }
            order = self.looked_again(found, &verdicts, 1, &mut wait).await?;
        }
    }
}

fn check(request: &RefundRequest<'_>) -> Result<(), Refusal> {
    for (field, value, limit) in [
        ("key", request.key, REQUEST_KEY_BYTES),
        ("order_id", request.order_id, TEXT_BYTES),
        ("reason", request.reason, TEXT_BYTES),
        ("requested_by", request.requested_by, TEXT_BYTES),
    ] {
        check_text(field, value, limit).map_err(|error| Refusal::invalid(field, error))?;
        if value.is_empty() {
            return Err(Refusal::invalid(field, format!("{field} is empty")));
        }
    }
    Ok(())
}

fn planned(
    request: &RefundRequest<'_>,
    fingerprint: &str,
    order: &OrderRecord,
    now: Timestamp,
) -> Result<RefundRecord, Refusal> {
    if !order.status.is_refundable() {
        return Err(Refusal::NotSold(order.status));
    }
    let account = order.account();
    let (amount, lines) = account.plan(request.wanted, &order.lines, order.currency)?;
    Ok(RefundRecord {
        full: *request.wanted == Wanted::Full,
        lines,
        reason: request.reason.to_owned(),
        requested_by: request.requested_by.to_owned(),
        fingerprint: fingerprint.to_owned(),
        ..RefundRecord::pending(order, request.refund_id(), amount, now)
    })
}

fn replayed(known: RefundRecord, fingerprint: &str) -> Requested {
    match known.fingerprint == fingerprint {
        true => Requested::Replayed(Box::new(known)),
        false => Requested::KeyReused,
    }
}

/// The refund comes first, and then its order, so that a verdict's place tells what it is about.
fn put(refund: &RefundRecord, order: &OrderRecord) -> Result<Vec<Write>, Fault> {
    let account = order.account().take(refund.part(), &order.lines);
    let account = account.ok_or_else(|| {
        let (id, amount) = (&order.order_id, refund.amount);
        Fault::Corrupt(format!("a refund of {amount} does not fit order {id}"))
    })?;
    let put = Write::Put {
        table: Table::Refunds,
        item: item(refund)?,
        condition: Condition::Absent,
    };
    Ok(vec![put, orders::account(order, &account, true)?])
}
