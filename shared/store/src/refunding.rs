//! What moves a refund on: each step is one transaction with the order that it is of, so that money is nowhere twice.
//!
//! What was done before is success; what is not as it must be is `Corrupt`, and never repaired here.

use domain::journal::{Change as JournalChange, Entry};
use domain::refund::{Account, RefundEvent, RefundStatus, Refusal, next, sources};
use domain::{Fault, Status};
use jiff::{SignedDuration, Timestamp, Unit};

use crate::engine::Engine;
use crate::item::{record, value};
use crate::ops::{Change, Condition, Verdict, Write, number, text};
use crate::orders::OrderRecord;
use crate::pending::shard;
use crate::refunds::{Begun, Moved, RefundRecord, key};
use crate::retry::{Store, Wait};
use crate::settlement::Moment;
use crate::{journal, orders, products};

/// Until a refund is sent again, should its message be lost on the way into the queue.
const FIRST_LOOK: SignedDuration = SignedDuration::from_mins(5);

/// One step of a refund, and what it does to its order.
struct Step<'a> {
    refund: &'a RefundRecord,
    event: RefundEvent,
    /// Besides the status.
    changes: Vec<Change>,
    /// Besides the status.
    condition: Condition,
    /// How the order stands after it. Nothing where it does not fit.
    account: &'a (dyn Fn(&OrderRecord) -> Option<Account> + Sync),
    /// Only an order that is refundable takes a new one.
    only_refundable: bool,
    /// What else is written with it.
    more: Vec<Write>,
}

/// How a step ended.
enum Ended {
    Done,
    /// The refund is not as the step needs it.
    Found(Box<RefundRecord>),
    /// The order is not.
    Misfit(Box<OrderRecord>),
}

impl<E: Engine> Store<E> {
    /// Somebody asks the gateway from now on. Returns the refund as it is then, whatever it is.
    pub async fn begin_refund(
        &self,
        refund_id: &str,
        now: Timestamp,
    ) -> Result<Option<Begun>, Fault> {
        let Some(found) = self.refund(refund_id).await? else {
            return Ok(None);
        };
        if next(Some(found.status), RefundEvent::Begin).is_none() {
            return Ok(Some(Begun {
                refund: found,
                is_first: false,
            }));
        }
        let changes = vec![
            Change::Set("processing_at", text(now.to_string())),
            Change::Add("attempts", 1.into()),
        ];
        let begin = moved(&found, RefundEvent::Begin, changes, Condition::Always)?;
        // Refused, somebody else was quicker, or the answer was lost: either way it is as it is.
        let begun = self.write(&begin).await?.is_ok();
        let refund = self.refund(refund_id).await?;
        Ok(refund.map(|refund| Begun {
            is_first: begun && refund.attempts == 1,
            refund,
        }))
    }

    /// The gateway gave the money back. What comes back with it is in stock again, where it is to be.
    pub async fn complete_refund(
        &self,
        refund: &RefundRecord,
        reference: &str,
        moment: &Moment,
    ) -> Result<Moved, Fault> {
        let now = moment.now;
        let mut changes = ended(now);
        changes.push(Change::Set("reference", text(reference)));
        changes.push(Change::Remove("failure"));
        let lines = refund.lines.iter().filter(|line| line.restock);
        let mut more = products::restock(lines.map(|line| (line.sku.as_str(), line.quantity)))?;
        more.push(journal::append(&Entry::refunded(
            &refund.refund_id,
            &refund.import_id,
            told(refund),
            now,
            &moment.zone,
        ))?);
        let step = Step {
            refund,
            event: RefundEvent::Complete,
            changes,
            condition: Condition::Always,
            account: &|order| order.account().settle(refund.amount),
            only_refundable: false,
            more,
        };
        self.end(step, RefundStatus::Completed).await
    }

    /// The gateway said no to this attempt. What it said to an earlier one changes nothing any more.
    pub async fn fail_refund(
        &self,
        refund: &RefundRecord,
        why: &str,
        now: Timestamp,
    ) -> Result<Moved, Fault> {
        let mut changes = ended(now);
        changes.push(Change::Set("failure", text(why)));
        let step = Step {
            refund,
            event: RefundEvent::Fail,
            changes,
            condition: Condition::Is("attempts", number(refund.attempts)),
            account: &|order| order.account().give_back(refund.part()),
            only_refundable: false,
            more: Vec::new(),
        };
        self.end(step, RefundStatus::Failed).await
    }

