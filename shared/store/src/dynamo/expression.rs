//! Conditions and changes as the service's expressions, and as statements.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::Fault;

use crate::ops::{Change, Condition, Item, Key, Value, number};
use crate::schema::Table;

/// An update and a condition over one set of placeholders. Every name is a placeholder: many are reserved words.
#[derive(Default)]
pub struct Expression {
    pub update: Option<String>,
    pub condition: Option<String>,
    names: Vec<&'static str>,
    values: Vec<Value>,
}

impl Expression {
    pub fn new(table: Table, changes: &[Change], condition: &Condition) -> Expression {
        let mut expression = Expression::default();
        let mut sections: [(&str, Vec<String>); 3] = [
            ("SET", Vec::new()),
            ("ADD", Vec::new()),
            ("REMOVE", Vec::new()),
        ];
        for change in changes {
            let (section, clause) = match change {
                Change::Set(field, value) => (
                    0,
                    format!(
                        "{} = {}",
                        expression.name(field),
                        expression.value(value.clone())
                    ),
                ),
                Change::Add(field, amount) => (
                    1,
                    format!(
                        "{} {}",
                        expression.name(field),
                        expression.value(number(amount))
                    ),
                ),
                Change::Remove(field) => (2, expression.name(field)),
            };
            sections[section].1.push(clause);
        }
        let update: Vec<String> = sections
            .iter()
            .filter(|(_, clauses)| !clauses.is_empty())
            .map(|(verb, clauses)| format!("{verb} {}", clauses.join(", ")))
            .collect();
        expression.update = (!update.is_empty()).then(|| update.join(" "));
        expression.condition = expression.condition(table, condition);
        expression
    }

    pub fn names(&self) -> Option<HashMap<String, String>> {
        let names = self
            .names
            .iter()
            .enumerate()
            .map(|(at, name)| (format!("#n{at}"), (*name).to_owned()));
        (!self.names.is_empty()).then(|| names.collect())
    }

    pub fn values(&self) -> Option<HashMap<String, AttributeValue>> {
        let values = self
            .values
            .iter()
            .enumerate()
            .map(|(at, value)| (format!(":v{at}"), value.clone().into()));
        (!self.values.is_empty()).then(|| values.collect())
    }

    fn condition(&mut self, table: Table, condition: &Condition) -> Option<String> {
        Some(match condition {
            Condition::Always => return None,
            Condition::Absent => format!("attribute_not_exists({})", self.name(table.partition())),
            Condition::Missing(field) => format!("attribute_not_exists({})", self.name(field)),
            Condition::Is(field, value) => {
                format!("{} = {}", self.name(field), self.value(value.clone()))
            }
            Condition::AtLeast(field, least) => {
                format!("{} >= {}", self.name(field), self.value(number(least)))
            }
            Condition::Below(field, limit) => {
                format!("{} < {}", self.name(field), self.value(number(limit)))
            }
            Condition::AnyOf(field, values) => {
                let values: Vec<String> = values
                    .iter()
                    .map(|value| self.value(value.clone()))
                    .collect();
                format!("{} IN ({})", self.name(field), values.join(", "))
            }
            Condition::All(conditions) => all(conditions
                .iter()
                .map(|condition| self.condition(table, condition)))?,
        })
    }

    fn name(&mut self, name: &'static str) -> String {
        let at = self
            .names
            .iter()
            .position(|known| *known == name)
            .unwrap_or_else(|| {
                self.names.push(name);
                self.names.len() - 1
            });
        format!("#n{at}")
    }

    fn value(&mut self, value: Value) -> String {
        self.values.push(value);
        format!(":v{}", self.values.len() - 1)
    }
}

/// A conditional update as a statement, which can be sent together with others. Statements know no upsert, and
/// [`Change::Add`] would have to name the old value twice, so only what is needed is translated.
pub fn statement(
    table: &str,
    key: &Key,
    changes: &[Change],
    condition: &Condition,
) -> Result<(String, Vec<AttributeValue>), Fault> {
    let mut statement = format!("UPDATE \"{table}\"");
    let mut parameters: Vec<AttributeValue> = Vec::new();
    for change in changes {
        match change {
            Change::Set(field, value) => {
                statement.push_str(&format!(" SET \"{field}\"=?"));
                parameters.push(value.clone().into());
            }
            Change::Remove(field) => statement.push_str(&format!(" REMOVE \"{field}\"")),
            Change::Add(field, _) => {
                return Err(Fault::Malformed(format!(
                    "a statement cannot add to {field}"
                )));
            }
        }
    }
    statement.push_str(&format!(" WHERE \"{}\"=?", key.table.partition()));
    parameters.push(AttributeValue::S(key.partition.clone()));
    if let (Some(name), Some(value)) = (key.table.sort(), &key.sort) {
        statement.push_str(&format!(" AND \"{name}\"=?"));
        parameters.push(AttributeValue::S(value.clone()));
    }
    if let Some(condition) = where_clause(key.table, condition, &mut parameters) {
        statement.push_str(" AND ");
        statement.push_str(&condition);
    }
    Ok((statement, parameters))
}

/// An item that must not be there, as a statement.
pub fn insertion(table: &str, item: &Item) -> (String, Vec<AttributeValue>) {
    let (names, parameters): (Vec<String>, Vec<AttributeValue>) = item
        .iter()
        .map(|(name, value)| (format!("'{name}': ?"), value.clone().into()))
        .unzip();
    let statement = format!("INSERT INTO \"{table}\" VALUE {{{}}}", names.join(", "));
    (statement, parameters)
}

fn where_clause(
    table: Table,
    condition: &Condition,
    parameters: &mut Vec<AttributeValue>,
) -> Option<String> {
    Some(match condition {
        Condition::Always => return None,
        Condition::All(conditions) => all(conditions
            .iter()
            .map(|condition| where_clause(table, condition, parameters)))?,
        Condition::Absent => format!("\"{}\" IS MISSING", table.partition()),
        Condition::Missing(field) => format!("\"{field}\" IS MISSING"),
        Condition::Is(field, value) => {
            parameters.push(value.clone().into());
            format!("\"{field}\"=?")
        }
        Condition::AtLeast(field, least) => {
            parameters.push(number(least).into());
            format!("\"{field}\">=?")
        }
        Condition::Below(field, limit) => {
            parameters.push(number(limit).into());
            format!("\"{field}\"<?")
        }
        Condition::AnyOf(field, values) => {
            parameters.extend(values.iter().cloned().map(AttributeValue::from));
            format!("\"{field}\" IN [{}]", vec!["?"; values.len()].join(","))
        }
    })
}

/// What always holds adds nothing to a conjunction.
fn all(conditions: impl Iterator<Item = Option<String>>) -> Option<String> {
    let conditions: Vec<String> = conditions.flatten().collect();
    (!conditions.is_empty()).then(|| format!("({})", conditions.join(" AND ")))
}
