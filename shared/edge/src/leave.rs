//! What leave a request takes of the role of who sends it: actions, and what they are for, as policies spell them.
//!
//! It goes on record with what was used, so that the roles can be held against what was really asked for. What is returned
//! is the end of an ARN, behind the account: an emulator's accounts and regions say nothing. No service is asked for it.

use aws_sdk_dynamodb::operation::batch_execute_statement::BatchExecuteStatementInput;
use aws_sdk_dynamodb::operation::batch_get_item::BatchGetItemInput;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemInput;
use aws_sdk_dynamodb::operation::get_item::GetItemInput;
use aws_sdk_dynamodb::operation::put_item::PutItemInput;
use aws_sdk_dynamodb::operation::query::QueryInput;
use aws_sdk_dynamodb::operation::scan::ScanInput;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsInput;
use aws_sdk_dynamodb::operation::update_item::UpdateItemInput;
use aws_sdk_dynamodb::types::TransactWriteItem;
use aws_sdk_lambda::operation::get_event_source_mapping::GetEventSourceMappingInput;
use aws_sdk_lambda::operation::update_event_source_mapping::UpdateEventSourceMappingInput;
use aws_sdk_s3::operation::complete_multipart_upload::CompleteMultipartUploadInput;
use aws_sdk_s3::operation::create_multipart_upload::CreateMultipartUploadInput;
use aws_sdk_s3::operation::get_object::GetObjectInput;
use aws_sdk_s3::operation::head_bucket::HeadBucketInput;
use aws_sdk_s3::operation::head_object::HeadObjectInput;
use aws_sdk_s3::operation::put_object::PutObjectInput;
use aws_sdk_s3::operation::upload_part::UploadPartInput;
use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretInput;
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueInput;
use aws_sdk_sqs::operation::change_message_visibility_batch::ChangeMessageVisibilityBatchInput;
use aws_sdk_sqs::operation::get_queue_attributes::GetQueueAttributesInput;
use aws_sdk_sqs::operation::send_message::SendMessageInput;
use aws_sdk_sqs::operation::send_message_batch::SendMessageBatchInput;
pub use aws_smithy_runtime_api::client::interceptors::context::Input;

