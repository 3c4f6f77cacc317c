//! `SKU-1:2:1999|SKU-2:1:500`: a SKU, a quantity and a price in cents, joined by bars.

use domain::Currency;
use domain::order::Line;

use super::{Items, bad};
use crate::code::Wrong;
use crate::values;

/// Nothing in the notation itself says that its prices are cents. The header has to say it of the total.
pub(super) fn read(text: &str, currency: Currency, in_cents: bool) -> Result<Items, Wrong> {
    let lines = text.split('|').zip(1u32..).map(|(item, number)| {
        line(item, currency).map_err(|wrong| wrong.of(format_args!("item {number}")))
    });
    let lines = lines.collect::<Result<Vec<_>, _>>()?;
    if !in_cents {
        return Err(bad(
            "prices that may be cents, where no column total_cents says so",
        ));
    }
    Ok(Items {
        lines,
        unpriced: false,
        in_units: false,
    })
}

fn line(item: &str, currency: Currency) -> Result<Line, Wrong> {
    // From the right, for a SKU may hold colons.
    let mut parts = item.rsplitn(3, ':').map(str::trim);
    let (Some(cents), Some(quantity), Some(sku)) = (parts.next(), parts.next(), parts.next())
    else {
        let item = values::shown(item);
        return Err(bad(format!(
            "{item:?} is neither JSON nor sku:quantity:cents"
        )));
    };
    Ok(Line {
        sku: sku.to_owned(),
        quantity: values::quantity(quantity).map_err(|wrong| wrong.of("quantity"))?,
        unit_price: values::cents(cents, currency).map_err(|wrong| wrong.of("price"))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::Code;

    fn shown(text: &str, currency: &str) -> Result<Vec<String>, Code> {
        let currency = currency.parse().expect("a currency");
        let items = read(text, currency, true).map_err(|wrong| wrong.code)?;
        let lines = items
            .lines
            .iter()
            .map(|line| format!("{} x {} at {}", line.quantity, line.sku, line.unit_price));
        Ok(lines.collect())
    }

    #[test]
    fn skus_quantities_and_cents_are_read() {
        for (text, currency, expected) in [
            ("SKU-9:1:7999", "USD", &["1 x SKU-9 at 79.99"][..]),
            (
                "SKU-1:2:1999| A:B : 1 : 5",
                "USD",
                &["2 x SKU-1 at 19.99", "1 x A:B at 0.05"],
            ),
            ("A:1:1500", "JPY", &["1 x A at 1500"]),
            ("A:1:1500", "KWD", &["1 x A at 1.500"]),
        ] {
            let expected = expected.iter().map(ToString::to_string).collect();
            assert_eq!(shown(text, currency), Ok(expected), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for (text, code) in [
            ("A", Code::BadItems),
            ("A:1", Code::BadItems),
            ("A:1:100|", Code::BadItems),
            ("A:x:100", Code::BadQuantity),
            ("A:0:100", Code::BadQuantity),
            ("A:1:1.00", Code::NotAnAmount),
            ("A:1:-5", Code::NotAnAmount),
            ("A:1:99999999999999999999", Code::NotAnAmount),
        ] {
            assert_eq!(shown(text, "USD"), Err(code), "{text}");
        }
        let dollars = read("A:1:80", "USD".parse().expect("a currency"), false);
        assert_eq!(dollars.map_err(|wrong| wrong.code), Err(Code::BadItems));
    }
}
