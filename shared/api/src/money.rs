//! Amounts as they are written into answers, and read from requests.

use domain::Currency;
use rust_decimal::Decimal;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

/// A number of JSON with all its digits: no float is on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ToSchema)]
#[schema(value_type = f64)]
pub struct Number(Decimal);

impl Number {
    pub fn new(amount: Decimal, currency: Currency) -> Number {
        Number(domain::money::whole(amount, currency))
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let digits = RawValue::from_string(self.0.to_string());
        digits
            .map_err(serde::ser::Error::custom)?
            .serialize(serializer)
    }
}

/// The codes of currencies, for the description.
pub struct CurrencyCode;

impl PartialSchema for CurrencyCode {
    fn schema() -> RefOr<Schema> {
        let codes = Currency::all().map(Currency::code);
        let schema = ObjectBuilder::new().schema_type(Type::String);
        schema.enum_values(Some(codes)).into()
    }
}

impl ToSchema for CurrencyCode {}

/// An amount that somebody asks for, in whatever currency it will turn out to be in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, pattern = r"^[0-9]{1,15}(\.[0-9]{1,4})?$", example = "25.00")]
pub struct Amount(pub Decimal);

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Amount, D::Error> {
        let text = String::deserialize(deserializer)?;
        let (whole, part) = text.split_once('.').unwrap_or((&text, "0"));
        let digits = |text: &str, most| {
            (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        let amount = (digits(whole, 15) && digits(part, 4)).then(|| text.parse().ok());
        let wrong = || Error::custom("an amount is written as \"25.00\"");
        amount.flatten().map(Amount).ok_or_else(wrong)
    }
}

/// A whole number, also where JSON has it as `2.0`.
pub fn count<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: TryFrom<u64>,
    D: Deserializer<'de>,
{
    let number = serde_json::Number::deserialize(deserializer)?;
    let written = number.to_string();
    let digits = written.strip_suffix(".0").unwrap_or(&written);
    let whole = digits
        .parse::<u64>()
        .ok()
        .and_then(|number| T::try_from(number).ok());
    whole.ok_or_else(|| D::Error::custom(format!("{number} is not a whole number, or too large")))
}

/// The same, or nothing.
pub fn count_if_any<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(transparent)]
    struct Count(#[serde(deserialize_with = "count")] u64);
    let count = Option::<Count>::deserialize(deserializer)?;
    Ok(count.map(|Count(count)| count))
}

/// With the digits of its currency.
pub fn text(amount: Decimal, currency: Currency) -> String {
    domain::money::whole(amount, currency).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_all_its_digits() {
        let number = |text: &str, code: &str| {
            let currency = code.parse().expect("a currency");
            let number = Number::new(text.parse().expect("a number"), currency);
            serde_json::to_string(&number).expect("json")
        };
        assert_eq!(number("12.5", "USD"), "12.50");
        assert_eq!(
            number("-0.30000000000000004", "USD"),
            "-0.30000000000000004"
        );
        assert_eq!(number("999999999999999", "JPY"), "999999999999999");
    }

    #[test]
    fn an_amount_is_digits_with_at_most_one_point() {
        let read = |text: &str| serde_json::from_value::<Amount>(text.into()).ok();
        assert_eq!(read("25.00"), Some(Amount(Decimal::new(2500, 2))));
        assert_eq!(read("0"), Some(Amount(Decimal::ZERO)));
        for wrong in [
            "", ".5", "5.", "-1", "+1", "1e3", "1_000", "1,000", " 1", "٣", "1.2.3", "1.00000",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        assert!(serde_json::from_str::<Amount>("25.00").is_err());
    }
}
