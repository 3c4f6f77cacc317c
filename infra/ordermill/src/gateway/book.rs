//! The books of the gateway: what was charged under which key, what was given back, and every movement of money.
//!
//! Pure: it knows no clock, no network and no chance. Who asks says what time it is, and what the bank says.

use std::collections::HashMap;

use domain::{Money, ids};
use jiff::{SignedDuration, Timestamp};
use payments::Voidable;
use payments::contract::{
    ChargeAnswer, ChargeStatus, LEDGER_PAGE, LedgerEntry, LedgerPage, Movement, Problem,
    ProblemCode, RefundAnswer,
};
use rust_decimal::Decimal;

/// A charge, and a refund, is made once for each key. What comes again under a key gets the answer as it stands.
#[derive(Debug)]
pub struct Book {
    settle_after: SignedDuration,
    charges: HashMap<String, Charge>,
    refunds: HashMap<String, RefundAnswer>,
    entries: Vec<LedgerEntry>,
}

/// What the bank says to a charge at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Approve,
    Decline,
    /// It will say so later.
    Wait,
}

#[derive(Debug)]
struct Charge {
    answer: ChargeAnswer,
    /// Once at most: a charge that was given back is not taken again.
    captured_at: Option<Timestamp>,
    refunded: Decimal,
}

impl Book {
    /// A capture that is older than `settle_after` is on its way between banks: it is refunded, and no longer voided.
    pub fn new(settle_after: SignedDuration) -> Book {
        Book {
            settle_after,
            charges: HashMap::new(),
            refunds: HashMap::new(),
            entries: Vec::new(),
        }
    }

    /// The verdict counts the first time only.
    pub fn charge(
        &mut self,
        key: &str,
        amount: Money,
        verdict: Verdict,
        now: Timestamp,
    ) -> Result<ChargeAnswer, Problem> {
        if let Some(Charge { answer, .. }) = self.charges.get(key) {
            let same = answer.amount == amount.amount() && answer.currency == amount.currency();
            return if same {
                Ok(answer.clone())
            } else {
                Err(key_reused())
            };
        }
        let status = match verdict {
            Verdict::Approve | Verdict::Wait => ChargeStatus::Pending,
            Verdict::Decline => ChargeStatus::Declined,
        };
        let charge = Charge {
            answer: ChargeAnswer {
                id: format!("ch_{}", ids::short_hash(&["charge", key])),
                key: key.to_owned(),
                status,
                amount: amount.amount(),
                currency: amount.currency(),
            },
            captured_at: None,
            refunded: Money::zero(amount.currency()).amount(),
        };
        self.charges.insert(key.to_owned(), charge);
        if verdict == Verdict::Approve {
            self.resolve(key, true, now);
        }
        self.find(key)
    }

    /// The bank has said something about a charge that is pending. How it stands then; nothing where it was not
    /// pending any more.
    pub fn resolve(&mut self, key: &str, approved: bool, now: Timestamp) -> Option<ChargeStatus> {
        let charge = self.charges.get_mut(key)?;
        if charge.answer.status != ChargeStatus::Pending {
            return None;
        }
        if approved {
            return self.approve_after_all(key, now);
        }
        charge.answer.status = ChargeStatus::Declined;
        Some(charge.answer.status)
    }

    /// The bank that says yes whatever it, or anybody, said before. Nothing where the money was taken once already.
    pub fn approve_after_all(&mut self, key: &str, now: Timestamp) -> Option<ChargeStatus> {
        let charge = self.charges.get_mut(key)?;
        if charge.captured_at.is_some() {
            return None;
        }
        charge.captured_at = Some(now);
        charge.answer.status = ChargeStatus::Approved;
        let entry = entry(&self.entries, Movement::Capture, &charge.answer, now);
        self.entries.push(entry);
        Some(ChargeStatus::Approved)
    }

    pub fn void(
        &mut self,
        key: &str,
        which: Voidable,
        now: Timestamp,
    ) -> Result<ChargeAnswer, Problem> {
        let settle_after = self.settle_after;
        let charge = self.charges.get_mut(key).ok_or_else(no_such_charge)?;
        match charge.answer.status {
            ChargeStatus::Pending => charge.answer.status = ChargeStatus::Voided,
            ChargeStatus::Approved if which == Voidable::Any => {
                let settled = charge
                    .captured_at
                    .is_some_and(|at| now.duration_since(at) >= settle_after);
                // What was refunded in part has left the hands of who could undo it.
                if !settled && charge.refunded.is_zero() {
                    charge.answer.status = ChargeStatus::Voided;
                    let entry = entry(&self.entries, Movement::Void, &charge.answer, now);
                    self.entries.push(entry);
                }
            }
            ChargeStatus::Approved | ChargeStatus::Declined | ChargeStatus::Voided => {}
        }
        Ok(charge.answer.clone())
    }

