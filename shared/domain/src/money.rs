//! Money is a decimal with a currency. Never a float, never rounded without being asked, never two currencies added.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An ISO 4217 currency that has a minor unit, or is known to have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency {
    currency: iso_currency::Currency,
    scale: u32,
}

impl Currency {
    /// All of them, by their codes.
    pub fn all() -> impl Iterator<Item = Currency> {
        use iso_currency::IntoEnumIterator;
        let known = iso_currency::Currency::iter();
        let mut all: Vec<Currency> = known.filter_map(|one| one.code().parse().ok()).collect();
        all.sort_by_key(|currency| currency.code());
        all.into_iter()
    }

    /// Digits after the decimal point: 2 for USD, 0 for JPY, 3 for KWD.
    pub fn scale(self) -> u32 {
        self.scale
    }

    pub fn code(self) -> &'static str {
        self.currency.code()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MoneyError {
    /// Not an ISO 4217 code, or one without a unit to pay in (gold, test codes).
    UnknownCurrency(String),
    /// Not digits with at most one decimal point.
    NotANumber(String),
    /// More digits after the point than the currency has.
    TooPrecise {
        amount: Decimal,
        currency: Currency,
    },
    Negative(Decimal),
    TooLarge,
    /// Amounts of two currencies were about to be combined.
    Mixed(Currency, Currency),
}

impl fmt::Display for MoneyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MoneyError::UnknownCurrency(code) => {
                write!(f, "{code:?} is not a currency that can be paid in")
            }
            MoneyError::NotANumber(text) => write!(f, "{text:?} is not an amount"),
            MoneyError::TooPrecise { amount, currency } => {
                write!(
                    f,
                    "{amount} has more than the {} decimals of {currency}",
                    currency.scale()
                )
            }
            MoneyError::Negative(amount) => write!(f, "{amount} is negative"),
            MoneyError::TooLarge => write!(f, "the amount is too large"),
            MoneyError::Mixed(one, other) => write!(f, "{one} and {other} cannot be combined"),
        }
    }
}

impl std::error::Error for MoneyError {}

impl FromStr for Currency {
    type Err = MoneyError;

    fn from_str(code: &str) -> Result<Self, MoneyError> {
        let unknown = || MoneyError::UnknownCurrency(code.chars().take(16).collect());
        let upper = code.to_ascii_uppercase();
        let currency = iso_currency::Currency::from_code(&upper).ok_or_else(unknown)?;
        let scale = currency.exponent().ok_or_else(unknown)?;
        Ok(Currency {
            currency,
            scale: u32::from(scale),
        })
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = std::borrow::Cow::<str>::deserialize(deserializer)?;
        code.parse().map_err(serde::de::Error::custom)
    }
}

/// An amount with the decimals of its currency, for showing it. It is made longer only: what is too precise is not hidden.
pub fn whole(amount: Decimal, currency: Currency) -> Decimal {
    let mut amount = amount.normalize();
    if amount.scale() < currency.scale() {
        amount.rescale(currency.scale());
    }
    amount
}

/// An amount that the currency can express, from zero up to [`Money::LIMIT`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    amount: Decimal,
    currency: Currency,
}

impl Money {
    /// Ten to the 15th: far above any order, and a million of them still add up exactly.
    pub const LIMIT: i64 = 1_000_000_000_000_000;

    pub fn new(amount: Decimal, currency: Currency) -> Result<Self, MoneyError> {
        if amount.is_sign_negative() && !amount.is_zero() {
            return Err(MoneyError::Negative(amount));
        }
        // Most digits, read as a whole number, are below the limit already, and most amounts have the currency's
        // decimals: the questions that take longer are asked about the others only.
        let few_digits = amount.mantissa() <= i128::from(Self::LIMIT);
        if !few_digits && amount > Decimal::from(Self::LIMIT) {
            return Err(MoneyError::TooLarge);
        }
        if amount.scale() > currency.scale() && amount.normalize().scale() > currency.scale() {
            return Err(MoneyError::TooPrecise { amount, currency });
        }
        let mut amount = amount.abs();
        // Widening only: nothing is cut off, so 25 and 25.00 are the same amount, written the same way.
        if amount.scale() != currency.scale() {
            amount.rescale(currency.scale());
        }
        Ok(Money { amount, currency })
    }

    pub fn zero(currency: Currency) -> Self {
        let mut amount = Decimal::ZERO;
        amount.rescale(currency.scale());
        Money { amount, currency }
    }

