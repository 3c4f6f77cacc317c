//! The port to whoever takes the money, and the gateway that only pretends to.

use std::fmt;
use std::str::FromStr;

use domain::{Fault, Money, ids};
use rust_decimal::Decimal;

/// One charge. The key is the same in all retries: a gateway charges a key once.
#[derive(Debug, Clone, Copy)]
pub struct Charge<'a> {
    pub key: &'a str,
    pub amount: Money,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Approved {
        /// The gateway's own reference.
        payment: String,
    },
    Declined,
}

pub trait Gateway {
    fn charge(&self, charge: &Charge<'_>) -> impl Future<Output = Result<Answer, Fault>>;
}

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
        f.write_str("an approval rate is a decimal between 0 and 1")
    }
}

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
}

impl Gateway for Simulated {
    async fn charge(&self, charge: &Charge<'_>) -> Result<Answer, Fault> {
        if ids::uniform(charge.key) % 1_000_000 < self.rate.per_million {
            Ok(Answer::Approved {
                payment: format!("sim_{}", ids::short_hash(&["payment", charge.key])),
            })
        } else {
            Ok(Answer::Declined)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn approved(rate: &str) -> usize {
        let share = rate.parse::<ApprovalRate>().expect("a rate").per_million;
        (0..10_000)
            .filter(|number| ids::uniform(&format!("ORD-{number}")) % 1_000_000 < share)
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
