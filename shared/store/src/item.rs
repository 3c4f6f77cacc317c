//! Records to items and back. What cannot be read back is `Corrupt`: nobody but us writes these tables.

use domain::Fault;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ops::{Item, Value};

pub fn item(record: &impl Serialize) -> Result<Item, Fault> {
    serde_dynamo::to_item(record)
        .map_err(|error| Fault::Corrupt(format!("a record could not be written: {error}")))
}

pub fn value(part: &impl Serialize) -> Result<Value, Fault> {
    serde_dynamo::to_attribute_value(part)
        .map_err(|error| Fault::Corrupt(format!("a record could not be written: {error}")))
}

pub fn record<T: DeserializeOwned>(item: Item) -> Result<T, Fault> {
    serde_dynamo::from_item(item)
        .map_err(|error| Fault::Corrupt(format!("a stored item could not be read: {error}")))
}
