//! `[{sku:PROD001,quantity:2}]`: JSON whose quotes a shell has eaten.
//!
//! Without quotes nothing tells a comma in a name from one between two items, so a value that could be either is
//! refused: here values hold no character that means something in JSON.

use std::borrow::Cow;

use super::{Item, Items, bad, lines};
use crate::code::Wrong;
use crate::columns::speaks_of_price;

pub(super) fn is_bare(text: &str) -> bool {
    !text.contains('"')
}

pub(super) fn read(text: &str) -> Result<Items, Wrong> {
    let list = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
        .ok_or_else(|| bad("not a list of items"))?;
    if list.trim().is_empty() {
        return lines([]);
    }
    let mut items = Vec::new();
    let mut rest = list.trim();
    loop {
        let (item, after) = rest
            .strip_prefix('{')
            .and_then(|rest| rest.split_once('}'))
            .ok_or_else(|| bad("an item that is not in braces, and there are no quotes"))?;
        items.push(self::item(item));
        rest = match after.trim_start() {
            "" => return lines(items),
            after => after
                .strip_prefix(',')
                .ok_or_else(|| bad("something stands between two items"))?
                .trim_start(),
        };
    }
}

fn item(text: &str) -> Result<Item<'_>, Wrong> {
    let mut item = Item::default();
    for pair in text.split(',') {
        let unclear = || bad("without quotes, its keys and values cannot be told apart");
        let (key, value) = pair.split_once(':').ok_or_else(unclear)?;
        if value.contains([':', '{', '[', ']']) {
            return Err(unclear());
        }
        let slot = match key.trim() {
            "sku" | "product_sku" | "product" | "product_name" | "name" => &mut item.sku,
            "quantity" | "qty" => &mut item.quantity,
            "price" | "unit_price" => &mut item.price,
            key if speaks_of_price(key) => &mut item.unclear,
            _ => continue,
        };
        let value = value.trim();
        if slot.is_some() {
            return Err(bad(format!("{} is said twice", key.trim())));
        }
        *slot = Some(Cow::Borrowed(value)).filter(|_| !matches!(value, "" | "null"));
    }
    Ok(item)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::Code;
    use proptest::prelude::*;

    fn shown(text: &str) -> Result<Vec<String>, Code> {
        let items = read(text).map_err(|wrong| wrong.code)?;
        let lines = items
            .lines
            .iter()
            .map(|line| format!("{} x {} at {}", line.quantity, line.sku, line.unit_price));
        Ok(lines.collect())
    }

    #[test]
    fn keys_and_values_without_quotes_are_read() {
        for (text, expected) in [
            ("[{sku:PROD001,quantity:2}]", &["2 x PROD001 at 0"][..]),
            (
                "[ {sku: A-1 , qty:2, price: 9.50, x:y} , {product:Oak Desk,quantity:1,price:100} ]",
                &["2 x A-1 at 9.50", "1 x Oak Desk at 100"],
            ),
            ("[]", &[]),
            ("[ ]", &[]),
        ] {
            let expected = expected.iter().map(ToString::to_string).collect();
            assert_eq!(shown(text), Ok(expected), "{text}");
        }
        assert_eq!(
            read("[{sku:A,quantity:1}]").map(|items| items.unpriced),
            Ok(true)
        );
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for text in [
            "[{sku:Desk, oak,quantity:1}]",
            "[{sku:A:B,quantity:1}]",
            "[{sku:A{2},quantity:1}]",
            "[{sku:A,sku:B,quantity:1}]",
            "[{sku:A,product:B,quantity:1}]",
            "[{sku:A,quantity:1}",
            "[{sku:A,quantity:1}{sku:B,quantity:1}]",
            "[{sku:A,quantity:1},]",
            "[sku:A,quantity:1]",
            "{sku:A,quantity:1}",
            "[[{sku:A,quantity:1}]]",
            "[1]",
        ] {
            assert_eq!(shown(text), Err(Code::BadItems), "{text}");
        }
        assert_eq!(shown("[{sku:A,quantity:x}]"), Err(Code::BadQuantity));
        assert_eq!(shown("[{sku:A}]"), Err(Code::MissingValue));
        assert_eq!(shown("[{sku:A,qty:1,unitPrice:5}]"), Err(Code::BadItems));
        assert_eq!(shown("[{sku:,quantity:1}]"), Err(Code::MissingValue));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "[\\[\\]{},:a-z0-9. ]{0,60}") {
            let _ = read(&text);
        }
    }
}
