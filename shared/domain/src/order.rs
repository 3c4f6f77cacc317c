//! An order as a file or a request asks for it, and the customer's contact data that came along.

use std::collections::BTreeMap;
use std::fmt;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::limits::{KEY_BYTES, LINES_PER_ORDER, TEXT_BYTES, UNITS_IN_STOCK, UNITS_PER_LINE};
use crate::money::{Currency, Money, MoneyError};
use crate::pricing::Prices;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    pub order_id: String,
    /// The row of the file: with the import's id it tells a repetition of this order from a duplicate.
    pub row: u64,
    pub customer_id: String,
    pub currency: Currency,
    /// What the customer is charged.
    pub total: Decimal,
    /// `total` minus the sum of the lines: what a declared total differs by.
    #[serde(default, skip_serializing_if = "Decimal::is_zero")]
    pub adjustment: Decimal,
    pub lines: Vec<Line>,
    /// Until the catalog has priced it, such an order has zeros for prices.
    #[serde(default, skip_serializing_if = "Prices::are_stated")]
    pub prices: Prices,
    /// As the file says it: a date, or a date and a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ordered_at: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub sku: String,
    pub quantity: u32,
    pub unit_price: Decimal,
}

impl Line {
    fn sort_key(&self) -> (&str, u32, Decimal) {
        (&self.sku, self.quantity, self.unit_price)
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    pub customer_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

impl Contact {
    pub fn is_empty(&self) -> bool {
        self.name.is_none()
            && self.email.is_none()
            && self.phone.is_none()
            && self.address.is_none()
    }

    /// This contact with what `newer` knows better. What `newer` does not say stays.
    pub fn updated_by(self, newer: Contact) -> Contact {
        Contact {
            customer_id: self.customer_id,
            name: newer.name.or(self.name),
            email: newer.email.or(self.email),
            phone: newer.phone.or(self.phone),
            address: newer.address.or(self.address),
        }
    }

    /// The fields that are present, with the names under which they are stored.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let fields = [
            ("name", &self.name),
            ("email", &self.email),
            ("phone", &self.phone),
            ("address", &self.address),
        ];
        let present = fields.into_iter();
        present.filter_map(|(field, text)| Some((field, text.as_deref()?)))
    }
}

/// What an order says of itself, before it is known to be one.
#[derive(Debug, Clone)]
pub struct Draft {
    pub order_id: String,
    pub row: u64,
    pub customer_id: String,
    pub currency: Currency,
    pub declared_total: Option<Decimal>,
    pub lines: Vec<Line>,
    /// The lines have no prices of their own: the catalog's hold.
    pub priced_by_catalog: bool,
    pub ordered_at: Option<String>,
}

/// What becomes of a declared total that is not the sum of the lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TotalPolicy {
    /// The declared total stands; the difference is kept as `adjustment`.
    #[default]
    Declared,
    /// Such an order is refused.
    Strict,
}

