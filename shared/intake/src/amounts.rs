//! Amounts as people write them, where there is one way to read them.
//!
//! A point or a comma can stand before the decimals or between the thousands. What else stands in the number decides:
//! `1,234.56` and `1.234,56` can be one number each, and so can `12,50`, for no group has two digits. `1,234` can be two
//! numbers and is refused. A point alone is a decimal point, as in every machine's notation; but where a currency has no
//! three decimals, `1.250` in a cell was hardly written by a machine, and is refused like `1,250`. Currency signs are
//! refused as well: a dozen countries have a dollar.

use domain::Currency;
use domain::money::parse_decimal;
use rust_decimal::Decimal;

use crate::code::{Code, Wrong};
use crate::values::shown;

/// An amount in a cell, which a person may have written.
pub(crate) fn in_cell(text: &str, currency: Currency) -> Result<Decimal, Wrong> {
    let thousands = |(whole, rest): (&str, &str)| are_groups(&[whole, rest]);
    let digits = text.strip_prefix('-').unwrap_or(text);
    // More decimals than the currency has are refused anyway, unless they are zeros.
    if currency.scale() < 3 && text.ends_with('0') && digits.split_once('.').is_some_and(thousands)
    {
        let plain = digits
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.');
        if plain && digits.matches('.').count() == 1 {
            let message = format!(
                "{:?} is {} or a thousand times as much: write it without zeros at its end",
                shown(text),
                digits.trim_end_matches('0')
            );
            return Err(Wrong::new(Code::AmbiguousAmount, message));
        }
    }
    read(text)
}

/// An amount that a program wrote.
pub(crate) fn read(text: &str) -> Result<Decimal, Wrong> {
    match parse_decimal(text) {
        Ok(amount) => Ok(amount),
        Err(error) => match plain(text) {
            Some(Ok(plain)) => Ok(parse_decimal(&plain)?),
            Some(Err(wrong)) => Err(wrong),
            None => Err(error.into()),
        },
    }
}

/// The same number in plain notation: nothing where it is none.
fn plain(text: &str) -> Option<Result<String, Wrong>> {
    let (sign, unsigned) = match text.strip_prefix('-') {
        Some(unsigned) => ("-", unsigned),
        None => ("", text),
    };
    let digits: Vec<&str> = unsigned.split(is_separator).collect();
    let separators: Vec<char> = unsigned
        .matches(is_separator)
        .flat_map(str::chars)
        .collect();
    let all_digits =
        |digits: &&str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !digits.iter().all(all_digits) {
        return None;
    }
    let (last, groups) = separators.split_last()?;
    let (decimals, whole) = digits.split_last()?;
    let joined = |parts: &[&str]| parts.concat();
    let alike = groups.iter().all(|group| group == &groups[0]);
    if groups.contains(last) || (groups.is_empty() && !matches!(last, '.' | ',')) {
        // Between thousands, all of them.
        let only = groups.iter().all(|group| group == last);
        return (only && are_groups(&digits)).then(|| Ok(format!("{sign}{}", joined(&digits))));
    }
    if !matches!(last, '.' | ',') || !alike || !(whole.len() == 1 || are_groups(whole)) {
        return None;
    }
    if *last == ',' && groups.is_empty() && are_groups(&digits) {
        let message = format!(
            "{:?} is {}{} or {}.{decimals}: write it without a comma",
            shown(text),
            whole[0],
            decimals,
            whole[0]
        );
        return Some(Err(Wrong::new(Code::AmbiguousAmount, message)));
    }
    Some(Ok(format!("{sign}{}.{decimals}", joined(whole))))
}

fn is_separator(character: char) -> bool {
    // The last three: a blank that does not break, a narrow one, and the apostrophe of typesetters.
    matches!(
        character,
        '.' | ',' | ' ' | '\'' | '\u{a0}' | '\u{202f}' | '\u{2019}'
    )
}