    /// Nobody has ever asked the gateway, and nobody will. One that came with the cancellation of its order stays: the order
    /// would stay cancelled.
    pub async fn cancel_refund(
        &self,
        refund_id: &str,
        by: &str,
        now: Timestamp,
    ) -> Result<Moved, Fault> {
        let Some(refund) = self.refund(refund_id).await? else {
            return Ok(Moved::Unknown);
        };
        if refund.is_of_cancellation() {
            return Ok(Moved::Stays(Box::new(refund)));
        }
        let mut changes = ended(now);
        changes.push(Change::Set("cancelled_by", text(by)));
        let step = Step {
            refund: &refund,
            event: RefundEvent::Cancel,
            changes,
            // One that is tried again may have been granted to a run that died.
            condition: Condition::Is("attempts", number(0)),
            account: &|order| order.account().give_back(refund.part()),
            only_refundable: false,
            more: Vec::new(),
        };
        self.end(step, RefundStatus::Cancelled).await
    }

    /// One that failed is on its way again, under the same key at the gateway, which knows nothing of it. One that never
    /// failed stays as it is.
    pub async fn retry_refund(
        &self,
        refund_id: &str,
        by: &str,
        now: Timestamp,
    ) -> Result<Moved, Fault> {
        let Some(refund) = self.refund(refund_id).await? else {
            return Ok(Moved::Unknown);
        };
        if refund.status.is_open() {
            // Only one that was tried again had failed before.
            return Ok(match refund.retried_at {
                Some(_) => Moved::Done(Box::new(refund)),
                None => Moved::Stays(Box::new(refund)),
            });
        }
        let mut changes = vec![
            Change::Set("retried_at", text(now.to_string())),
            Change::Set("retried_by", text(by)),
            Change::Set("open_shard", text(shard(refund_id))),
            Change::Set("open_check", text(first_look(now).to_string())),
            Change::Remove("ended_at"),
        ];
        let order = self.order(&refund.order_id).await?;
        let cancelled = order.is_some_and(|order| order.status == Status::Cancelled);
        // Its units came back when the order was cancelled, and stays so: what is left of it is money.
        let part = match cancelled {
            true => (refund.amount, &[][..]),
            false => refund.part(),
        };
        if cancelled {
            changes.push(Change::Remove("lines"));
        }
        let step = Step {
            refund: &refund,
            event: RefundEvent::Retry,
            changes,
            condition: Condition::Is("attempts", number(refund.attempts)),
            account: &|order| order.account().take(part, &order.lines),
            only_refundable: true,
            more: Vec::new(),
        };
        match self.take_step(&step).await? {
            Ended::Misfit(order) => Ok(Moved::Refused(left_of(&order))),
            Ended::Found(found) if found.status.is_open() => Ok(Moved::Done(found)),
            Ended::Found(found) => Ok(Moved::Stays(found)),
            Ended::Done => self.now(refund_id).await,
        }
    }

    /// The steps that end a refund. An order that does not have what its refund took contradicts the books.
    async fn end(&self, step: Step<'_>, end: RefundStatus) -> Result<Moved, Fault> {
        let refund_id = &step.refund.refund_id;
        match self.take_step(&step).await? {
            Ended::Done => self.now(refund_id).await,
            Ended::Found(found) if found.status == end => Ok(Moved::Done(found)),
            Ended::Found(found) => Ok(Moved::Stays(found)),
            Ended::Misfit(order) => Err(Fault::Corrupt(format!(
                "{:?} of refund {refund_id} found {} of order {} on its way back",
                step.event, order.refunding, order.order_id
            ))),
        }
    }

    async fn now(&self, refund_id: &str) -> Result<Moved, Fault> {
        let found = self.refund(refund_id).await?;
        Ok(found.map_or(Moved::Unknown, |found| Moved::Done(Box::new(found))))
    }

