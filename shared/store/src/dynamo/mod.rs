//! The engine that asks the service, through the SDK. Knows how a fault looks on the wire, and nothing of orders.

pub mod codes;
mod error;
pub mod expression;
mod meter;
mod single;

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeValue, BatchStatementRequest, BatchStatementResponse, KeysAndAttributes,
    ReturnConsumedCapacity, ReturnValuesOnConditionCheckFailure, Select,
};
use domain::Fault;
use domain::limits::ITEMS_PER_TRANSACTION;

use crate::engine::Engine;
use crate::ops::{Count, Item, Key, Page, Query, TransactError, Write, WriteError};
use crate::schema::Table;
use error::fault;
use expression::{Expression, statement};
pub use meter::{Meter, Usage};

type Attributes = HashMap<String, AttributeValue>;

#[derive(Clone)]
pub struct DynamoEngine {
    client: Client,
    names: HashMap<Table, String>,
    meter: Meter,
}

impl DynamoEngine {
    /// Knows only the tables it is given: a function that asks for another one is told so, not let through.
    pub fn new(client: Client, names: HashMap<Table, String>, meter: Meter) -> DynamoEngine {
        DynamoEngine {
            client,
            names,
            meter,
        }
    }

    fn name(&self, table: Table) -> Result<&str, Fault> {
        let unnamed = || {
            Fault::Corrupt(format!(
                "this process was not given the name of the table {}",
                table.name()
            ))
        };
        self.names
            .get(&table)
            .map(String::as_str)
            .ok_or_else(unnamed)
    }

    /// The part that `query` and `count` have in common.
    fn request(&self, query: &Query) -> Result<QueryFluentBuilder, Fault> {
        let expression = Expression::of_query(query)?;
        Ok(self
            .client
            .query()
            .table_name(self.name(query.table)?)
            .set_index_name(query.index.map(|index| index.name.to_owned()))
            .consistent_read(query.index.is_none())
            .set_key_condition_expression(expression.condition.clone())
            .set_expression_attribute_names(expression.names())
            .set_expression_attribute_values(expression.values(AttributeValue::from))
            .scan_index_forward(!query.backwards)
            .set_limit(query.limit.and_then(|limit| i32::try_from(limit).ok()))
            .set_exclusive_start_key(query.start.as_ref().map(attributes))
            .return_consumed_capacity(ReturnConsumedCapacity::Indexes))
    }
}

impl DynamoEngine {
    async fn batch_get(&self, keys: &[Key], consistent: bool) -> Result<Vec<Option<Item>>, Fault> {
        let Some(table) = keys.first().map(|key| key.table) else {
            return Ok(Vec::new());
        };
        let wanted = keys.iter().map(key_attributes).collect();
        let mut open = Some(
            KeysAndAttributes::builder()
                .set_keys(Some(wanted))
                .consistent_read(consistent)
                .build()
                .map_err(incomplete)?,
        );
        let mut found: HashMap<Key, Item> = HashMap::new();
        while let Some(request) = open {
            let answer = self
                .client
                .batch_get_item()
                .request_items(self.name(table)?, request)
                .return_consumed_capacity(ReturnConsumedCapacity::Indexes)
                .send()
                .await
                .map_err(fault)?;
            self.meter.read(answer.consumed_capacity());
            for item in answer
                .responses
                .unwrap_or_default()
                .into_values()
                .flatten()
                .map(Item::from)
            {
                found.insert(Key::of_item(table, &item), item);
            }
            // What was left out for its size is asked for again; each answer makes progress.
            open = answer
                .unprocessed_keys
                .unwrap_or_default()
                .into_values()
                .next();
        }
        Ok(keys.iter().map(|key| found.remove(key)).collect())
    }
}

impl Engine for DynamoEngine {
    async fn get(&self, key: &Key) -> Result<Option<Item>, Fault> {
        let answer = self
            .client
            .get_item()
            .table_name(self.name(key.table)?)
            .set_key(Some(key_attributes(key)))
            .consistent_read(true)
            .return_consumed_capacity(ReturnConsumedCapacity::Indexes)
            .send()
            .await
            .map_err(fault)?;
        self.meter.read(answer.consumed_capacity());
        Ok(answer.item.map(Item::from))
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        self.batch_get(keys, false).await
    }

    async fn get_many_now(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        self.batch_get(keys, true).await
    }

    async fn write(&self, write: &Write) -> Result<(), WriteError> {
        match write {
            Write::Put {
                table,
                item,
                condition,
            } => self.put_one(*table, item, condition).await,
            Write::Update {
                key,
                changes,
                condition,
            } => self.update_one(key, changes, condition).await,
            Write::Delete { key, condition } => self.delete_one(key, condition).await,
        }
    }

