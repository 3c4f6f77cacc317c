//! Two sets of books: what the gateway took from customers, and what our orders say was paid. Pure, as the other checks
//! are; who has no ledger to compare with says so.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ::payments::contract::{LedgerEntry, Movement};
use domain::refund::RefundStatus;
use domain::{Currency, Status};
use jiff::Timestamp;
use rust_decimal::Decimal;
use store::orders::OrderRecord;
use store::refunds::RefundRecord;

use super::{Books, Check};

const NOTHING_CAPTURED: &str = "the gateway captured nothing";

/// What the references of the simulated gateway begin with. It has no ledger.
const SIMULATED: &str = "sim_";

/// Of each key, what was captured, voided and refunded there is what was paid here. The ledger was asked for at that
/// instant: what was paid or given back since may not be in it yet.
pub fn check(books: &Books, entries: &[LedgerEntry], asked_at: Timestamp) -> Check {
    let mut check = Check::new("payments");
    let mut accounts: HashMap<&str, Account> = HashMap::new();
    for entry in entries {
        accounts.entry(&entry.charge).or_default().add(entry);
    }
    let (mut on_their_way, mut simulated) = (0u64, 0u64);
    let mut refunds: HashMap<&str, Vec<&RefundRecord>> = HashMap::new();
    for refund in books.refunds.values() {
        refunds.entry(&refund.order_id).or_default().push(refund);
    }
    let paid = books.orders.values().filter(|order| is_paid(order.status));
    let keys: BTreeSet<&str> = accounts
        .keys()
        .copied()
        .chain(paid.map(|order| order.order_id.as_str()))
        .collect();
    for key in keys {
        check.checked += 1;
        let account = accounts.remove(key).unwrap_or_default();
        let order = books.orders.get(key);
        let refunds = refunds.remove(key).unwrap_or_default();
        let moved = |order: &OrderRecord| {
            moved_since(order, asked_at)
                || refunds
                    .iter()
                    .any(|refund| refund.ended_at >= Some(asked_at))
        };
        match compared(key, &account, order, &refunds) {
            Ok(Verdict::Agrees) => {}
            Ok(Verdict::OnItsWay) => on_their_way += 1,
            Ok(Verdict::Simulated) => simulated += 1,
            Err(_) if order.is_some_and(moved) => on_their_way += 1,
            Err(drift) => check.drift.push(drift),
        }
    }
    // Money that nobody should hold comes first.
    check
        .drift
        .sort_by_key(|drift| drift.ends_with(NOTHING_CAPTURED));
    let notes = [
        (on_their_way, "charges of orders that are on their way"),
        (simulated, "orders paid by the simulated gateway"),
    ];
    let notes = notes.iter().filter(|(count, _)| *count > 0);
    let notes: Vec<String> = notes
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    check.note = (!notes.is_empty()).then(|| notes.join("; "));
    check
}

/// There is no ledger: nothing to compare with, and nothing wrong with that.
pub fn unseen(why: &str) -> Check {
    let mut check = Check::new("payments");
    check.note = Some(why.to_owned());
    check
}

/// There should be a ledger, and it could not be read. Books that nobody looked at do not balance.
pub fn not_compared(why: &str) -> Check {
    let mut check = Check::new("payments");
    check.drift.push(format!("not compared: {why}"));
    check
}

fn moved_since(order: &OrderRecord, instant: Timestamp) -> bool {
    let moves = [order.paid_at, order.settled_at, order.given_back_at];
    moves.into_iter().flatten().any(|at| at >= instant)
}

enum Verdict {
    Agrees,
    OnItsWay,
    Simulated,
}

/// What the ledger says of one key.
#[derive(Default)]
struct Account<'a> {
    captures: u64,
    voids: u64,
    /// Captured, minus what was given back. Nothing where that is no amount: it overflowed.
    net: Net,
    /// By the keys of the refunds, where the ledger names them.
    refunded: BTreeMap<&'a str, Net>,
    currencies: BTreeSet<Currency>,
    payments: BTreeSet<&'a str>,
}

#[derive(Debug, Clone, Copy)]
struct Net(Option<Decimal>);

impl Default for Net {
    fn default() -> Net {
        Net(Some(Decimal::ZERO))
    }
}

impl<'a> Account<'a> {
    fn add(&mut self, entry: &'a LedgerEntry) {
        let change = match entry.kind {
            Movement::Capture => {
                self.captures += 1;
                entry.amount
            }
            Movement::Void => {
                self.voids += 1;
                -entry.amount
            }
            Movement::Refund => -entry.amount,
        };
        if let Some(refund) = &entry.refund {
            let sum = self.refunded.entry(refund).or_default();
            *sum = Net(sum.0.and_then(|sum| sum.checked_add(entry.amount)));
        }
        // The amounts are somebody else's: they may be anything.
        self.net = Net(self.net.0.and_then(|net| net.checked_add(change)));
        self.currencies.insert(entry.currency);
        self.payments.insert(&entry.payment);
    }
}