    async fn take_step(&self, step: &Step<'_>) -> Result<Ended, Fault> {
        let mut wait = self.wait();
        let mut order = self.order(&step.refund.order_id).await?;
        loop {
            let Some(found) = order else {
                return Err(gone("order", &step.refund.order_id));
            };
            let fits = !step.only_refundable || found.status.is_refundable();
            let Some(account) = (step.account)(&found).filter(|_| fits) else {
                let refund = self.refund(&step.refund.refund_id).await?;
                let refund = refund.ok_or_else(|| gone("refund", &step.refund.refund_id))?;
                if next(Some(refund.status), step.event).is_none() {
                    return Ok(Ended::Found(Box::new(refund)));
                }
                // It may have moved since it was read, with its refund.
                let again = self.order(&step.refund.order_id).await?;
                if again.as_ref() == Some(&found) {
                    return Ok(Ended::Misfit(Box::new(found)));
                }
                order = again;
                continue;
            };
            let mut writes = vec![
                moved(
                    step.refund,
                    step.event,
                    step.changes.clone(),
                    step.condition.clone(),
                )?,
                orders::account(&found, &account, step.only_refundable)?,
            ];
            writes.extend(step.more.clone());
            let verdicts = match self.transact(&writes).await? {
                Ok(()) => return Ok(Ended::Done),
                Err(verdicts) => verdicts,
            };
            match verdicts.first() {
                Some(Verdict::Condition(Some(refund))) => {
                    return Ok(Ended::Found(Box::new(record(refund.clone())?)));
                }
                Some(Verdict::Condition(None)) => {
                    return Err(gone("refund", &step.refund.refund_id));
                }
                _ => order = self.looked_again(&found, &verdicts, 1, &mut wait).await?,
            }
        }
    }

    /// After a refused transaction in which the order's write stood `at`: the order as it is now, for somebody else moved it.
    pub(crate) async fn looked_again(
        &self,
        before: &OrderRecord,
        verdicts: &[Verdict],
        at: usize,
        wait: &mut Wait,
    ) -> Result<Option<OrderRecord>, Fault> {
        let order_id = &before.order_id;
        let in_hand = |verdict: &Verdict| matches!(verdict, Verdict::Conflict | Verdict::Throttled);
        let found = match verdicts.get(at) {
            Some(Verdict::Condition(found)) => Some(found.clone()),
            _ if verdicts.iter().take(at + 1).any(in_hand) => None,
            _ => {
                return Err(Fault::Corrupt(format!(
                    "the stock or the journal contradicts what is to go back of order {order_id}"
                )));
            }
        };
        wait.pause(Fault::Transient(format!(
            "order {order_id} is in somebody else's hand"
        )))
        .await?;
        match found {
            Some(found) => found.map(record).transpose(),
            None => self.order(order_id).await,
        }
    }
}

/// The write restates what the domain allows.
fn moved(
    refund: &RefundRecord,
    event: RefundEvent,
    mut changes: Vec<Change>,
    condition: Condition,
) -> Result<Write, Fault> {
    let sources = sources(event);
    let target = sources.iter().find_map(|source| next(Some(*source), event));
    let target = target.ok_or_else(|| Fault::Corrupt(format!("{event:?} leads nowhere")))?;
    changes.push(Change::Set("status", text(target.name())));
    let sources = sources.iter().map(|status| text(status.name()));
    // What comes back with it is in the account of its order, and must be what was read.
    let lines = match refund.lines.is_empty() {
        true => Condition::Missing("lines"),
        false => Condition::Is("lines", value(&refund.lines)?),
    };
    let mut conditions = vec![Condition::AnyOf("status", sources.collect()), lines];
    conditions.extend((condition != Condition::Always).then_some(condition));
    Ok(Write::Update {
        key: key(&refund.refund_id),
        changes,
        condition: Condition::All(conditions),
    })
}

/// What is over is not looked at any more.
fn ended(now: Timestamp) -> Vec<Change> {
    vec![
        Change::Set("ended_at", text(now.to_string())),
        Change::Remove("open_shard"),
        Change::Remove("open_check"),
    ]
}

/// In whole seconds, so that the index sorts by time.
pub(crate) fn first_look(now: Timestamp) -> Timestamp {
    let look = now.checked_add(FIRST_LOOK).unwrap_or(now);
    look.round(Unit::Second).unwrap_or(look)
}

/// What the journal is told: the amount, and all that comes back for it, whether it can be sold again or not.
fn told(refund: &RefundRecord) -> JournalChange {
    let lines = refund.lines.iter();
    JournalChange {
        order_id: refund.order_id.clone(),
        customer_id: refund.customer_id.clone(),
        failure: None,
        refund_id: Some(refund.refund_id.clone()),
        reason: Some(refund.reason.clone()),
        deed: None,
        currency: refund.currency,
        total: refund.amount,
        lines: lines
            .map(|line| (line.sku.clone(), line.quantity, line.unit_price))
            .collect(),
    }
}

/// Why a refund that failed cannot be tried again.
fn left_of(order: &OrderRecord) -> Refusal {
    match order.status.is_refundable() {
        true => Refusal::NotRefundable {
            left: order.refundable,
        },
        false => Refusal::NotSold(order.status),
    }
}

fn gone(what: &str, id: &str) -> Fault {
    Fault::Corrupt(format!("{what} {id} was refunded and is gone"))
}
