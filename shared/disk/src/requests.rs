//! Typed operations as requests of DynamoDB, with the expressions that the `dynamo` engine sends.

use std::collections::HashMap;

use domain::Fault;
use dynoxide::actions::batch_execute_statement::{
    BatchExecuteStatementRequest, BatchStatementRequest,
};
use dynoxide::actions::batch_get_item::{BatchGetItemRequest, KeysAndAttributes};
use dynoxide::actions::delete_item::DeleteItemRequest;
use dynoxide::actions::get_item::GetItemRequest;
use dynoxide::actions::put_item::PutItemRequest;
use dynoxide::actions::query::QueryRequest;
use dynoxide::actions::scan::ScanRequest;
use dynoxide::actions::transact_write_items::{
    TransactDelete, TransactPut, TransactUpdate, TransactWriteItem, TransactWriteItemsRequest,
};
use dynoxide::actions::update_item::UpdateItemRequest;
use dynoxide::{Database, DynoxideError};
use store::dynamo::expression::{Expression, statement};
use store::ops::{Item, Key, Query, Write};
use store::schema::Table;

use crate::values::{attribute, attributes};

pub fn get(key: &Key) -> GetItemRequest {
    GetItemRequest {
        table_name: key.table.name().to_owned(),
        key: attributes(key.item()),
        ..GetItemRequest::default()
    }
}

/// None without keys. All keys are of one table, as the port has it.
pub fn get_many(keys: &[Key]) -> Option<(Table, BatchGetItemRequest)> {
    let table = keys.first()?.table;
    let wanted = KeysAndAttributes {
        keys: keys.iter().map(|key| attributes(key.item())).collect(),
        ..KeysAndAttributes::default()
    };
    let request = BatchGetItemRequest {
        request_items: HashMap::from([(table.name().to_owned(), wanted)]),
        return_consumed_capacity: None,
    };
    Some((table, request))
}

/// The request for the keys that a response left out, which come as JSON.
pub fn left_of(
    unprocessed: HashMap<String, serde_json::Value>,
) -> Result<Option<BatchGetItemRequest>, Fault> {
    let mut request = BatchGetItemRequest::default();
    for (table, keys) in unprocessed {
        let keys = serde_json::from_value(keys)
            .map_err(|error| Fault::Corrupt(format!("unprocessed keys of {table}: {error}")))?;
        request.request_items.insert(table, keys);
    }
    Ok((!request.request_items.is_empty()).then_some(request))
}

/// One write as a request of its own.
pub enum Single {
    Put(PutItemRequest),
    Update(UpdateItemRequest),
    Delete(DeleteItemRequest),
}

impl Single {
    pub fn new(write: &Write) -> Result<Single, Fault> {
        let (table, expression) = (write.table(), expression(write)?);
        let table_name = table.name().to_owned();
        let names = expression.names();
        let values = expression.values(attribute);
        Ok(match write {
            Write::Put { item, .. } => Single::Put(PutItemRequest {
                table_name,
                item: attributes(item.clone()),
                condition_expression: expression.condition,
                expression_attribute_names: names,
                expression_attribute_values: values,
                return_values_on_condition_check_failure: found(),
                ..PutItemRequest::default()
            }),
            Write::Update { key, .. } => Single::Update(UpdateItemRequest {
                table_name,
                key: attributes(key.item()),
                update_expression: expression.update,
                condition_expression: expression.condition,
                expression_attribute_names: names,
                expression_attribute_values: values,
                return_values_on_condition_check_failure: found(),
                ..UpdateItemRequest::default()
            }),
            Write::Delete { key, .. } => Single::Delete(DeleteItemRequest {
                table_name,
                key: attributes(key.item()),
                condition_expression: expression.condition,
                expression_attribute_names: names,
                expression_attribute_values: values,
                return_values_on_condition_check_failure: found(),
                ..DeleteItemRequest::default()
            }),
        })
    }

