//! The engine that asks the service, through the SDK. Knows how a fault looks on the wire, and nothing of orders.

mod error;
mod expression;
mod meter;
mod single;

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeValue, BatchStatementErrorCodeEnum, BatchStatementRequest, BatchStatementResponse,
    KeysAndAttributes, ReturnConsumedCapacity, ReturnValuesOnConditionCheckFailure, Select,
};
use domain::Fault;
use domain::limits::ITEMS_PER_TRANSACTION;

use crate::engine::Engine;
use crate::ops::{
    Condition, Count, Item, Key, Page, Query, TransactError, Write, WriteError, text,
};
use crate::schema::Table;
use error::fault;
use expression::{insertion, statement};
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

    /// What `query` and `count` ask alike. A range needs a sort key, and the service would not know which one was meant.
    fn asking(&self, query: &Query) -> Result<QueryFluentBuilder, Fault> {
        let (partition, sort) = match query.index {
            Some(index) => (index.partition, Some(index.sort)),
            None => (query.table.partition(), query.table.sort()),
        };
        let request = self
            .client
            .query()
            .table_name(self.name(query.table)?)
            .set_index_name(query.index.map(|index| index.name.to_owned()))
            .consistent_read(query.index.is_none())
            .expression_attribute_names("#p", partition)
            .expression_attribute_values(":p", text(query.partition.clone()).into())
            .scan_index_forward(!query.backwards)
            .set_limit(query.limit.and_then(|limit| i32::try_from(limit).ok()))
            .set_exclusive_start_key(query.start.as_ref().map(attributes))
            .return_consumed_capacity(ReturnConsumedCapacity::Indexes);
        let Some((from, to)) = &query.range else {
            return Ok(request.key_condition_expression("#p = :p"));
        };
        let Some(sort) = sort else {
            return Err(Fault::Malformed(format!(
                "{} have no sort key to ask a range of",
                query.table.name()
            )));
        };
        Ok(request
            .key_condition_expression("#p = :p AND #s BETWEEN :from AND :to")
            .expression_attribute_names("#s", sort)
            .expression_attribute_values(":from", text(from.clone()).into())
            .expression_attribute_values(":to", text(to.clone()).into()))
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
                found.insert(item_key(table, &item), item);
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
            let (statement, parameters) = match update {
                Write::Update {
                    key,
                    changes,
                    condition,
                } => statement(self.name(key.table)?, key, changes, condition)?,
                Write::Put {
                    table,
                    item,
                    condition: Condition::Absent,
                } => insertion(self.name(*table)?, item),
                Write::Put { .. } | Write::Delete { .. } => {
                    let what = "only updates, and puts of what is absent, can be sent together";
                    return Err(Fault::Malformed(what.to_owned()));
                }
            };
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
        self.meter.write(answer.consumed_capacity());
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
                self.meter.write(answer.consumed_capacity());
                Ok(())
            }
            Err(error) => Err(match error.as_service_error() {
                Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                    error::cancelled(cancelled)
                }
                // The first attempt under this token is still at work: its outcome is what we wait for.
                Some(TransactWriteItemsError::TransactionInProgressException(_)) => {
                    TransactError::Fault(Fault::Transient(
                        "the transaction is still in progress".to_owned(),
                    ))
                }
                Some(TransactWriteItemsError::IdempotentParameterMismatchException(_)) => {
                    TransactError::Fault(Fault::Corrupt(
                        "one token for two transactions".to_owned(),
                    ))
                }
                _ => TransactError::Fault(fault(error)),
            }),
        }
    }

    async fn query(&self, query: &Query) -> Result<Page, Fault> {
        let answer = self.asking(query)?.send().await.map_err(fault)?;
        self.meter.read(answer.consumed_capacity());
        Ok(page(answer.items, answer.last_evaluated_key))
    }

    async fn count(&self, query: &Query) -> Result<Count, Fault> {
        let request = self.asking(query)?.select(Select::Count);
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
    let message = error.message.clone().unwrap_or_default();
    Err(match error.code {
        Some(BatchStatementErrorCodeEnum::ConditionalCheckFailed) => {
            WriteError::Condition(error.item.map(Item::from))
        }
        Some(BatchStatementErrorCodeEnum::DuplicateItem) => WriteError::Condition(None),
        Some(
            BatchStatementErrorCodeEnum::TransactionConflict
            | BatchStatementErrorCodeEnum::ThrottlingError
            | BatchStatementErrorCodeEnum::ProvisionedThroughputExceeded
            | BatchStatementErrorCodeEnum::RequestLimitExceeded
            | BatchStatementErrorCodeEnum::InternalServerError,
        )
        | None => WriteError::Fault(Fault::Transient(message)),
        Some(BatchStatementErrorCodeEnum::ValidationError) => {
            WriteError::Fault(Fault::Malformed(message))
        }
        Some(code) => WriteError::Fault(Fault::Corrupt(format!("{}: {message}", code.as_str()))),
    })
}

fn attributes(item: &Item) -> Attributes {
    item.clone().into()
}

fn key_attributes(key: &Key) -> Attributes {
    key.item().into()
}

fn item_key(table: Table, item: &Item) -> Key {
    let string = |name: &str| match item.get(name) {
        Some(crate::ops::Value::S(value)) => value.clone(),
        _ => String::new(),
    };
    Key {
        table,
        partition: string(table.partition()),
        sort: table.sort().map(string),
    }
}

fn incomplete(error: aws_sdk_dynamodb::error::BuildError) -> Fault {
    Fault::Corrupt(format!("a request could not be built: {error}"))
}
