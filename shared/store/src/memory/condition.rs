//! Whether a condition holds on an item. Knows nothing of how the item is kept.

use domain::Fault;
use rust_decimal::Decimal;

use super::value::{normal, parse};
use crate::ops::{Condition, Item, Value};

/// Every part is looked at, as the service does: a malformed part is refused even where another one decides.
pub fn holds(condition: &Condition, item: Option<&Item>) -> Result<bool, Fault> {
    condition.check()?;
    let kept = |name: &str| item.and_then(|item| item.get(name));
    Ok(match condition {
        Condition::Always => true,
        Condition::Absent => item.is_none(),
        Condition::Missing(name) => kept(name).is_none(),
        Condition::Is(name, wanted) => kept(name) == Some(&normal(wanted)?),
        Condition::AnyOf(name, wanted) => {
            let wanted = wanted
                .iter()
                .map(normal)
                .collect::<Result<Vec<_>, Fault>>()?;
            kept(name).is_some_and(|kept| wanted.contains(kept))
        }
        Condition::AtLeast(name, least) => {
            amount(kept(name))?.is_some_and(|amount| amount >= Decimal::from(*least))
        }
        Condition::Below(name, limit) => {
            amount(kept(name))?.is_some_and(|amount| amount < Decimal::from(*limit))
        }
        Condition::All(parts) => each(parts, item)?.into_iter().all(|holds| holds),
    })
}

fn each(parts: &[Condition], item: Option<&Item>) -> Result<Vec<bool>, Fault> {
    parts.iter().map(|part| holds(part, item)).collect()
}

/// What is not a number is neither above nor below one.
fn amount(value: Option<&Value>) -> Result<Option<Decimal>, Fault> {
    match value {
        Some(Value::N(digits)) => parse(digits).map(Some),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{number, text};
    use std::collections::HashMap;

    fn open() -> Item {
        let values = [("state", text("OPEN")), ("count", number(5))];
        Item::from(HashMap::from(
            values.map(|(name, value)| (name.to_owned(), value)),
        ))
    }

    #[test]
    fn a_condition_sees_the_item_or_nothing() {
        let check = |condition: Condition, on_item: bool, on_nothing: bool| {
            assert_eq!(
                holds(&condition, Some(&open())),
                Ok(on_item),
                "{condition:?}"
            );
            assert_eq!(
                holds(&condition, None),
                Ok(on_nothing),
                "{condition:?} on nothing"
            );
        };
        check(Condition::Always, true, true);
        check(Condition::Absent, false, true);
        check(Condition::Missing("other"), true, true);
        check(Condition::Missing("state"), false, true);
        check(Condition::Is("count", number("5.00")), true, false);
        check(Condition::Is("count", text("5")), false, false);
        check(
            Condition::AnyOf("state", vec![text("SHUT"), text("OPEN")]),
            true,
            false,
        );
        check(Condition::AnyOf("state", vec![text("SHUT")]), false, false);
        check(Condition::AtLeast("count", 5), true, false);
        check(Condition::AtLeast("count", 6), false, false);
        check(Condition::AtLeast("state", 0), false, false);
        check(Condition::Below("count", 6), true, false);
        check(Condition::Below("count", 5), false, false);
        check(Condition::Below("other", 5), false, false);
        check(Condition::All(vec![]), true, true);
        check(
            Condition::All(vec![Condition::Always, Condition::Absent]),
            false,
            true,
        );
    }

    #[test]
    fn a_malformed_part_is_refused_even_where_another_decides() {
        let parts = vec![Condition::Missing("x"), Condition::AnyOf("state", vec![])];
        assert!(holds(&Condition::All(parts), None).is_err());
    }
}
