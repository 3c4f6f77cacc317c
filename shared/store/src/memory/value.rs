//! Values as the service keeps them: numbers as plain decimals, sets in one order. Knows nothing of tables.

use domain::Fault;
use rust_decimal::Decimal;

use crate::ops::Value;

/// The value in the one form in which equal values are equal.
pub fn normal(value: &Value) -> Result<Value, Fault> {
    Ok(match value {
        Value::N(digits) => Value::N(print(parse(digits)?)),
        Value::L(values) => Value::L(values.iter().map(normal).collect::<Result<_, Fault>>()?),
        Value::M(values) => Value::M(
            values
                .iter()
                .map(|(name, value)| Ok((name.clone(), normal(value)?)))
                .collect::<Result<_, Fault>>()?,
        ),
        Value::Ns(numbers) => {
            let numbers = numbers.iter().map(|digits| parse(digits));
            let numbers = set(numbers.collect::<Result<Vec<_>, Fault>>()?)?;
            Value::Ns(numbers.into_iter().map(print).collect())
        }
        Value::Ss(texts) => Value::Ss(set(texts.clone())?),
        Value::Bs(blobs) => Value::Bs(set(blobs.clone())?),
        Value::S(_) | Value::B(_) | Value::Bool(_) | Value::Null(_) => value.clone(),
    })
}

/// The service keeps 38 digits; this engine counts 28 and refuses what it would have to round.
pub fn parse(digits: &str) -> Result<Decimal, Fault> {
    let malformed = || Fault::Malformed(format!("{digits} is not a number, or too long a one"));
    let plain = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E');
    if !digits.chars().all(plain) {
        return Err(malformed());
    }
    let mantissa = digits.split(['e', 'E']).next().unwrap_or_default();
    let exact = Decimal::from_str_exact(mantissa).map_err(|_| malformed())?;
    if mantissa.len() == digits.len() {
        return Ok(exact);
    }
    Decimal::from_scientific(digits).map_err(|_| malformed())
}

/// Without an exponent, without zeros at the end, and zero without a sign.
pub fn print(number: Decimal) -> String {
    number.normalize().to_string()
}

fn set<T: Ord>(mut members: Vec<T>) -> Result<Vec<T>, Fault> {
    members.sort();
    if members.is_empty() {
        return Err(Fault::Malformed("a set is empty".to_owned()));
    }
    if members.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(Fault::Malformed("a set holds a member twice".to_owned()));
    }
    Ok(members)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::number;

    #[test]
    fn numbers_are_kept_as_the_service_prints_them() {
        let check = |input: &str, kept: &str| {
            assert_eq!(normal(&number(input)), Ok(number(kept)), "{input}");
        };
        check("5", "5");
        check("1.50", "1.5");
        check("100", "100");
        check("-0.0", "0");
        check("007", "7");
        check("1E3", "1000");
        check("25e-1", "2.5");
        check("-12.340", "-12.34");
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for input in [
            "",
            "x",
            "1_000",
            "1,5",
            "NaN",
            "0.00000000000000000000000000000001",
        ] {
            assert!(
                matches!(normal(&number(input)), Err(Fault::Malformed(_))),
                "{input}"
            );
        }
    }

    #[test]
    fn sets_have_no_order_and_no_member_twice() {
        let set = |members: &[&str]| {
            normal(&Value::Ns(
                members.iter().map(|&digits| digits.to_owned()).collect(),
            ))
        };
        assert_eq!(set(&["2", "1.0"]), set(&["1", "2.00"]));
        assert!(set(&["1", "1.0"]).is_err());
        assert!(set(&[]).is_err());
    }
}
