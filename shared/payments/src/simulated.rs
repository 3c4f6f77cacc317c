//! The gateway that only pretends to take money: it decides at once, and always in the same way.

use std::fmt;
use std::str::FromStr;

use domain::{Fault, ids};
use rust_decimal::Decimal;

use crate::{Answer, Charge, Gateway, Refund, Refunded, Voidable};

/// Approves a fixed share of the keys, always the same ones, so that a run can be repeated.
#[derive(Debug, Clone, Copy)]
pub struct Simulated {
    rate: ApprovalRate,
}

/// A share between 0 and 1, to the millionth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApprovalRate {
    per_million: u64,
}

#[derive(Debug)]
pub struct NotARate;

impl fmt::Display for NotARate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a rate is a decimal between 0 and 1")
    }
}

impl std::error::Error for NotARate {}

impl FromStr for ApprovalRate {
    type Err = NotARate;

    fn from_str(text: &str) -> Result<ApprovalRate, NotARate> {
        let share: Decimal = text.parse().map_err(|_| NotARate)?;
        let per_million = share
            .checked_mul(Decimal::from(1_000_000))
            .ok_or(NotARate)?;
        match u64::try_from(per_million) {
            Ok(per_million) if per_million <= 1_000_000 => Ok(ApprovalRate { per_million }),
            _ => Err(NotARate),
        }
    }
}

impl Simulated {
    pub fn new(rate: ApprovalRate) -> Simulated {
        Simulated { rate }
    }

    fn answer(&self, key: &str) -> Answer {
        if ids::uniform(key) % 1_000_000 < self.rate.per_million {
            Answer::Approved {
                payment: format!("sim_{}", ids::short_hash(&["payment", key])),
            }
        } else {
            Answer::Declined
        }
    }
}

impl Gateway for Simulated {
    async fn charge(&self, charge: &Charge<'_>) -> Result<Answer, Fault> {
        Ok(self.answer(charge.key))
    }

    /// It remembers nothing. What was charged it charges again in the same way, and what waits for another gateway's word
    /// it does not settle.
    async fn status(&self, _charge: &Charge<'_>) -> Result<Option<Answer>, Fault> {
        Ok(None)
    }

    async fn void(&self, key: &str, which: Voidable) -> Result<Answer, Fault> {
        Ok(match which {
            Voidable::Pending => self.answer(key),
            Voidable::Any => Answer::Voided,
        })
    }

    async fn refund(&self, refund: &Refund<'_>) -> Result<Refunded, Fault> {
        Ok(Refunded::Done {
            refund: format!("sim_{}", ids::short_hash(&["refund", refund.key])),
        })
    }

    /// It gives the same back again.
    async fn refund_status(&self, _refund: &Refund<'_>) -> Result<Option<Refunded>, Fault> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn approved(rate: &str) -> usize {
        let gateway = Simulated::new(rate.parse().expect("a rate"));
        (0..10_000)
            .filter(|number| gateway.answer(&format!("ORD-{number}")) != Answer::Declined)
            .count()
    }

    #[test]
    fn the_rate_is_kept() {
        assert_eq!((approved("0"), approved("1")), (0, 10_000));
        assert!(
            (8_800..9_200).contains(&approved("0.9")),
            "{}",
            approved("0.9")
        );
        for wrong in ["", "-0.1", "1.1", "ninety", "NaN"] {
            assert!(
                wrong.parse::<ApprovalRate>().is_err(),
                "{wrong:?} was accepted"
            );
        }
    }
}
