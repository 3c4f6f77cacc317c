//! Texts to values. Strict: what would need guessing is refused, because a guess about money or stock is a wrong book.

use domain::money::{Currency, parse_decimal};
use jiff::civil;
use rust_decimal::Decimal;

use crate::code::{Code, Wrong};

pub(crate) fn amount(text: &str) -> Result<Decimal, Wrong> {
    Ok(parse_decimal(text)?)
}

pub(crate) fn currency(code: &str) -> Result<Currency, Wrong> {
    Ok(code.parse::<Currency>()?)
}

pub(crate) fn quantity(text: &str) -> Result<u32, Wrong> {
    match digits(text) {
        Some(units) if units > 0 => Ok(units),
        _ => Err(Wrong::new(
            Code::BadQuantity,
            format!("{:?} is not a whole number above zero", shown(text)),
        )),
    }
}

pub(crate) fn stock(text: &str) -> Result<u64, Wrong> {
    digits(text).ok_or_else(|| {
        Wrong::new(
            Code::BadStock,
            format!("{:?} is not a whole number of units", shown(text)),
        )
    })
}

/// A day, or a day and a time to the second, kept as it is written.
pub(crate) fn date(text: &str) -> Result<String, Wrong> {
    match civil_date(text) {
        Some(_) => Ok(text.to_owned()),
        None => Err(Wrong::new(
            Code::BadDate,
            format!(
                "{:?} is neither YYYY-MM-DD nor YYYY-MM-DD HH:MM:SS",
                shown(text)
            ),
        )),
    }
}

fn civil_date(text: &str) -> Option<civil::DateTime> {
    let part = |from: usize, to: usize| digits::<i16>(text.get(from..to)?);
    let short = |from, to| i8::try_from(part(from, to)?).ok();
    let separated = |at: usize, by: &[u8]| text.as_bytes().get(at).is_some_and(|b| by.contains(b));
    if !separated(4, b"-") || !separated(7, b"-") {
        return None;
    }
    let date = civil::Date::new(part(0, 4)?, short(5, 7)?, short(8, 10)?).ok()?;
    let time = match text.len() {
        10 => civil::Time::midnight(),
        19 if separated(10, b" T") && separated(13, b":") && separated(16, b":") => {
            civil::Time::new(short(11, 13)?, short(14, 16)?, short(17, 19)?, 0).ok()?
        }
        _ => return None,
    };
    Some(date.to_datetime(time))
}

/// Digits only: `parse` alone would take a sign as well.
fn digits<T: std::str::FromStr>(text: &str) -> Option<T> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().ok()
    } else {
        None
    }
}

/// As much of a text as a message has room for.
pub(crate) fn shown(text: &str) -> String {
    text.chars().take(32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_date_is_a_day_of_the_calendar_in_one_of_two_spellings() {
        for text in [
            "2025-11-10",
            "2024-02-29",
            "2025-11-10 10:15:23",
            "2025-11-10T23:59:59",
        ] {
            assert_eq!(date(text), Ok(text.to_owned()));
        }
        for text in [
            "2025-02-29",
            "2025-13-01",
            "2025-1-1",
            "20251110",
            "10/11/2025",
            "2025-11-10 24:00:00",
            "2025-11-10 23:59:60",
            "2025-11-10 10:15",
            "2025-11-10T10:15:23Z",
            "2025-11-10x10:15:23",
            "+025-11-10",
            "2025-11-1é",
            "yesterday",
        ] {
            assert_eq!(
                date(text).map_err(|wrong| wrong.code),
                Err(Code::BadDate),
                "{text}"
            );
        }
    }

    #[test]
    fn quantities_and_stock_are_plain_digits() {
        assert_eq!(quantity("007"), Ok(7));
        assert_eq!(stock("0"), Ok(0));
        for text in [
            "0",
            "-1",
            "+1",
            "1.0",
            "1.5",
            "1e3",
            "",
            "99999999999",
            "٣",
            "two",
        ] {
            assert!(quantity(text).is_err(), "{text:?}");
        }
        for text in ["-1", "+1", "1.0", "many", "99999999999999999999999"] {
            assert!(stock(text).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_a_value_panic(text in ".{0,24}") {
            let _ = (amount(&text), currency(&text), quantity(&text), stock(&text), date(&text));
        }

        #[test]
        fn every_day_is_a_date(year in 1i16..=9999, month in 1i8..=12, day in 1i8..=31) {
            let text = format!("{year:04}-{month:02}-{day:02}");
            prop_assert_eq!(date(&text).is_ok(), civil::Date::new(year, month, day).is_ok());
        }
    }
}
