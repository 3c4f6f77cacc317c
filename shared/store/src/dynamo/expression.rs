//! Conditions, changes and queries as DynamoDB's expressions, and as PartiQL statements.

use std::collections::HashMap;

use domain::Fault;

use crate::ops::{Change, Condition, Item, Key, Query, Value, Write, number, text};
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
    pub fn new(
        table: Table,
        changes: &[Change],
        condition: &Condition,
    ) -> Result<Expression, Fault> {
        condition.check()?;
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
        Ok(expression)
    }

    /// The key condition of a query. A range needs a sort key.
    pub fn of_query(query: &Query) -> Result<Expression, Fault> {
        let (partition, sort) = match query.index {
            Some(index) => (index.partition, Some(index.sort)),
            None => (query.table.partition(), query.table.sort()),
        };
        let mut expression = Expression::default();
        let mut condition = format!(
            "{} = {}",
            expression.name(partition),
            expression.value(text(query.partition.clone()))
        );
        if let Some((from, to)) = &query.range {
            let Some(sort) = sort else {
                return Err(Fault::Malformed(format!(
                    "{} have no sort key to ask a range of",
                    query.table.name()
                )));
            };
            condition.push_str(&format!(
                " AND {} BETWEEN {} AND {}",
                expression.name(sort),
                expression.value(text(from.clone())),
                expression.value(text(to.clone()))
            ));
        }
        expression.condition = Some(condition);
        Ok(expression)
    }

    pub fn names(&self) -> Option<HashMap<String, String>> {
        let names = self
            .names
            .iter()
            .enumerate()
            .map(|(at, name)| (format!("#n{at}"), (*name).to_owned()));
        (!self.names.is_empty()).then(|| names.collect())
    }

    /// The values as the type of a client.
    pub fn values<V>(&self, value_of: impl Fn(Value) -> V) -> Option<HashMap<String, V>> {
        let values = self
            .values
            .iter()
            .enumerate()
            .map(|(at, value)| (format!(":v{at}"), value_of(value.clone())));
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

/// A write as a PartiQL statement, which can be sent together with others, and its parameters. `name` is the name of its
/// table. Statements have no upsert, and an addition would name the old value twice, so only what is needed is translated.
pub fn statement(name: &str, write: &Write) -> Result<(String, Vec<Value>), Fault> {
    match write {
        Write::Update {
            key,
            changes,
            condition,
        } => update(name, key, changes, condition),
        Write::Put {
            item,
            condition: Condition::Absent,
            ..
        } => Ok(insertion(name, item)),
        Write::Put { .. } | Write::Delete { .. } => {
            let what = "only updates, and puts of what is absent, can be sent together";
            Err(Fault::Malformed(what.to_owned()))
        }
    }
}

fn update(
    name: &str,
    key: &Key,
    changes: &[Change],
    condition: &Condition,
) -> Result<(String, Vec<Value>), Fault> {
    condition.check()?;
    let mut statement = format!("UPDATE \"{name}\"");
    let mut parameters: Vec<Value> = Vec::new();
    for change in changes {
        match change {
            Change::Set(field, value) => {
                statement.push_str(&format!(" SET \"{field}\"=?"));
                parameters.push(value.clone());
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
    parameters.push(text(key.partition.clone()));
    if let (Some(name), Some(value)) = (key.table.sort(), &key.sort) {
        statement.push_str(&format!(" AND \"{name}\"=?"));
        parameters.push(text(value.clone()));
    }
    if let Some(condition) = where_clause(key.table, condition, &mut parameters) {
        statement.push_str(" AND ");
        statement.push_str(&condition);
    }
    Ok((statement, parameters))
}

/// An item that must not exist, as a statement.
fn insertion(name: &str, item: &Item) -> (String, Vec<Value>) {
    let (names, parameters): (Vec<String>, Vec<Value>) = item
        .iter()
        .map(|(field, value)| (format!("'{field}': ?"), value.clone()))
        .unzip();
    let statement = format!("INSERT INTO \"{name}\" VALUE {{{}}}", names.join(", "));
    (statement, parameters)
}

fn where_clause(
    table: Table,
    condition: &Condition,
    parameters: &mut Vec<Value>,
) -> Option<String> {
    Some(match condition {
        Condition::Always => return None,
        Condition::All(conditions) => all(conditions
            .iter()
            .map(|condition| where_clause(table, condition, parameters)))?,
        Condition::Absent => format!("\"{}\" IS MISSING", table.partition()),
        Condition::Missing(field) => format!("\"{field}\" IS MISSING"),
        Condition::Is(field, value) => {
            parameters.push(value.clone());
            format!("\"{field}\"=?")
        }
        Condition::AtLeast(field, least) => {
            parameters.push(number(least));
            format!("\"{field}\">=?")
        }
        Condition::Below(field, limit) => {
            parameters.push(number(limit));
            format!("\"{field}\"<?")
        }
        Condition::AnyOf(field, values) => {
            parameters.extend(values.iter().cloned());
            format!("\"{field}\" IN [{}]", vec!["?"; values.len()].join(","))
        }
    })
}

/// What always holds adds nothing to a conjunction. A single condition stands without parentheses: DynamoDB refuses two pairs
/// around one expression.
fn all(conditions: impl Iterator<Item = Option<String>>) -> Option<String> {
    let mut conditions: Vec<String> = conditions.flatten().collect();
    match conditions.len() {
        0 | 1 => conditions.pop(),
        _ => Some(format!("({})", conditions.join(" AND "))),
    }
}
