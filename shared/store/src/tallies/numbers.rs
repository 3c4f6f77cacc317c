//! Numbers of items of this table. Amounts are numbers here, and no texts, for the service adds them up.

use std::sync::LazyLock;

use domain::Fault;
use domain::tally::hour::HOURS_PER_DAY;
use domain::tally::score::SLOTS;
use rust_decimal::Decimal;

use crate::ops::{Item, Value};

/// Attributes of a page of ranks: one for each bucket.
static BUCKETS: LazyLock<Vec<String>> =
    LazyLock::new(|| (0..SLOTS).map(|slot| format!("b{slot:03}")).collect());

/// Attributes of a count of customers: one for each hour.
static HOURS: LazyLock<Vec<String>> = LazyLock::new(|| {
    (0..HOURS_PER_DAY)
        .map(|hour| format!("h{hour:02}"))
        .collect()
});

pub fn bucket(slot: u16) -> Result<&'static str, Fault> {
    named(&BUCKETS, usize::from(slot))
}

pub fn hour(number: u8) -> Result<&'static str, Fault> {
    named(&HOURS, usize::from(number))
}

fn named(names: &'static [String], at: usize) -> Result<&'static str, Fault> {
    let name = names.get(at).map(String::as_str);
    name.ok_or_else(|| Fault::Corrupt(format!("no attribute {at} of {}", names.len())))
}

/// What is not there is zero.
pub fn decimal(item: &Item, name: &str) -> Result<Decimal, Fault> {
    match item.get(name) {
        None => Ok(Decimal::ZERO),
        Some(Value::N(digits)) => digits.parse().map_err(|_| unreadable(name)),
        Some(_) => Err(unreadable(name)),
    }
}

pub fn count(item: &Item, name: &str) -> Result<u64, Fault> {
    whole(item, name)
}

pub fn signed(item: &Item, name: &str) -> Result<i64, Fault> {
    whole(item, name)
}

fn whole<T: TryFrom<Decimal>>(item: &Item, name: &str) -> Result<T, Fault> {
    let number = decimal(item, name)?;
    if !number.fract().is_zero() {
        return Err(unreadable(name));
    }
    T::try_from(number).map_err(|_| unreadable(name))
}

pub fn string(item: &Item, name: &str) -> Result<String, Fault> {
    match item.get(name) {
        Some(Value::S(text)) => Ok(text.clone()),
        _ => Err(unreadable(name)),
    }
}

fn unreadable(name: &str) -> Fault {
    Fault::Corrupt(format!("{name} of a stored figure could not be read"))
}