impl std::str::FromStr for TotalPolicy {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<TotalPolicy, &'static str> {
        match name {
            "declared" => Ok(TotalPolicy::Declared),
            "strict" => Ok(TotalPolicy::Strict),
            _ => Err("a total policy is declared or strict"),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderError {
    Empty(&'static str),
    TooLong {
        field: &'static str,
        limit: usize,
    },
    ControlCharacter(&'static str),
    /// No part of a URL can be nothing but dots, and a gateway knows an order by a URL.
    OnlyDots(&'static str),
    NoLines,
    TooManyLines(usize),
    Quantity(u32),
    /// More than any stock.
    TooManyUnits {
        field: &'static str,
        units: u64,
    },
    /// A total was declared that has to be checked, and nothing to check it with.
    NoPrice,
    Amount {
        field: &'static str,
        error: MoneyError,
    },
    TotalDiffers {
        declared: Decimal,
        sum: Decimal,
    },
}

impl OrderError {
    /// The column that people have to look at.
    pub fn field(&self) -> &'static str {
        match self {
            OrderError::Empty(field)
            | OrderError::ControlCharacter(field)
            | OrderError::OnlyDots(field) => field,
            OrderError::TooLong { field, .. }
            | OrderError::TooManyUnits { field, .. }
            | OrderError::Amount { field, .. } => field,
            OrderError::NoLines | OrderError::TooManyLines(_) => "items",
            OrderError::Quantity(_) => "quantity",
            OrderError::NoPrice => "unit_price",
            OrderError::TotalDiffers { .. } => "total",
        }
    }
}

impl fmt::Display for OrderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OrderError::Empty(field) => write!(f, "{field} is empty"),
            OrderError::TooLong { field, limit } => {
                write!(f, "{field} is longer than {limit} bytes")
            }
            OrderError::ControlCharacter(field) => write!(f, "{field} holds a control character"),
            OrderError::OnlyDots(field) => write!(f, "{field} is nothing but dots"),
            OrderError::NoLines => write!(f, "the order has no lines"),
            OrderError::TooManyLines(lines) => {
                write!(f, "{lines} lines are more than {LINES_PER_ORDER}")
            }
            OrderError::Quantity(units) => write!(
                f,
                "a quantity of {units} is not between 1 and {UNITS_PER_LINE}"
            ),
            OrderError::TooManyUnits { field, units } => {
                write!(f, "{field}: {units} units are more than {UNITS_IN_STOCK}")
            }
            OrderError::NoPrice => write!(f, "no price, by which the total could be checked"),
            OrderError::Amount { field, error } => write!(f, "{field}: {error}"),
            OrderError::TotalDiffers { declared, sum } => {
                write!(
                    f,
                    "the declared total {declared} is not the sum of the lines, {sum}"
                )
            }
        }
    }
}

impl Order {
    pub fn new(draft: Draft, policy: TotalPolicy) -> Result<Order, OrderError> {
        check_order_id(&draft.order_id)?;
        check_key("customer_id", &draft.customer_id)?;
        let sum = check_lines(&draft.lines, draft.currency)?;
        let prices = Prices::of(&draft);
        if prices == Prices::CatalogUnderTotal && policy == TotalPolicy::Strict {
            return Err(OrderError::NoPrice);
        }
        let total = match draft.declared_total {
            None => sum,
            Some(declared) => money("total", declared, draft.currency)?,
        };
        if total != sum && prices.are_stated() && policy == TotalPolicy::Strict {
            return Err(OrderError::TotalDiffers {
                declared: total.amount(),
                sum: sum.amount(),
            });
        }
        let adjustment = match prices {
            Prices::Stated => total.amount().checked_sub(sum.amount()).unwrap_or_default(),
            Prices::Catalog | Prices::CatalogUnderTotal => Decimal::ZERO,
        };
        Ok(Order {
            order_id: draft.order_id,
            row: draft.row,
            customer_id: draft.customer_id,
            currency: draft.currency,
            total: total.amount(),
            adjustment,
            lines: draft.lines,
            prices,
            ordered_at: draft.ordered_at,
        })
    }

    /// Units by product: a SKU that stands in two lines is taken once.
    pub fn units(&self) -> BTreeMap<&str, u64> {
        let mut units = BTreeMap::new();
        for line in &self.lines {
            let sum: &mut u64 = units.entry(line.sku.as_str()).or_default();
            *sum = sum.saturating_add(u64::from(line.quantity));
        }
        units
    }

    /// Whether an order that was put on record with these is what this one asks for. Of one that the catalog prices, as far as
    /// it says: what it was priced at then holds.
    pub fn is_kept_as(&self, currency: Currency, total: Decimal, lines: &[Line]) -> bool {
        let asked = |line: &Line| (line.sku.clone(), line.quantity);
        let lines = match self.prices.are_stated() {
            true => self.lines == lines,
            false => self.lines.iter().map(asked).eq(lines.iter().map(asked)),
        };
        let total = self.prices == Prices::Catalog || self.total == total;
        self.currency == currency && total && lines
    }

    /// Whether an existing order under the same id is this order again. The sequence of the lines does not matter.
    pub fn repeats(
        &self,
        customer_id: &str,
        currency: Currency,
        total: Decimal,
        lines: &[Line],
    ) -> bool {
        let sorted = |lines: &[Line]| {
            let mut lines = lines.to_vec();
            lines.sort_by(|one, other| one.sort_key().cmp(&other.sort_key()));
            lines
        };
        let asked = Order {
            lines: sorted(&self.lines),
            ..self.clone()
        };
        self.customer_id == customer_id && asked.is_kept_as(currency, total, &sorted(lines))
    }

