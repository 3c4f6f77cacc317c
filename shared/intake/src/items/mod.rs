//! The lines of an order in one cell, in one of three notations. The first character tells which.

mod bare;
mod bars;
mod json;

use std::borrow::Cow;

use domain::Currency;
use domain::order::Line;
use rust_decimal::Decimal;

use crate::code::{Code, Wrong};
use crate::values;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Items {
    pub lines: Vec<Line>,
    /// None of the lines has a price: the catalog's hold.
    pub unpriced: bool,
    /// Nothing says that the prices are cents, whatever is said of the total.
    pub in_units: bool,
}

/// `in_cents`: what the header says of the order's total holds for its lines.
pub(crate) fn read(text: &str, currency: Currency, in_cents: bool) -> Result<Items, Wrong> {
    match text.as_bytes() {
        [b'[' | b'{', ..] if bare::is_bare(text) => bare::read(text),
        [b'[' | b'{', ..] => json::read(text),
        _ => bars::read(text, currency, in_cents),
    }
}

/// What products are called beside their SKUs. Only the notation with quotes has room for that.
pub(crate) fn names(text: &str) -> Vec<(String, String)> {
    match text.as_bytes() {
        [b'[' | b'{', ..] if !bare::is_bare(text) => json::names(text),
        _ => Vec::new(),
    }
}

/// An item before it is known to be one: what its keys say. Nothing that is said is empty.
#[derive(Debug, Default, PartialEq, Eq)]
struct Item<'a> {
    sku: Option<Cow<'a, str>>,
    quantity: Option<Cow<'a, str>>,
    price: Option<Cow<'a, str>>,
    /// A key that seems to hold a price, under a name that is not known.
    unclear: Option<Cow<'a, str>>,
}

/// Either all items have a price or none: one that lacks it among others that have it was forgotten.
fn lines<'a>(items: impl IntoIterator<Item = Result<Item<'a>, Wrong>>) -> Result<Items, Wrong> {
    let mut lines = Vec::new();
    let mut first_unpriced = None;
    let mut priced = false;
    let mut unclear = None;
    for (item, number) in items.into_iter().zip(1u32..) {
        let line = item.and_then(|item| {
            match item.price {
                Some(_) => priced = true,
                None => first_unpriced = first_unpriced.or(Some(number)),
            }
            let mut item = item;
            unclear = unclear.take().or(item.unclear.take());
            line(item)
        });
        lines.push(line.map_err(|wrong| wrong.of(format_args!("item {number}")))?);
    }
    match first_unpriced {
        Some(number) if priced => {
            let message = format!("item {number}: no price, and other items have one");
            Err(Wrong::new(Code::MissingValue, message))
        }
        Some(_) if let Some(key) = unclear => Err(bad(format!(
            "{:?} seems to hold a price, under a name that is not known: call it price",
            values::shown(&key)
        ))),
        _ => Ok(Items {
            unpriced: first_unpriced.is_some(),
            in_units: true,
            lines,
        }),
    }
}

fn line(item: Item<'_>) -> Result<Line, Wrong> {
    let missing = |keys: &str| Wrong::new(Code::MissingValue, format!("no {keys}"));
    let sku = item.sku.ok_or_else(|| missing("sku or product"))?;
    let quantity = item.quantity.ok_or_else(|| missing("quantity or qty"))?;
    Ok(Line {
        sku: sku.into_owned(),
        quantity: values::quantity(&quantity).map_err(|wrong| wrong.of("quantity"))?,
        unit_price: match item.price {
            None => Decimal::ZERO,
            Some(price) => values::amount(&price).map_err(|wrong| wrong.of("price"))?,
        },
    })
}

fn bad(message: impl Into<String>) -> Wrong {
    Wrong::new(Code::BadItems, message)
}