/// An action, and the end of the ARN of what it is for; or all of it, where that is what was asked with.
pub type Leave = (&'static str, String);

/// What each kind of request takes, by the type of its input. Of one that is not listed, nothing.
macro_rules! by_input {
    ($input:ident: $($kind:ty => |$it:ident| $leave:expr,)+) => {{
        $(if let Some($it) = $input.downcast_ref::<$kind>() {
            return $leave;
        })+
        Vec::new()
    }};
}

pub fn dynamodb(input: &Input) -> Vec<Leave> {
    let of = |action, name: &Option<String>| vec![(action, table(text(name)))];
    let read = |action, name: &Option<String>, index: &Option<String>| {
        let table = table(text(name));
        let index = index.as_ref().map(|index| format!("{table}/index/{index}"));
        vec![(action, index.unwrap_or(table))]
    };
    by_input!(input:
        GetItemInput => |get| of("dynamodb:GetItem", &get.table_name),
        PutItemInput => |put| of("dynamodb:PutItem", &put.table_name),
        UpdateItemInput => |update| of("dynamodb:UpdateItem", &update.table_name),
        DeleteItemInput => |delete| of("dynamodb:DeleteItem", &delete.table_name),
        QueryInput => |query| read("dynamodb:Query", &query.table_name, &query.index_name),
        ScanInput => |scan| read("dynamodb:Scan", &scan.table_name, &scan.index_name),
        BatchGetItemInput => |get| {
            let tables = get.request_items.iter().flat_map(|items| items.keys());
            tables.map(|name| ("dynamodb:BatchGetItem", table(name))).collect()
        },
        BatchExecuteStatementInput => |batch| {
            let statements = batch.statements.iter().flatten();
            statements.map(|statement| of_statement(&statement.statement)).collect()
        },
        TransactWriteItemsInput => |transaction| {
            let writes = transaction.transact_items.iter().flatten();
            writes.flat_map(of_write).collect()
        },
    )
}

/// A transaction needs the leave of each of its writes, and none of its own.
fn of_write(write: &TransactWriteItem) -> Vec<Leave> {
    let check = write.condition_check.iter();
    let check = check.map(|it| ("dynamodb:ConditionCheckItem", &it.table_name));
    let put = write.put.iter();
    let put = put.map(|it| ("dynamodb:PutItem", &it.table_name));
    let update = write.update.iter();
    let update = update.map(|it| ("dynamodb:UpdateItem", &it.table_name));
    let delete = write.delete.iter();
    let delete = delete.map(|it| ("dynamodb:DeleteItem", &it.table_name));
    let all = check.chain(put).chain(update).chain(delete);
    all.map(|(action, name)| (action, table(name))).collect()
}

/// The table is what a statement quotes first.
fn of_statement(statement: &str) -> Leave {
    let action = match statement.split(' ').next() {
        Some("UPDATE") => "dynamodb:PartiQLUpdate",
        Some("INSERT") => "dynamodb:PartiQLInsert",
        _ => "dynamodb:PartiQL",
    };
    let name = statement.split('"').nth(1).unwrap_or_default();
    (action, table(name))
}

fn table(name: &str) -> String {
    format!("table/{name}")
}

pub fn sqs(input: &Input) -> Vec<Leave> {
    // The name is the end of the URL.
    let of = |action, url: &Option<String>| {
        let name = text(url).rsplit('/').next().unwrap_or_default();
        vec![(action, name.to_owned())]
    };
    by_input!(input:
        SendMessageInput => |send| of("sqs:SendMessage", &send.queue_url),
        SendMessageBatchInput => |send| of("sqs:SendMessage", &send.queue_url),
        ChangeMessageVisibilityBatchInput => |hide| of("sqs:ChangeMessageVisibility", &hide.queue_url),
        GetQueueAttributesInput => |get| of("sqs:GetQueueAttributes", &get.queue_url),
    )
}

pub fn lambda(input: &Input) -> Vec<Leave> {
    let of = |action, id: &Option<String>| {
        let mapping = format!("event-source-mapping:{}", text(id));
        vec![(action, mapping)]
    };
    by_input!(input:
        GetEventSourceMappingInput => |get| of("lambda:GetEventSourceMapping", &get.uuid),
        UpdateEventSourceMappingInput => |update| of("lambda:UpdateEventSourceMapping", &update.uuid),
    )
}

pub fn s3(input: &Input) -> Vec<Leave> {
    let put =
        |bucket: &Option<String>, key: &Option<String>| vec![("s3:PutObject", folder(bucket, key))];
    // Who may not list a bucket is not told that an object is not there: it looks as if it may not be read.
    let get = |action, bucket: &Option<String>, key: &Option<String>| {
        let list = ("s3:ListBucket", text(bucket).to_owned());
        vec![(action, folder(bucket, key)), list]
    };
    by_input!(input:
        HeadBucketInput => |head| vec![("s3:ListBucket", text(&head.bucket).to_owned())],
        HeadObjectInput => |head| get("s3:GetObject", &head.bucket, &head.key),
        GetObjectInput => |it| match it.version_id {
            Some(_) => get("s3:GetObjectVersion", &it.bucket, &it.key),
            None => get("s3:GetObject", &it.bucket, &it.key),
        },
        PutObjectInput => |it| put(&it.bucket, &it.key),
        CreateMultipartUploadInput => |it| put(&it.bucket, &it.key),
        UploadPartInput => |it| put(&it.bucket, &it.key),
        CompleteMultipartUploadInput => |it| put(&it.bucket, &it.key),
    )
}

/// Where an object is. What it is called there is somebody else's, and no role asks for it.
fn folder(bucket: &Option<String>, key: &Option<String>) -> String {
    let folder = text(key).rsplit_once('/').map_or("", |(folder, _)| folder);
    format!("{}/{folder}/", text(bucket))
}

/// Whoever asks by its name does not know the end of its ARN, which is drawn when it is made.
pub fn secrets(input: &Input) -> Vec<Leave> {
    let of = |action, id: &Option<String>| vec![(action, text(id).to_owned())];
    by_input!(input:
        GetSecretValueInput => |get| of("secretsmanager:GetSecretValue", &get.secret_id),
        DescribeSecretInput => |describe| of("secretsmanager:DescribeSecret", &describe.secret_id),
    )
}

fn text(value: &Option<String>) -> &str {
    value.as_deref().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use aws_sdk_dynamodb::operation::list_tables::ListTablesInput;
    use aws_sdk_dynamodb::types::{AttributeValue, BatchStatementRequest, Delete, Put};

    use super::*;

    fn asked<I: Debug + Send + Sync + 'static, E: Debug>(
        leave: fn(&Input) -> Vec<Leave>,
        input: Result<I, E>,
    ) -> Vec<String> {
        let leave = leave(&Input::erase(input.expect("an input")));
        let spelled = leave.iter().map(|(action, of)| format!("{action} {of}"));
        spelled.collect()
    }

    #[test]
    fn a_read_of_an_index_is_none_of_its_table() {
        let query = || QueryInput::builder().table_name("refunds");
        let of = |query: aws_sdk_dynamodb::operation::query::builders::QueryInputBuilder| {
            asked(dynamodb, query.build())
        };
        assert_eq!(of(query()), ["dynamodb:Query table/refunds"]);
        let index = query().index_name("by-day");
        assert_eq!(of(index), ["dynamodb:Query table/refunds/index/by-day"]);
    }

    #[test]
    fn what_is_sent_together_takes_the_leave_of_each() {
        let key = |name: &str| (name.to_owned(), AttributeValue::Null(true));
        let put = Put::builder().table_name("orders");
        let put = put.set_item(Some([key("a")].into())).build();
        let delete = Delete::builder().table_name("tallies");
        let delete = delete.set_key(Some([key("b")].into())).build();
        let put = TransactWriteItem::builder().put(put.expect("a put"));
        let delete = TransactWriteItem::builder().delete(delete.expect("a deletion"));
        let both = TransactWriteItemsInput::builder().transact_items(put.build());
        let both = both.transact_items(delete.build()).build();
        assert_eq!(
            asked(dynamodb, both),
            [
                "dynamodb:PutItem table/orders",
                "dynamodb:DeleteItem table/tallies"
            ]
        );
        let statement = |text: &str| {
            let statement = BatchStatementRequest::builder().statement(text);
            statement.build().expect("a statement")
        };
        let batch = BatchExecuteStatementInput::builder()
            .statements(statement("UPDATE \"orders\" SET \"a\"=?"))
            .statements(statement("INSERT INTO \"notices\" VALUE {}"))
            .build();
        assert_eq!(
            asked(dynamodb, batch),
            [
                "dynamodb:PartiQLUpdate table/orders",
                "dynamodb:PartiQLInsert table/notices"
            ]
        );
    }

    #[test]
    fn a_version_is_read_with_a_leave_of_its_own_and_no_name_is_kept() {
        let get = || GetObjectInput::builder().bucket("files");
        let now = get().key("imports/ada.csv").build();
        let expected = ["s3:GetObject files/imports/", "s3:ListBucket files"];
        assert_eq!(asked(s3, now), expected);
        let then = get().key("imports/ada.csv").version_id("7").build();
        let expected = ["s3:GetObjectVersion files/imports/", "s3:ListBucket files"];
        assert_eq!(asked(s3, then), expected);
    }

    #[test]
    fn what_is_not_listed_takes_nothing_that_a_role_could_allow() {
        let unknown = ListTablesInput::builder().build();
        assert!(asked(dynamodb, unknown).is_empty());
    }
}