    /// Whether an order that came over the wire is one that [`Order::new`] could have made.
    pub fn check(&self) -> Result<(), OrderError> {
        check_order_id(&self.order_id)?;
        check_key("customer_id", &self.customer_id)?;
        let sum = check_lines(&self.lines, self.currency)?;
        let total = money("total", self.total, self.currency)?;
        let expected = sum
            .amount()
            .checked_add(self.adjustment)
            .unwrap_or_default();
        let adds_up = match self.prices {
            Prices::Stated => total.amount() == expected,
            // Nothing may be claimed before the catalog was asked, but a total that was declared.
            Prices::Catalog => expected.is_zero() && total.amount().is_zero(),
            Prices::CatalogUnderTotal => expected.is_zero() && self.adjustment.is_zero(),
        };
        if adds_up {
            Ok(())
        } else {
            Err(OrderError::TotalDiffers {
                declared: self.total,
                sum: expected,
            })
        }
    }
}

fn check_order_id(order_id: &str) -> Result<(), OrderError> {
    check_key("order_id", order_id)?;
    match order_id {
        "." | ".." => Err(OrderError::OnlyDots("order_id")),
        _ => Ok(()),
    }
}

/// Ids and SKUs are keys: present, short, and printable.
pub fn check_key(field: &'static str, value: &str) -> Result<(), OrderError> {
    check_text(field, value, KEY_BYTES)?;
    if value.is_empty() {
        Err(OrderError::Empty(field))
    } else {
        Ok(())
    }
}

pub fn check_text(field: &'static str, value: &str, limit: usize) -> Result<(), OrderError> {
    check_characters(field, value, limit, &[])
}

fn check_characters(
    field: &'static str,
    value: &str,
    limit: usize,
    allowed: &[char],
) -> Result<(), OrderError> {
    if value.len() > limit {
        return Err(OrderError::TooLong { field, limit });
    }
    // The queue's messages cannot hold the last two.
    let refused = |character: char| {
        (character.is_control() || matches!(character, '\u{fffe}' | '\u{ffff}'))
            && !allowed.contains(&character)
    };
    // Nearly all texts are plain ASCII, and bytes are looked at faster than characters.
    let plain = value.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if !plain && value.contains(refused) {
        return Err(OrderError::ControlCharacter(field));
    }
    Ok(())
}

/// Checks contact data field by field. Line breaks are usual in an address, so they are allowed there.
pub fn check_contact(contact: &Contact) -> Result<(), OrderError> {
    let line_breaks = &['\n', '\r', '\t'][..];
    for (field, value, allowed) in [
        ("customer_name", &contact.name, &[][..]),
        ("customer_email", &contact.email, &[]),
        ("customer_phone", &contact.phone, &[]),
        ("address", &contact.address, line_breaks),
    ] {
        if let Some(value) = value {
            check_characters(field, value, TEXT_BYTES, allowed)?;
        }
    }
    Ok(())
}

pub(crate) fn check_lines(lines: &[Line], currency: Currency) -> Result<Money, OrderError> {
    if lines.is_empty() {
        return Err(OrderError::NoLines);
    }
    if lines.len() > LINES_PER_ORDER {
        return Err(OrderError::TooManyLines(lines.len()));
    }
    lines.iter().try_fold(Money::zero(currency), |sum, line| {
        check_key("sku", &line.sku)?;
        if line.quantity == 0 || line.quantity > UNITS_PER_LINE {
            return Err(OrderError::Quantity(line.quantity));
        }
        let field = "unit_price";
        let price = money(field, line.unit_price, currency)?;
        let amount = price
            .checked_mul(line.quantity)
            .map_err(|error| OrderError::Amount { field, error })?;
        sum.checked_add(amount)
            .map_err(|error| OrderError::Amount { field, error })
    })
}

fn money(field: &'static str, amount: Decimal, currency: Currency) -> Result<Money, OrderError> {
    Money::new(amount, currency).map_err(|error| OrderError::Amount { field, error })
}

#[cfg(test)]
pub(crate) mod tests;