    /// Of approved charges only, and no more than what is left.
    pub fn refund(
        &mut self,
        key: &str,
        charge_key: &str,
        amount: Money,
        now: Timestamp,
    ) -> Result<RefundAnswer, Problem> {
        if let Some(answer) = self.refunds.get(key) {
            let same = answer.charge == charge_key
                && answer.amount == amount.amount()
                && answer.currency == amount.currency();
            return if same {
                Ok(answer.clone())
            } else {
                Err(key_reused())
            };
        }
        let charge = self.charges.get_mut(charge_key);
        let charge = charge
            .filter(|charge| charge.answer.status == ChargeStatus::Approved)
            .ok_or_else(|| not_refundable("nothing was taken under the key of the charge"))?;
        if charge.answer.currency != amount.currency() {
            return Err(not_refundable("the charge is in another currency"));
        }
        if amount.amount().is_zero() {
            return Err(not_refundable("a refund of nothing"));
        }
        let refunded = charge
            .refunded
            .checked_add(amount.amount())
            .filter(|refunded| *refunded <= charge.answer.amount)
            .ok_or_else(|| not_refundable("more than what is left of the charge"))?;
        charge.refunded = refunded;
        let answer = RefundAnswer {
            id: format!("re_{}", ids::short_hash(&["refund", key])),
            key: key.to_owned(),
            charge: charge_key.to_owned(),
            amount: amount.amount(),
            currency: amount.currency(),
        };
        let mut entry = entry(&self.entries, Movement::Refund, &charge.answer, now);
        entry.amount = amount.amount();
        entry.refund = Some(key.to_owned());
        self.entries.push(entry);
        self.refunds.insert(key.to_owned(), answer.clone());
        Ok(answer)
    }

    pub fn find(&self, key: &str) -> Result<ChargeAnswer, Problem> {
        let charge = self.charges.get(key).ok_or_else(no_such_charge)?;
        Ok(charge.answer.clone())
    }

    pub fn find_refund(&self, key: &str) -> Result<RefundAnswer, Problem> {
        let refund = self.refunds.get(key).cloned();
        refund.ok_or_else(|| problem(ProblemCode::NotFound, "no refund was made under this key"))
    }

    pub fn charges(&self) -> impl Iterator<Item = &ChargeAnswer> {
        self.charges.values().map(|charge| &charge.answer)
    }

    /// Every movement of money, in the sequence in which they happened.
    pub fn entries(&self) -> &[LedgerEntry] {
        &self.entries
    }

    /// The entries behind that number.
    pub fn page(&self, after: u64) -> LedgerPage {
        let from = usize::try_from(after).unwrap_or(usize::MAX);
        let rest = self.entries.get(from..).unwrap_or_default();
        let entries = &rest[..rest.len().min(LEDGER_PAGE)];
        LedgerPage {
            entries: entries.to_vec(),
            next: match entries.last() {
                Some(last) if entries.len() < rest.len() => Some(last.number),
                _ => None,
            },
        }
    }
}

pub fn problem(code: ProblemCode, message: impl Into<String>) -> Problem {
    Problem {
        code,
        message: message.into(),
    }
}

fn key_reused() -> Problem {
    problem(
        ProblemCode::KeyReused,
        "under this key something else was asked for before",
    )
}

fn no_such_charge() -> Problem {
    problem(ProblemCode::NotFound, "nothing was charged under this key")
}

fn not_refundable(why: &str) -> Problem {
    problem(ProblemCode::NotRefundable, why)
}

/// The next one, of the whole charge.
fn entry(
    entries: &[LedgerEntry],
    kind: Movement,
    charge: &ChargeAnswer,
    at: Timestamp,
) -> LedgerEntry {
    LedgerEntry {
        number: entries.last().map_or(1, |last| last.number + 1),
        kind,
        charge: charge.key.clone(),
        payment: charge.id.clone(),
        refund: None,
        amount: charge.amount,
        currency: charge.currency,
        at,
    }
}

#[cfg(test)]
mod tests;
