//! Texts to values. Strict: what would need guessing is refused, because a guess about money or stock is a wrong book.

use domain::catalog::check_units;
use domain::money::Currency;
use jiff::civil;
use rust_decimal::Decimal;

use crate::code::{Code, Wrong};

pub(crate) use crate::amounts::{in_cell as amount_in_cell, read as amount};

/// Whole hundredths, or whatever the smallest unit of the currency is.
pub(crate) fn cents(text: &str, currency: Currency) -> Result<Decimal, Wrong> {
    let cents: i64 = digits(text).ok_or_else(|| {
        let message = format!("{:?} is not a whole number of cents", shown(text));
        Wrong::new(Code::NotAnAmount, message)
    })?;
    Ok(Decimal::new(cents, currency.scale()))
}

pub(crate) fn currency(code: &str) -> Result<Currency, Wrong> {
    Ok(code.parse::<Currency>()?)
}

/// The currencies that the rows of a file name. Nearly always it is one, so the last of them is remembered.
pub(crate) struct Currencies {
    /// For rows that name none.
    pub default: Currency,
    last: Option<(String, Currency)>,
}

impl Currencies {
    pub fn new(default: Currency) -> Currencies {
        Currencies {
            default,
            last: None,
        }
    }

    pub fn read(&mut self, code: &str) -> Result<Currency, Wrong> {
        match &self.last {
            Some((last, currency)) if last == code => Ok(*currency),
            _ => {
                let currency = currency(code)?;
                self.last = Some((code.to_owned(), currency));
                Ok(currency)
            }
        }
    }
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
    let units = digits(text).ok_or_else(|| {
        Wrong::new(
            Code::BadStock,
            format!("{:?} is not a whole number of units", shown(text)),
        )
    })?;
    check_units("stock", units)?;
    Ok(units)
}

/// A day, or a day and a time, with or without an offset, kept as it is written.
pub(crate) fn date(text: &str) -> Result<String, Wrong> {
    if is_date(text) {
        return Ok(text.to_owned());
    }
    let message = format!(
        "{:?} is no day like 2026-03-01 or 2026-03-01 09:30:00",
        shown(text)
    );
    Err(Wrong::new(Code::BadDate, message))
}

fn is_date(text: &str) -> bool {
    let part = |from: usize, to: usize| digits::<i16>(text.get(from..to)?);
    let short = |from, to| i8::try_from(part(from, to)?).ok();
    let at = |index: usize, any: &[u8]| text.as_bytes().get(index).is_some_and(|b| any.contains(b));
    let day = || civil::Date::new(part(0, 4)?, short(5, 7)?, short(8, 10)?).ok();
    if !at(4, b"-") || !at(7, b"-") || day().is_none() {
        return false;
    }
    let Some(time) = text.get(10..).filter(|time| !time.is_empty()) else {
        return text.len() == 10;
    };
    let seconds = if at(16, b":") { short(17, 19) } else { Some(0) };
    let clock = || civil::Time::new(short(11, 13)?, short(14, 16)?, seconds?, 0).ok();
    if !at(10, b" T") || !at(13, b":") || clock().is_none() {
        return false;
    }
    let rest = &time[if at(16, b":") { 9 } else { 6 }..];
    is_zone(without_fraction(rest))
}

fn without_fraction(text: &str) -> &str {
    let digits = text.strip_prefix('.').unwrap_or_default();
    let rest = digits.trim_start_matches(|digit: char| digit.is_ascii_digit());
    if (1..=9).contains(&(digits.len() - rest.len())) {
        rest
    } else {
        text
    }
}

fn is_zone(text: &str) -> bool {
    let Some(offset) = text.strip_prefix(['+', '-']) else {
        return matches!(text, "" | "Z");
    };
    let (hours, minutes) = match offset.len() {
        5 if offset.as_bytes()[2] == b':' => (offset.get(..2), offset.get(3..)),
        4 => (offset.get(..2), offset.get(2..)),
        2 => (Some(offset), Some("00")),
        _ => return false,
    };
    let below = |text: Option<&str>, limit: u8| {
        text.and_then(digits::<u8>)
            .is_some_and(|number| number < limit)
    };
    below(hours, 24) && below(minutes, 60)
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
    fn a_date_is_a_day_of_the_calendar_with_or_without_a_time() {
        for text in [
            "2025-11-10",
            "2024-02-29",
            "2025-11-10 10:15:23",
            "2025-11-10T23:59:59",
            "2025-11-10 10:15",
            "2025-11-10T10:15:23Z",
            "2025-11-10T10:15Z",
            "2025-11-10T10:15:23.123456Z",
            "2025-11-10T10:15:23+01:00",
            "2025-11-10T10:15:23.5-0330",
            "2025-11-10 10:15:23+01",
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
            "2025-11-10 10",
            "2025-11-10 10:15:",
            "2025-11-10 10:15:2",
            "2025-11-10 10:60",
            "2025-11-10T10:15:23z",
            "2025-11-10T10:15:23.Z",
            "2025-11-10T10:15:23.1234567891Z",
            "2025-11-10T10:15:23+1:00",
            "2025-11-10T10:15:23+24:00",
            "2025-11-10T10:15:23 Europe/Berlin",
            "2025-11-10T10:15:23+0\u{e9}0",
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
    fn a_file_may_name_many_currencies() {
        let mut currencies = Currencies::new(currency("USD").expect("a currency"));
        for (text, expected) in [
            ("EUR", Some("EUR")),
            ("EUR", Some("EUR")),
            ("jpy", Some("JPY")),
            ("XXX", None),
            ("XXX", None),
            ("JPY", Some("JPY")),
            ("EUR", Some("EUR")),
        ] {
            let read = currencies.read(text).ok().map(Currency::code);
            assert_eq!(read, expected, "{text}");
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
        for text in [
            "-1",
            "+1",
            "1.0",
            "many",
            "1000000000001",
            "99999999999999999999999",
        ] {
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
