//! What a write makes of an item. Knows nothing of where it is stored.

use domain::Fault;
use rust_decimal::Decimal;

use super::check;
use super::value::{normal, parse, print};
use crate::ops::{Change, Condition, Item, Key, Value, Write};
use crate::schema::Table;

/// The key of a write that can be sent together with others. Statements can only set and remove, or insert: adding would
/// have to name the old value, and one that deletes passes where the item is missing.
pub fn statement(write: &Write) -> Result<Key, Fault> {
    let fits = match write {
        Write::Update { changes, .. } => !changes
            .iter()
            .any(|change| matches!(change, Change::Add(..))),
        Write::Put { condition, .. } => *condition == Condition::Absent,
        Write::Delete { .. } => false,
    };
    match fits {
        true => check::target(write),
        false => check::malformed("no statement does that"),
    }
}

/// An item as the service keeps it.
pub fn kept(table: Table, item: &Item) -> Result<Item, Fault> {
    let mut kept = Item::default();
    for (name, value) in item.iter() {
        kept.insert(name.clone(), normal(value)?);
    }
    check::item(table, &kept)?;
    Ok(kept)
}

/// Values that no attribute can have are refused before the item is looked at.
pub fn checked(changes: &[Change]) -> Result<(), Fault> {
    changes.iter().try_for_each(|change| match change {
        Change::Set(_, value) => normal(value).map(|_| ()),
        Change::Add(..) | Change::Remove(_) => Ok(()),
    })
}

pub fn apply(changes: &[Change], item: &mut Item) -> Result<(), Fault> {
    for change in changes {
        match change {
            Change::Set(name, value) => {
                item.insert((*name).to_owned(), value.clone());
            }
            Change::Remove(name) => {
                item.remove(*name);
            }
            Change::Add(name, amount) => {
                let before = match item.get(*name) {
                    None => parse("0")?,
                    Some(Value::N(digits)) => parse(digits)?,
                    Some(_) => return check::malformed(format!("{name} is not a number")),
                };
                let Some(sum) = sum(before, *amount) else {
                    return check::malformed(format!("{name} grows too large, or too long"));
                };
                item.insert((*name).to_owned(), Value::N(print(sum)));
            }
        }
    }
    Ok(())
}

/// None where the sum would have to be rounded.
fn sum(one: Decimal, other: Decimal) -> Option<Decimal> {
    let (one, other) = (one.normalize(), other.normalize());
    let sum = one.checked_add(other)?;
    let exact = sum.is_zero() || sum.scale() >= one.scale().max(other.scale());
    exact.then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_exact_or_none() {
        let check = |one: &str, other: &str, expected: Option<&str>| {
            let sum = sum(
                one.parse().expect("a number"),
                other.parse().expect("a number"),
            );
            assert_eq!(sum.map(print).as_deref(), expected, "{one} + {other}");
        };
        check("0.1", "0.2", Some("0.3"));
        check("0.30", "-0.3", Some("0"));
        check("1.25", "-0.250", Some("1"));
        check("-0.01", "0", Some("-0.01"));
        let most = "79228162514264337593543950335";
        check(most, "-0.000", Some(most));
        check(most, "1", None);
        check("7922816251426433759354395033", "0.01", None);
        check(
            "1",
            "0.0000000000000000000000000001",
            Some("1.0000000000000000000000000001"),
        );
        check("10", "0.0000000000000000000000000001", None);
    }
}