/// Thousands: up to three digits that do not begin with a zero, then three each.
fn are_groups(digits: &[&str]) -> bool {
    let Some((first, rest)) = digits.split_first() else {
        return false;
    };
    first.len() <= 3 && !first.starts_with('0') && rest.iter().all(|group| group.len() == 3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_can_be_read_in_one_way_is_read() {
        for (text, expected) in [
            ("25", "25"),
            ("25.50", "25.50"),
            ("12.345", "12.345"),
            ("-3", "-3"),
            ("1,234.56", "1234.56"),
            ("1.234,56", "1234.56"),
            ("12,5", "12.5"),
            ("12,50", "12.50"),
            ("-12,50", "-12.50"),
            ("0,125", "0.125"),
            ("1234,567", "1234.567"),
            ("12,3456", "12.3456"),
            ("1,234,567", "1234567"),
            ("1.234.567", "1234567"),
            ("1,234,567.8", "1234567.8"),
            ("1 234,56", "1234.56"),
            ("1\u{a0}234,56", "1234.56"),
            ("1'234.50", "1234.50"),
            ("1\u{2019}234\u{2019}567", "1234567"),
            ("1 234", "1234"),
        ] {
            assert_eq!(
                read(text).map(|amount| amount.to_string()),
                Ok(expected.to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn a_point_before_three_digits_is_not_trusted_in_a_cell() {
        let seen = |text: &str, currency: &str| {
            in_cell(text, currency.parse().expect("a currency")).map_err(|wrong| wrong.code)
        };
        for (text, currency) in [
            ("1.250", "EUR"),
            ("12.000", "USD"),
            ("2.000", "JPY"),
            ("-1.250", "EUR"),
        ] {
            assert_eq!(
                seen(text, currency),
                Err(Code::AmbiguousAmount),
                "{text} {currency}"
            );
        }
        for (text, currency) in [
            ("16.250", "KWD"),
            ("0.250", "EUR"),
            ("1.25", "EUR"),
            ("1250.000", "EUR"),
            ("1.2500", "EUR"),
            ("1.250,00", "EUR"),
            ("12.345", "EUR"),
        ] {
            assert!(seen(text, currency).is_ok(), "{text} {currency}");
        }
        assert_eq!(seen("a.250", "EUR"), Err(Code::NotAnAmount));
    }

    #[test]
    fn what_can_be_read_in_two_ways_or_in_none_is_refused() {
        for text in ["1,234", "12,345", "123,456", "-1,000"] {
            assert_eq!(
                read(text).map_err(|wrong| wrong.code),
                Err(Code::AmbiguousAmount),
                "{text}"
            );
        }
        for text in [
            "",
            "$25",
            "25 USD",
            "\u{20ac}5",
            "1e3",
            "1E3",
            "NaN",
            "inf",
            "-",
            ".5",
            "5.",
            ",5",
            "5,",
            "+1",
            "--1",
            "(5)",
            "1,23,456",
            "12,34.5",
            "1,2345.6",
            "1234,567.8",
            "1.23.4",
            "1,234.567,8",
            "0,123,456",
            "1 23",
            "1  234",
            " 1",
            "1,234 567.8",
            "0x10",
            "\u{663}",
        ] {
            assert_eq!(
                read(text).map_err(|wrong| wrong.code),
                Err(Code::NotAnAmount),
                "{text:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn grouped_and_plain_are_the_same(units in 1_000u64..10_000_000_000, cents in 0u32..100) {
            let digits = units.to_string();
            let mut grouped = String::new();
            for (index, digit) in digits.chars().enumerate() {
                if index > 0 && (digits.len() - index).is_multiple_of(3) {
                    grouped.push('_');
                }
                grouped.push(digit);
            }
            let expected = read(&format!("{units}.{cents:02}"));
            for (group, point) in [(",", "."), (".", ","), (" ", ","), ("'", ".")] {
                let text = format!("{}{point}{cents:02}", grouped.replace('_', group));
                prop_assert_eq!(read(&text), expected.clone(), "{}", text);
            }
        }

        #[test]
        fn nothing_makes_it_panic(text in "[0-9., '$e-]{0,20}") {
            let _ = read(&text);
        }
    }
}