    pub fn send(self, database: &Database) -> Result<(), DynoxideError> {
        match self {
            Single::Put(request) => database.put_item(request).map(|_| ()),
            Single::Update(request) => database.update_item(request).map(|_| ()),
            Single::Delete(request) => database.delete_item(request).map(|_| ()),
        }
    }
}

pub fn transaction(writes: &[Write], token: &str) -> Result<TransactWriteItemsRequest, Fault> {
    Ok(TransactWriteItemsRequest {
        transact_items: writes
            .iter()
            .map(transact_item)
            .collect::<Result<_, Fault>>()?,
        client_request_token: Some(token.to_owned()),
        ..TransactWriteItemsRequest::default()
    })
}

fn transact_item(write: &Write) -> Result<TransactWriteItem, Fault> {
    let item = TransactWriteItem::default();
    Ok(match Single::new(write)? {
        Single::Put(put) => TransactWriteItem {
            put: Some(TransactPut {
                table_name: put.table_name,
                item: put.item,
                condition_expression: put.condition_expression,
                expression_attribute_names: put.expression_attribute_names,
                expression_attribute_values: put.expression_attribute_values,
                return_values_on_condition_check_failure: found(),
            }),
            ..item
        },
        Single::Update(update) => TransactWriteItem {
            update: Some(TransactUpdate {
                table_name: update.table_name,
                key: update.key,
                update_expression: update.update_expression.unwrap_or_default(),
                condition_expression: update.condition_expression,
                expression_attribute_names: update.expression_attribute_names,
                expression_attribute_values: update.expression_attribute_values,
                return_values_on_condition_check_failure: found(),
            }),
            ..item
        },
        Single::Delete(delete) => TransactWriteItem {
            delete: Some(TransactDelete {
                table_name: delete.table_name,
                key: delete.key,
                condition_expression: delete.condition_expression,
                expression_attribute_names: delete.expression_attribute_names,
                expression_attribute_values: delete.expression_attribute_values,
                return_values_on_condition_check_failure: found(),
            }),
            ..item
        },
    })
}

pub fn statements(updates: &[Write]) -> Result<BatchExecuteStatementRequest, Fault> {
    let statements = updates.iter().map(|update| {
        let (statement, parameters) = statement(update.table().name(), update)?;
        let mut request = BatchStatementRequest::default();
        request.statement = statement;
        request.parameters = Some(parameters.into_iter().map(attribute).collect());
        request.return_values_on_condition_check_failure = found();
        Ok(request)
    });
    Ok(BatchExecuteStatementRequest {
        statements: statements.collect::<Result<_, Fault>>()?,
        return_consumed_capacity: None,
    })
}

pub fn query(query: &Query, counts: bool) -> Result<QueryRequest, Fault> {
    let expression = Expression::of_query(query)?;
    Ok(QueryRequest {
        table_name: query.table.name().to_owned(),
        index_name: query.index.map(|index| index.name.to_owned()),
        expression_attribute_names: expression.names(),
        expression_attribute_values: expression.values(attribute),
        key_condition_expression: expression.condition,
        scan_index_forward: !query.backwards,
        limit: query.limit.map(|limit| limit as usize),
        exclusive_start_key: query.start.clone().map(attributes),
        select: counts.then(|| "COUNT".to_owned()),
        ..QueryRequest::default()
    })
}

pub fn scan(table: Table, start: Option<Item>, limit: Option<u32>) -> ScanRequest {
    ScanRequest {
        table_name: table.name().to_owned(),
        limit: limit.map(|limit| limit as usize),
        exclusive_start_key: start.map(attributes),
        ..ScanRequest::default()
    }
}

fn expression(write: &Write) -> Result<Expression, Fault> {
    let none = &[][..];
    let (changes, condition) = match write {
        Write::Update {
            changes, condition, ..
        } => (&changes[..], condition),
        Write::Put { condition, .. } | Write::Delete { condition, .. } => (none, condition),
    };
    Expression::new(write.table(), changes, condition)
}

/// With this a failed condition brings the item on which it failed.
fn found() -> Option<String> {
    Some("ALL_OLD".to_owned())
}
