//! Settings of a function: its environment, read once, and complained about by name.

use std::str::FromStr;

use domain::Fault;
use store::schema::Table;

pub fn required(name: &str) -> Result<String, Fault> {
    match std::env::var(name) {
        Ok(value) if !value.is_empty() => Ok(value),
        _ => Err(Fault::Corrupt(format!(
            "the environment does not set {name}"
        ))),
    }
}

/// Empty, where nothing is named.
pub fn optional(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

pub fn parsed<T: FromStr>(name: &str) -> Result<T, Fault>
where
    T::Err: std::fmt::Display,
{
    let value = required(name)?;
    value
        .parse()
        .map_err(|error| Fault::Corrupt(format!("{name}={value}: {error}")))
}

/// The variable that holds a table's full name.
pub fn table_variable(table: Table) -> String {
    format!("{}_TABLE", table.name().to_ascii_uppercase())
}

/// The zone whose midnight ends the business day.
pub fn business_time_zone() -> Result<jiff::tz::TimeZone, Fault> {
    let name = required("BUSINESS_TIME_ZONE")?;
    jiff::tz::TimeZone::get(&name)
        .map_err(|error| Fault::Corrupt(format!("BUSINESS_TIME_ZONE={name}: {error}")))
}
