//! The list of items that a cell holds as JSON: `[{"product":"Desk","qty":2,"price":99.99}]`.
//!
//! Numbers are read from the text of the JSON. No float is in between, so 299.5 is 299.50 and 0.1 is 0.1.

use domain::order::Line;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::code::{Code, Wrong};
use crate::values;

/// Keys that are not listed are ignored. A key that says the same twice is refused: which one should count?
#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow, default, alias = "product_sku")]
    sku: Option<&'a RawValue>,
    /// Where products are named and not numbered, the name is the SKU.
    #[serde(borrow, default)]
    product: Option<&'a RawValue>,
    #[serde(borrow, default, alias = "qty")]
    quantity: Option<&'a RawValue>,
    #[serde(borrow, default, alias = "unit_price")]
    price: Option<&'a RawValue>,
}

pub(crate) fn read(json: &str) -> Result<Vec<Line>, Wrong> {
    let items: Vec<&RawValue> = serde_json::from_str(json)
        .map_err(|error| bad(format!("not a JSON list of items: {error}")))?;
    items
        .iter()
        .zip(1..)
        .map(|(item, number)| line(item).map_err(|wrong| wrong.of(format_args!("item {number}"))))
        .collect()
}

fn line(item: &RawValue) -> Result<Line, Wrong> {
    // Lists would be taken as well, key by position.
    if !item.get().starts_with('{') {
        return Err(bad(format!(
            "{} is not an object",
            values::shown(item.get())
        )));
    }
    let item: Item = serde_json::from_str(item.get()).map_err(|error| bad(error.to_string()))?;
    let sku = text("sku or product", item.sku.or(item.product))?;
    let quantity = text("quantity or qty", item.quantity)?;
    let price = text("price", item.price)?;
    Ok(Line {
        sku,
        quantity: values::quantity(&quantity).map_err(|wrong| wrong.of("quantity"))?,
        unit_price: values::amount(&price).map_err(|wrong| wrong.of("price"))?,
    })
}

/// What a string says, or the very text of anything else: of a number, all its digits.
fn text(keys: &str, value: Option<&RawValue>) -> Result<String, Wrong> {
    let json = value.map_or("null", RawValue::get);
    let text = match json.as_bytes() {
        [b'"', ..] => serde_json::from_str(json).map_err(|error| bad(error.to_string()))?,
        [b'[' | b'{' | b't' | b'f', ..] => {
            return Err(bad(format!(
                "{keys} is {}, neither a text nor a number",
                values::shown(json)
            )));
        }
        b"null" => String::new(),
        _ => json.to_owned(),
    };
    match text.trim() {
        "" => Err(Wrong::new(Code::MissingValue, format!("no {keys}"))),
        trimmed => Ok(trimmed.to_owned()),
    }
}

fn bad(message: String) -> Wrong {
    Wrong::new(Code::BadItems, message)
}

#[cfg(test)]
mod tests {
    use super::*;
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
            let lines = read(&with_price(price)).expect(price);
            assert_eq!(lines[0].unit_price.to_string(), expected);
        }
        for price in ["1e3", "1E3", "1.5e0", "\"1e3\"", "\"$5\"", "\"1,5\""] {
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
            assert_eq!(read(json), Ok(vec![line]), "{json}");
        }
        assert_eq!(
            read(r#"[{"product":42,"qty":2,"price":5}]"#).map(|lines| lines[0].sku.clone()),
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
            (r#"["A",null,1,1]"#, Code::BadItems, "not an object"),
            (r#""A""#, Code::BadItems, "not an object"),
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
        assert_eq!(read("[]"), Ok(vec![]));
    }

    proptest! {
        #[test]
        fn amounts_round_trip(units in 0i64..=1_000_000_000_000_000, scale in 0u32..=8) {
            let price = Decimal::new(units, scale);
            for json in [with_price(&price.to_string()), with_price(&format!("\"{price}\""))] {
                prop_assert_eq!(read(&json).map(|lines| lines[0].unit_price), Ok(price));
            }
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "[\\[\\]{}\",:a-z0-9.\\\\ ]{0,60}") {
            let _ = read(&text);
        }
    }
}
