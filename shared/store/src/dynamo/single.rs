//! One write as a request of its own, and as one of a transaction.

use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::error::ConditionalCheckFailedException;
use aws_sdk_dynamodb::types::{
    AttributeValue, Delete, Put, ReturnConsumedCapacity, ReturnValuesOnConditionCheckFailure,
    TransactWriteItem, Update,
};
use domain::Fault;

use super::error::fault;
use super::expression::Expression;
use super::{DynamoEngine, attributes, incomplete, key_attributes};
use crate::ops::{Change, Condition, Item, Key, Write, WriteError};
use crate::schema::Table;

/// With this a failed condition brings the item on which it failed.
const FOUND: ReturnValuesOnConditionCheckFailure = ReturnValuesOnConditionCheckFailure::AllOld;

impl DynamoEngine {
    pub(super) fn transact_item(&self, write: &Write) -> Result<TransactWriteItem, Fault> {
        let item = TransactWriteItem::builder();
        Ok(match write {
            Write::Put {
                table,
                item: put,
                condition,
            } => item.put(self.put(*table, put, condition)?),
            Write::Update {
                key,
                changes,
                condition,
            } => item.update(self.update(key, changes, condition)?),
            Write::Delete { key, condition } => item.delete(self.delete(key, condition)?),
        }
        .build())
    }

    fn put(&self, table: Table, item: &Item, condition: &Condition) -> Result<Put, Fault> {
        let expression = Expression::new(table, &[], condition)?;
        Put::builder()
            .table_name(self.name(table)?)
            .set_item(Some(attributes(item)))
            .set_condition_expression(expression.condition.clone())
            .set_expression_attribute_names(expression.names())
            .set_expression_attribute_values(expression.values(AttributeValue::from))
            .return_values_on_condition_check_failure(FOUND)
            .build()
            .map_err(incomplete)
    }

    fn update(
        &self,
        key: &Key,
        changes: &[Change],
        condition: &Condition,
    ) -> Result<Update, Fault> {
        let expression = Expression::new(key.table, changes, condition)?;
        Update::builder()
            .table_name(self.name(key.table)?)
            .set_key(Some(key_attributes(key)))
            .set_update_expression(expression.update.clone())
            .set_condition_expression(expression.condition.clone())
            .set_expression_attribute_names(expression.names())
            .set_expression_attribute_values(expression.values(AttributeValue::from))
            .return_values_on_condition_check_failure(FOUND)
            .build()
            .map_err(incomplete)
    }

    fn delete(&self, key: &Key, condition: &Condition) -> Result<Delete, Fault> {
        let expression = Expression::new(key.table, &[], condition)?;
        Delete::builder()
            .table_name(self.name(key.table)?)
            .set_key(Some(key_attributes(key)))
            .set_condition_expression(expression.condition.clone())
            .set_expression_attribute_names(expression.names())
            .set_expression_attribute_values(expression.values(AttributeValue::from))
            .return_values_on_condition_check_failure(FOUND)
            .build()
            .map_err(incomplete)
    }

    pub(super) async fn put_one(
        &self,
        table: Table,
        item: &Item,
        condition: &Condition,
    ) -> Result<(), WriteError> {
        let expression = Expression::new(table, &[], condition).map_err(WriteError::Fault)?;
        let answer = self
            .client
            .put_item()
            .table_name(self.name(table).map_err(WriteError::Fault)?)
            .set_item(Some(attributes(item)))
            .set_condition_expression(expression.condition.clone())
            .set_expression_attribute_names(expression.names())
            .set_expression_attribute_values(expression.values(AttributeValue::from))
            .return_values_on_condition_check_failure(FOUND)
            .return_consumed_capacity(ReturnConsumedCapacity::Indexes)
            .send()
            .await
            .map_err(|error| match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(failed)) => found(failed),
                _ => WriteError::Fault(fault(error)),
            })?;
        self.meter.write(answer.consumed_capacity());
        Ok(())
    }

    pub(super) async fn update_one(
        &self,
        key: &Key,
        changes: &[Change],
        condition: &Condition,
    ) -> Result<(), WriteError> {
        let expression =
            Expression::new(key.table, changes, condition).map_err(WriteError::Fault)?;
        let answer = self
            .client
            .update_item()
            .table_name(self.name(key.table).map_err(WriteError::Fault)?)
            .set_key(Some(key_attributes(key)))
            .set_update_expression(expression.update.clone())
            .set_condition_expression(expression.condition.clone())
            .set_expression_attribute_names(expression.names())
            .set_expression_attribute_values(expression.values(AttributeValue::from))
            .return_values_on_condition_check_failure(FOUND)
            .return_consumed_capacity(ReturnConsumedCapacity::Indexes)
            .send()
            .await
            .map_err(|error| match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(failed)) => found(failed),
                _ => WriteError::Fault(fault(error)),
            })?;
        self.meter.write(answer.consumed_capacity());
        Ok(())
    }

    pub(super) async fn delete_one(
        &self,
        key: &Key,
        condition: &Condition,
    ) -> Result<(), WriteError> {
        let expression = Expression::new(key.table, &[], condition).map_err(WriteError::Fault)?;
        let answer = self
            .client
            .delete_item()
            .table_name(self.name(key.table).map_err(WriteError::Fault)?)
            .set_key(Some(key_attributes(key)))
            .set_condition_expression(expression.condition.clone())
            .set_expression_attribute_names(expression.names())
            .set_expression_attribute_values(expression.values(AttributeValue::from))
            .return_values_on_condition_check_failure(FOUND)
            .return_consumed_capacity(ReturnConsumedCapacity::Indexes)
            .send()
            .await
            .map_err(|error| match error.as_service_error() {
                Some(DeleteItemError::ConditionalCheckFailedException(failed)) => found(failed),
                _ => WriteError::Fault(fault(error)),
            })?;
        self.meter.write(answer.consumed_capacity());
        Ok(())
    }
}

fn found(failed: &ConditionalCheckFailedException) -> WriteError {
    WriteError::Condition(failed.item.clone().map(Item::from))
}