    async fn update_many(&self, updates: &[Write]) -> Result<Vec<Result<(), WriteError>>, Fault> {
        let mut request = self
            .client
            .batch_execute_statement()
            .return_consumed_capacity(ReturnConsumedCapacity::Indexes);
        for update in updates {
            let (statement, parameters) = statement(self.name(update.table())?, update)?;
            let parameters = parameters.into_iter().map(AttributeValue::from).collect();
            let statement = BatchStatementRequest::builder()
                .statement(statement)
                .set_parameters(Some(parameters))
                .return_values_on_condition_check_failure(
                    ReturnValuesOnConditionCheckFailure::AllOld,
                )
                .build()
                .map_err(incomplete)?;
            request = request.statements(statement);
        }
        let answer = request.send().await.map_err(fault)?;
        self.meter.statements(answer.consumed_capacity());
        let responses = answer.responses.unwrap_or_default();
        if responses.len() != updates.len() {
            return Err(Fault::Transient(format!(
                "{} answers to {} updates",
                responses.len(),
                updates.len()
            )));
        }
        Ok(responses.into_iter().map(statement_outcome).collect())
    }

    async fn transact(&self, writes: &[Write], token: &str) -> Result<(), TransactError> {
        if writes.len() > ITEMS_PER_TRANSACTION {
            return Err(TransactError::Fault(Fault::Malformed(format!(
                "{} writes do not fit into a transaction",
                writes.len()
            ))));
        }
        let items = writes
            .iter()
            .map(|write| self.transact_item(write))
            .collect::<Result<Vec<_>, Fault>>()
            .map_err(TransactError::Fault)?;
        let answer = self
            .client
            .transact_write_items()
            .set_transact_items(Some(items))
            .client_request_token(token)
            .return_consumed_capacity(ReturnConsumedCapacity::Indexes)
            .send()
            .await;
        match answer {
            Ok(answer) => {
                self.meter.transaction(answer.consumed_capacity());
                Ok(())
            }
            Err(error) => Err(match error.as_service_error() {
                Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                    error::cancelled(cancelled)
                }
                _ => TransactError::Fault(fault(error)),
            }),
        }
    }

    async fn query(&self, query: &Query) -> Result<Page, Fault> {
        let answer = self.request(query)?.send().await.map_err(fault)?;
        self.meter.read(answer.consumed_capacity());
        Ok(page(answer.items, answer.last_evaluated_key))
    }

    async fn count(&self, query: &Query) -> Result<Count, Fault> {
        let request = self.request(query)?.select(Select::Count);
        let answer = request.send().await.map_err(fault)?;
        self.meter.read(answer.consumed_capacity());
        let items = u64::try_from(answer.count)
            .map_err(|_| Fault::Corrupt(format!("a page of {} items", answer.count)))?;
        Ok(Count {
            items,
            next: answer.last_evaluated_key.map(Item::from),
        })
    }

    async fn scan(
        &self,
        table: Table,
        start: Option<Item>,
        limit: Option<u32>,
    ) -> Result<Page, Fault> {
        let answer = self
            .client
            .scan()
            .table_name(self.name(table)?)
            .consistent_read(true)
            .set_limit(limit.and_then(|limit| i32::try_from(limit).ok()))
            .set_exclusive_start_key(start.as_ref().map(attributes))
            .return_consumed_capacity(ReturnConsumedCapacity::Indexes)
            .send()
            .await
            .map_err(fault)?;
        self.meter.read(answer.consumed_capacity());
        Ok(page(answer.items, answer.last_evaluated_key))
    }
}

fn page(items: Option<Vec<Attributes>>, next: Option<Attributes>) -> Page {
    Page {
        items: items
            .unwrap_or_default()
            .into_iter()
            .map(Item::from)
            .collect(),
        next: next.map(Item::from),
    }
}

fn statement_outcome(response: BatchStatementResponse) -> Result<(), WriteError> {
    let Some(error) = response.error else {
        return Ok(());
    };
    let code = error.code.as_ref().map_or("", |code| code.as_str());
    let message = error.message.clone().unwrap_or_default();
    Err(codes::statement_error(
        code,
        message,
        error.item.map(Item::from),
    ))
}

fn attributes(item: &Item) -> Attributes {
    item.clone().into()
}

fn key_attributes(key: &Key) -> Attributes {
    key.item().into()
}

fn incomplete(error: aws_sdk_dynamodb::error::BuildError) -> Fault {
    Fault::Corrupt(format!("a request could not be built: {error}"))
}
