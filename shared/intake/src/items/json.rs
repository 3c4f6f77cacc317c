//! `[{"product":"Desk","qty":2,"price":99.99}]`
//!
//! Numbers are read from the text of the JSON. No float is in between, so 299.5 is 299.50 and 0.1 is 0.1.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{Item, Items, bad, lines};
use crate::code::Wrong;
use crate::columns::speaks_of_price;
use crate::values;

pub(super) fn read(json: &str) -> Result<Items, Wrong> {
    let items: Vec<RawItem<'_>> = serde_json::from_str(json).map_err(|error| wrong(json, error))?;
    lines(items.into_iter().map(item))
}

/// Which item it is that cannot be read.
fn wrong(json: &str, error: serde_json::Error) -> Wrong {
    let items: Vec<&RawValue> = match serde_json::from_str(json) {
        Ok(items) => items,
        Err(error) => return bad(format!("not a JSON list of items: {error}")),
    };
    for (item, number) in items.iter().zip(1u32..) {
        if let Err(error) = serde_json::from_str::<RawItem<'_>>(item.get()) {
            return bad(format!("item {number}: {error}"));
        }
    }
    bad(error.to_string())
}

/// Keys that are not listed are ignored. A key that says the same twice is refused: which one should count?
#[derive(Default)]
struct RawItem<'a> {
    sku: Option<&'a RawValue>,
    /// Where products are named and not numbered, the name is the SKU.
    product: Option<&'a RawValue>,
    name: Option<&'a RawValue>,
    quantity: Option<&'a RawValue>,
    price: Option<&'a RawValue>,
    unclear: Option<Cow<'a, str>>,
}

#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for RawItem<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // A map and nothing else: derived, it would take lists as well, key by position.
        deserializer.deserialize_map(Keys)
    }
}

struct Keys;

impl<'de> Visitor<'de> for Keys {
    type Value = RawItem<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawItem<'de>, A::Error> {
        let mut item = RawItem::default();
        while let Some(Key(key)) = map.next_key()? {
            let value: &'de RawValue = map.next_value()?;
            let (slot, name) = match key.as_ref() {
                "sku" | "product_sku" => (&mut item.sku, "sku"),
                "product" | "product_name" => (&mut item.product, "product"),
                "name" => (&mut item.name, "name"),
                "quantity" | "qty" => (&mut item.quantity, "quantity"),
                "price" | "unit_price" => (&mut item.price, "price"),
                unknown => {
                    if speaks_of_price(unknown) {
                        item.unclear = Some(key);
                    }
                    continue;
                }
            };
            if slot.replace(value).is_some() {
                return Err(A::Error::duplicate_field(name));
            }
        }
        Ok(item)
    }
}

fn item(raw: RawItem<'_>) -> Result<Item<'_>, Wrong> {
    let sku = raw.sku.or(raw.product).or(raw.name);
    Ok(Item {
        sku: text("sku or product", sku)?,
        quantity: text("quantity or qty", raw.quantity)?,
        price: text("price", raw.price)?,
        unclear: raw.unclear,
    })
}

pub(super) fn names(json: &str) -> Vec<(String, String)> {
    let items: Vec<RawItem<'_>> = serde_json::from_str(json).unwrap_or_default();
    let name = |item: &RawItem<'_>| {
        let (sku, name) = match (item.sku, item.product, item.name) {
            (Some(sku), product, name) => (sku, product.or(name)?),
            (None, Some(product), Some(name)) => (product, name),
            _ => return None,
        };
        let [sku, name] = [sku, name].map(|value| text("product", Some(value)).ok().flatten());
        Some((sku?.into_owned(), name?.into_owned()))
    };
    items.iter().filter_map(name).collect()
}