fn compared(
    key: &str,
    account: &Account<'_>,
    order: Option<&OrderRecord>,
    refunds: &[&RefundRecord],
) -> Result<Verdict, String> {
    let Account {
        captures, voids, ..
    } = account;
    let Some(net) = account.net.0 else {
        return Err(format!("{key}: the ledger's amounts cannot be added up"));
    };
    if *captures > voids + 1 {
        return Err(format!(
            "{key}: captured {captures} times, voided {voids} times"
        ));
    }
    let Some(order) = order else {
        return match net.is_zero() {
            true => Ok(Verdict::Agrees),
            false => Err(format!(
                "{key}: the gateway holds {net}, and there is no such order"
            )),
        };
    };
    let OrderRecord {
        status,
        total,
        currency,
        refunded,
        payment,
        ..
    } = order;
    match status {
        // Nothing is promised yet: the answer may be on its way.
        Status::Reserved | Status::PaymentPending if net.is_zero() || net == *total => {
            Ok(Verdict::OnItsWay)
        }
        Status::Reserved | Status::PaymentPending => Err(format!(
            "{key} is {status} over {total}: the gateway holds {net}"
        )),
        Status::Failed if net.is_zero() => Ok(Verdict::Agrees),
        Status::Failed => Err(format!("{key} is {status}: the gateway holds {net}")),
        Status::Paid
        | Status::Completed
        | Status::Shipped
        | Status::Delivered
        | Status::Cancelled => {
            let ours = payment.as_deref().unwrap_or_default();
            // Nobody is asked for nothing.
            if *captures == 0 && total.is_zero() {
                return Ok(Verdict::Agrees);
            }
            if *captures == 0 && ours.starts_with(SIMULATED) {
                return Ok(Verdict::Simulated);
            }
            if *captures == 0 {
                return Err(format!(
                    "{key} is {status} with payment {ours:?}: {NOTHING_CAPTURED}"
                ));
            }
            let on_their_way = refunds_agree(key, account, refunds)?;
            let expected = total
                .checked_sub(*refunded)
                .and_then(|left| left.checked_sub(on_their_way));
            if expected != Some(net) {
                return Err(format!(
                    "{key} is {status}, {total} of which {refunded} refunded: the gateway holds {net}"
                ));
            }
            if account.currencies.iter().any(|theirs| theirs != currency) {
                return Err(format!("{key} is in {currency}: the ledger is in another"));
            }
            if account.payments.iter().any(|theirs| *theirs != ours) {
                return Err(format!(
                    "{key} has payment {ours:?}: the ledger has {:?}",
                    account.payments
                ));
            }
            Ok(Verdict::Agrees)
        }
    }
}

/// What went back at the gateway under the id of a refund is what went back here; or it is on its way here: what that
/// comes to.
fn refunds_agree(
    key: &str,
    account: &Account<'_>,
    refunds: &[&RefundRecord],
) -> Result<Decimal, String> {
    let mut theirs = account.refunded.clone();
    let mut on_their_way = Decimal::ZERO;
    for refund in refunds {
        let (id, status, ours) = (&refund.refund_id, refund.status, refund.amount);
        match (theirs.remove(id.as_str()), status) {
            (None, RefundStatus::Completed) if account.refunded.is_empty() => {}
            (None, RefundStatus::Completed) => {
                return Err(format!("{key}: the gateway knows nothing of refund {id}"));
            }
            (None, _) => {}
            (Some(Net(Some(amount))), RefundStatus::Completed) if amount == ours => {}
            (Some(Net(Some(amount))), RefundStatus::Processing) if amount == ours => {
                on_their_way += amount;
            }
            (Some(Net(amount)), _) => {
                return Err(format!(
                    "{key}: refund {id} of {ours} is {status}, the gateway refunded {amount:?}"
                ));
            }
        }
    }
    match theirs.keys().next() {
        Some(stranger) => Err(format!(
            "{key}: the gateway refunded {stranger}, which is not ours"
        )),
        None => Ok(on_their_way),
    }
}

fn is_paid(status: Status) -> bool {
    match status {
        Status::Paid
        | Status::Completed
        | Status::Shipped
        | Status::Delivered
        | Status::Cancelled => true,
        Status::Reserved | Status::PaymentPending | Status::Failed => false,
    }
}

#[cfg(test)]
mod tests;