    /// Reads plain digits with at most one decimal point. Anything that needs guessing is refused.
    pub fn parse(text: &str, currency: Currency) -> Result<Self, MoneyError> {
        Money::new(parse_decimal(text)?, currency)
    }

    pub fn amount(self) -> Decimal {
        self.amount
    }

    pub fn currency(self) -> Currency {
        self.currency
    }

    pub fn checked_add(self, other: Money) -> Result<Money, MoneyError> {
        self.same_currency(other)?;
        let sum = self
            .amount
            .checked_add(other.amount)
            .ok_or(MoneyError::TooLarge)?;
        Money::new(sum, self.currency)
    }

    pub fn checked_sub(self, other: Money) -> Result<Money, MoneyError> {
        self.same_currency(other)?;
        let difference = self
            .amount
            .checked_sub(other.amount)
            .ok_or(MoneyError::TooLarge)?;
        Money::new(difference, self.currency)
    }

    pub fn checked_mul(self, units: u32) -> Result<Money, MoneyError> {
        let product = self
            .amount
            .checked_mul(Decimal::from(units))
            .ok_or(MoneyError::TooLarge)?;
        Money::new(product, self.currency)
    }

    fn same_currency(self, other: Money) -> Result<(), MoneyError> {
        if self.currency == other.currency {
            Ok(())
        } else {
            Err(MoneyError::Mixed(self.currency, other.currency))
        }
    }
}

/// Reads `123`, `123.45` or `.5`-free decimals: digits, and one point with digits on both sides.
pub fn parse_decimal(text: &str) -> Result<Decimal, MoneyError> {
    let invalid = || MoneyError::NotANumber(text.chars().take(32).collect());
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let unsigned = whole.strip_prefix('-').unwrap_or(whole);
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(unsigned) || !digits(fraction) {
        return Err(invalid());
    }
    Decimal::from_str_exact(text).map_err(|_| MoneyError::TooLarge)
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount, self.currency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn usd(text: &str) -> Result<Money, MoneyError> {
        Money::parse(text, "USD".parse()?)
    }

    #[test]
    fn amounts_are_read_exactly_or_refused() {
        for (text, expected) in [
            ("25", "25.00 USD"),
            ("25.5", "25.50 USD"),
            ("0.01", "0.01 USD"),
            ("25.500", "25.50 USD"),
        ] {
            assert_eq!(
                usd(text).map(|money| money.to_string()),
                Ok(expected.to_owned()),
                "{text}"
            );
        }
        for text in [
            "", "1,234.56", "$25", "12.345", "1e3", "NaN", "25,50", "-1", " 1", ".5", "5.",
            "1.2.3", "+1", "٣",
        ] {
            assert!(usd(text).is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn each_currency_has_its_own_decimals() {
        for (text, code, accepted) in [
            ("100", "JPY", true),
            ("100.5", "JPY", false),
            ("1.234", "KWD", true),
            ("1.234", "EUR", false),
            ("1", "eur", true),
        ] {
            let money = code
                .parse()
                .and_then(|currency| Money::parse(text, currency));
            assert_eq!(money.is_ok(), accepted, "{text} {code}");
        }
        for code in ["", "US", "XXX", "XAU", "DOLLAR"] {
            assert!(code.parse::<Currency>().is_err(), "{code:?} was accepted");
        }
    }

    #[test]
    fn currencies_do_not_mix_and_amounts_do_not_go_below_zero() -> Result<(), MoneyError> {
        let euro = Money::parse("1", "EUR".parse()?)?;
        assert!(matches!(
            usd("1")?.checked_add(euro),
            Err(MoneyError::Mixed(..))
        ));
        assert!(matches!(
            usd("1")?.checked_sub(usd("1.01")?),
            Err(MoneyError::Negative(_))
        ));
        assert_eq!(
            usd("1")?.checked_sub(usd("1")?)?,
            Money::zero("USD".parse()?)
        );
        assert_eq!(
            usd("1000000000000000")?.checked_add(usd("0.01")?),
            Err(MoneyError::TooLarge)
        );
        Ok(())
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(cents in 0i64..1_000_000_000_000) {
            let currency: Currency = "USD".parse()?;
            let money = Money::new(Decimal::new(cents, 2), currency)?;
            prop_assert_eq!(Money::parse(&money.amount().to_string(), currency)?, money);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".{0,40}") {
            let _ = parse_decimal(&text);
        }
    }
}