/// What a string says, or the very text of anything else: of a number, all its digits. Nothing where it says nothing.
fn text<'a>(keys: &str, value: Option<&'a RawValue>) -> Result<Option<Cow<'a, str>>, Wrong> {
    let json = value.map_or("null", RawValue::get);
    let text = match json.as_bytes() {
        [b'"', inner @ .., b'"'] if !inner.contains(&b'\\') => {
            Cow::Borrowed(json[1..json.len() - 1].trim())
        }
        [b'"', ..] => {
            let text: String =
                serde_json::from_str(json).map_err(|error| bad(error.to_string()))?;
            Cow::Owned(text.trim().to_owned())
        }
        [b'[' | b'{' | b't' | b'f', ..] => {
            return Err(bad(format!(
                "{keys} is {}, neither a text nor a number",
                values::shown(json)
            )));
        }
        b"null" => Cow::Borrowed(""),
        _ => Cow::Borrowed(json),
    };
    Ok(Some(text).filter(|text| !text.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::Code;
    use domain::order::Line;
    use proptest::prelude::*;
    use rust_decimal::Decimal;

    fn with_price(price: &str) -> String {
        format!(r#"[{{"product":"A","qty":1,"price":{price}}}]"#)
    }

    #[test]
    fn prices_are_read_digit_by_digit() {
        for (price, expected) in [
            ("999", "999"),
            ("99.99", "99.99"),
            ("\"99.99\"", "99.99"),
            ("299.5", "299.5"),
            ("0.1", "0.1"),
            ("0.30000000000000004", "0.30000000000000004"),
            ("9007199254740993", "9007199254740993"),
            ("123456789012.345678", "123456789012.345678"),
        ] {
            let items = read(&with_price(price)).expect(price);
            assert_eq!(items.lines[0].unit_price.to_string(), expected);
        }
        for price in ["1e3", "1E3", "1.5e0", "\"1e3\"", "\"$5\""] {
            let wrong = read(&with_price(price)).expect_err(price);
            assert_eq!(wrong.code, Code::NotAnAmount, "{price}");
        }
    }

    #[test]
    fn keys_have_two_names_and_other_keys_are_ignored() {
        for json in [
            r#"[{"product":"A","qty":2,"price":5}]"#,
            r#"[{"sku":"A","quantity":2,"unit_price":5}]"#,
            r#" [ { "price" : "5" , "qty" : "2" , "product_sku" : " A " } ] "#,
            r#"[{"sku":"A","product":"The letter","qty":2,"price":5,"tags":[{"a":[1e9]}],"x":null}]"#,
            r#"[{"product":"\u0041","qty":2,"price":5}]"#,
        ] {
            let line = Line {
                sku: "A".to_owned(),
                quantity: 2,
                unit_price: Decimal::from(5),
            };
            assert_eq!(
                read(json).map(|items| items.lines),
                Ok(vec![line]),
                "{json}"
            );
        }
        assert_eq!(
            read(r#"[{"product":42,"qty":2,"price":5}]"#).map(|items| items.lines[0].sku.clone()),
            Ok("42".to_owned())
        );
    }

    #[test]
    fn what_is_wrong_is_said_with_the_number_of_the_item() {
        let good = r#"{"sku":"A","qty":1,"price":1}"#;
        for (item, code, message) in [
            (
                r#"{"qty":1,"price":1}"#,
                Code::MissingValue,
                "no sku or product",
            ),
            (
                r#"{"sku":"","qty":1,"price":1}"#,
                Code::MissingValue,
                "no sku or product",
            ),
            (
                r#"{"sku":"A","price":1}"#,
                Code::MissingValue,
                "no quantity or qty",
            ),
            (
                r#"{"sku":"A","qty":null,"price":1}"#,
                Code::MissingValue,
                "no quantity or qty",
            ),
            (r#"{"sku":"A","qty":1}"#, Code::MissingValue, "no price"),
            (
                r#"{"sku":"A","qty":1,"price":""}"#,
                Code::MissingValue,
                "no price",
            ),
            (
                r#"{"sku":"A","qty":1,"qty":2,"price":1}"#,
                Code::BadItems,
                "duplicate field",
            ),
            (
                r#"{"sku":"A","qty":1,"quantity":1,"price":1}"#,
                Code::BadItems,
                "duplicate field",
            ),
            (
                r#"{"sku":"A","qty":1.5,"price":1}"#,
                Code::BadQuantity,
                "\"1.5\" is not",
            ),
            (
                r#"{"sku":"A","qty":-1,"price":1}"#,
                Code::BadQuantity,
                "\"-1\" is not",
            ),
            (
                r#"{"sku":"A","qty":0,"price":1}"#,
                Code::BadQuantity,
                "\"0\" is not",
            ),
            (
                r#"{"sku":["A"],"qty":0,"price":1}"#,
                Code::BadItems,
                "neither a text nor a number",
            ),
            (
                r#"{"sku":"A","qty":true,"price":1}"#,
                Code::BadItems,
                "neither a text nor a number",
            ),
            (r#"["A",null,1,1]"#, Code::BadItems, "expected an object"),
            (r#""A""#, Code::BadItems, "expected an object"),
        ] {
            let wrong = read(&format!("[{good},{item}]")).expect_err(item);
            assert_eq!(wrong.code, code, "{item}");
            let expected = (
                wrong.message.starts_with("item 2: "),
                wrong.message.contains(message),
            );
            assert_eq!(expected, (true, true), "{}", wrong.message);
        }
        for json in [
            "{}",
            "[{]",
            "[",
            "[] x",
            "SKU-1:2:1999",
            "null",
            "[{sku:A}]",
        ] {
            assert_eq!(
                read(json).map_err(|wrong| wrong.code),
                Err(Code::BadItems),
                "{json}"
            );
        }
        assert_eq!(read("[]").map(|items| items.lines), Ok(vec![]));
    }

    #[test]
    fn a_price_under_an_unknown_name_is_not_passed_over() {
        for key in ["unitPrice", "Price", "price_cents", "cost", "amount"] {
            let json = format!(r#"[{{"sku":"A","qty":1,"{key}":5}}]"#);
            assert_eq!(
                read(&json).map_err(|wrong| wrong.code),
                Err(Code::BadItems),
                "{key}"
            );
            let json = format!(r#"[{{"sku":"A","qty":1,"price":5,"{key}":6}}]"#);
            assert!(read(&json).is_ok(), "{key}");
        }
    }

    #[test]
    fn items_without_any_price_are_priced_by_the_catalog() {
        for (json, unpriced) in [
            (
                r#"[{"sku":"A","quantity":2},{"sku":"B","quantity":1}]"#,
                true,
            ),
            (r#"[{"sku":"A","quantity":2,"price":null}]"#, true),
            (r#"[{"sku":"A","quantity":2,"price":0}]"#, false),
        ] {
            assert_eq!(
                read(json).map(|items| items.unpriced),
                Ok(unpriced),
                "{json}"
            );
        }
    }

    proptest! {
        #[test]
        fn amounts_round_trip(units in 0i64..=1_000_000_000_000_000, scale in 0u32..=8) {
            let price = Decimal::new(units, scale);
            for json in [with_price(&price.to_string()), with_price(&format!("\"{price}\""))] {
                prop_assert_eq!(read(&json).map(|items| items.lines[0].unit_price), Ok(price));
            }
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "[\\[\\]{}\",:a-z0-9.\\\\ ]{0,60}") {
            let _ = read(&text);
        }
    }
}
