//! What boards are sorted by, and the buckets by which ranks are counted.

use rust_decimal::Decimal;

use crate::fault::Fault;
use crate::money::Currency;

/// Digits that tell the buckets of one page apart: a bucket is as wide as a hundredth of what is in it, or less.
const DIGITS: u32 = 3;

/// Buckets of a page, a few of them never used.
pub const SLOTS: u16 = 1_000;

/// More than any sum of amounts has digits, and half of what a place has room for.
const LIMIT: i128 = 500_000_000_000_000_000_000_000;

/// An amount in the smallest unit of its currency, or a number of units: a whole number, that sorts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Score(i128);

/// Scores of as many digits that begin with the same ones. Zero, and what is below, has one of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bucket {
    /// How many digits.
    pub page: u8,
    /// The first of them.
    pub slot: u16,
}

impl Score {
    pub fn of_amount(amount: Decimal, currency: Currency) -> Result<Score, Fault> {
        let mut whole = amount.normalize();
        let fits = whole.scale() <= currency.scale();
        whole.rescale(currency.scale());
        if !fits || whole.scale() != currency.scale() {
            return Err(Fault::Malformed(format!(
                "{amount} is no sum of {currency}"
            )));
        }
        Score::new(whole.mantissa())
    }

    pub fn of_units(units: i64) -> Score {
        Score(i128::from(units))
    }

    fn new(score: i128) -> Result<Score, Fault> {
        if score.checked_abs().is_none_or(|size| size >= LIMIT) {
            return Err(Fault::Malformed(format!(
                "{score} is too large for a board"
            )));
        }
        Ok(Score(score))
    }

    pub fn amount(self, currency: Currency) -> Decimal {
        Decimal::try_from_i128_with_scale(self.0, currency.scale()).unwrap_or_default()
    }

    pub fn units(self) -> i64 {
        i64::try_from(self.0).unwrap_or_default()
    }

    /// The next higher one.
    pub fn above(self) -> Score {
        Score(self.0.saturating_add(1))
    }

    /// A key by which the highest comes first.
    pub fn place(self) -> String {
        format!("{:024}", LIMIT.saturating_sub(self.0))
    }

    pub fn of_place(place: &str) -> Result<Score, Fault> {
        let unknown = || Fault::Corrupt(format!("{place} is no place on a board"));
        let below: i128 = place.parse().map_err(|_| unknown())?;
        Ok(Score(LIMIT.checked_sub(below).ok_or_else(unknown)?))
    }

    pub fn bucket(self) -> Bucket {
        let Some(digits) = self.0.checked_ilog10() else {
            return Bucket { page: 0, slot: 0 };
        };
        let digits = digits.saturating_add(1);
        // Of 12,345 it is 123, and of 7 it is 700.
        let first = match digits.checked_sub(DIGITS) {
            Some(rest) => self.0.checked_div(10_i128.pow(rest)),
            None => self
                .0
                .checked_mul(10_i128.pow(DIGITS.saturating_sub(digits))),
        };
        Bucket {
            page: u8::try_from(digits).unwrap_or(u8::MAX),
            slot: first
                .and_then(|first| u16::try_from(first).ok())
                .unwrap_or_default(),
        }
    }
}

impl Bucket {
    /// The highest score that falls into it.
    pub fn highest(self) -> Score {
        let (digits, slot) = (u32::from(self.page), i128::from(self.slot));
        let highest = match digits.checked_sub(DIGITS) {
            Some(rest) => slot
                .checked_add(1)
                .and_then(|next| next.checked_mul(10_i128.checked_pow(rest)?))
                .and_then(|next| next.checked_sub(1)),
            None => slot.checked_div(10_i128.pow(DIGITS.saturating_sub(digits))),
        };
        Score(highest.unwrap_or_default())
    }
}

/// The ranks of scores that are sorted, the highest first: equal ones share theirs, and the next one counts them all.
pub fn ranks(scores: &[Score]) -> Vec<u64> {
    let mut ranks: Vec<u64> = Vec::with_capacity(scores.len());
    for (place, score) in (1..).zip(scores) {
        let before = place_before(scores, place);
        let shared = ranks.last().copied().filter(|_| before == Some(score));
        ranks.push(shared.unwrap_or(place));
    }
    ranks
}

fn place_before(scores: &[Score], place: u64) -> Option<&Score> {
    let before = usize::try_from(place.checked_sub(2)?).ok()?;
    scores.get(before)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn usd(text: &str) -> Score {
        let amount = text.parse().expect("a decimal");
        Score::of_amount(amount, "USD".parse().expect("a currency")).expect("a score")
    }

    #[test]
    fn amounts_are_scores_and_back() {
        let currency: Currency = "USD".parse().expect("a currency");
        for (text, score) in [("12.34", 1234), ("5", 500), ("-0.10", -10), ("7.000", 700)] {
            assert_eq!(usd(text), Score(score));
            assert_eq!(
                usd(text).amount(currency),
                text.parse::<Decimal>().expect("a decimal")
            );
        }
        for wrong in ["0.001", "79228162514264337593543950335"] {
            let amount = wrong.parse().expect("a decimal");
            assert!(Score::of_amount(amount, currency).is_err(), "{wrong}");
        }
    }

    #[test]
    fn buckets_hold_what_begins_alike() {
        let check = |score: i128, page: u8, slot: u16, highest: i128| {
            let bucket = Score(score).bucket();
            assert_eq!(bucket, Bucket { page, slot }, "{score}");
            assert_eq!(bucket.highest(), Score(highest), "{score}");
        };
        check(-5, 0, 0, 0);
        check(0, 0, 0, 0);
        check(7, 1, 700, 7);
        check(10, 2, 100, 10);
        check(999, 3, 999, 999);
        check(1_000, 4, 100, 1_009);
        check(12_345, 5, 123, 12_399);
        check(99_999, 5, 999, 99_999);
    }

    #[test]
    fn equal_scores_share_a_rank() {
        let ranks =
            |scores: &[i128]| ranks(&scores.iter().map(|score| Score(*score)).collect::<Vec<_>>());
        assert_eq!(ranks(&[9, 7, 7, 5]), [1, 2, 2, 4]);
        assert_eq!(ranks(&[3, 3, 3]), [1, 1, 1]);
        assert_eq!(ranks(&[]), Vec::<u64>::new());
    }

    proptest! {
        #[test]
        fn places_and_buckets_sort_as_scores_do(one in -1_000_000i128..10_000_000_000, other in -1_000_000i128..10_000_000_000) {
            let (one, other) = (Score(one), Score(other));
            prop_assert_eq!(one.cmp(&other), other.place().cmp(&one.place()));
            prop_assert_eq!(Score::of_place(&one.place()), Ok(one));
            if one < other {
                prop_assert!(one.bucket() <= other.bucket());
            }
            prop_assert!(one <= one.bucket().highest());
            prop_assert_eq!(one.bucket().highest().bucket(), one.bucket());
            prop_assert!(one.bucket().highest().above().bucket() > one.bucket());
        }
    }
}
