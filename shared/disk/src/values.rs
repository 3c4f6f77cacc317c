//! Values of the store and of the database, which are the same in two crates.

use std::collections::HashMap;

use dynoxide::AttributeValue;
use store::ops::{Item, Value};

pub fn attribute(value: Value) -> AttributeValue {
    match value {
        Value::S(text) => AttributeValue::S(text),
        Value::N(digits) => AttributeValue::N(digits),
        Value::B(bytes) => AttributeValue::B(bytes),
        Value::Bool(is) => AttributeValue::BOOL(is),
        Value::Null(is) => AttributeValue::NULL(is),
        Value::Ss(texts) => AttributeValue::SS(texts),
        Value::Ns(numbers) => AttributeValue::NS(numbers),
        Value::Bs(blobs) => AttributeValue::BS(blobs),
        Value::L(values) => AttributeValue::L(values.into_iter().map(attribute).collect()),
        Value::M(values) => AttributeValue::M(attributes(Item::from(values))),
    }
}

pub fn attributes(item: Item) -> dynoxide::Item {
    let values: HashMap<String, Value> = item.into();
    values
        .into_iter()
        .map(|(name, value)| (name, attribute(value)))
        .collect()
}

fn value(attribute: AttributeValue) -> Value {
    match attribute {
        AttributeValue::S(text) => Value::S(text),
        AttributeValue::N(digits) => Value::N(digits),
        AttributeValue::B(bytes) => Value::B(bytes),
        AttributeValue::BOOL(is) => Value::Bool(is),
        AttributeValue::NULL(is) => Value::Null(is),
        AttributeValue::SS(texts) => Value::Ss(texts),
        AttributeValue::NS(numbers) => Value::Ns(numbers),
        AttributeValue::BS(blobs) => Value::Bs(blobs),
        AttributeValue::L(values) => Value::L(values.into_iter().map(value).collect()),
        AttributeValue::M(values) => Value::M(values_of(values)),
    }
}

pub fn item(attributes: dynoxide::Item) -> Item {
    Item::from(values_of(attributes))
}

fn values_of(attributes: dynoxide::Item) -> HashMap<String, Value> {
    attributes
        .into_iter()
        .map(|(name, attribute)| (name, value(attribute)))
        .collect()
}
