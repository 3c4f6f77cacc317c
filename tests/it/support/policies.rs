//! Whether the roles of the template allow what the functions of a stack really asked for, as they logged it.

use std::collections::{BTreeMap, BTreeSet};

use ordermill::cloud::Stack;
use ordermill::cost::logged;
use ordermill::local::FUNCTIONS;
use serde_json::Value;

use crate::support::http;

/// What a role allows: actions by the ends of the ARNs that they are allowed on.
type Allowed = BTreeMap<String, BTreeSet<String>>;

/// Each call that was logged since the stack was made is allowed to who made it. Returns who made any.
pub async fn check(stack: &Stack) -> BTreeSet<&'static str> {
    let mut seen = BTreeSet::new();
    for function in FUNCTIONS {
        let allowed = allowed(stack, function).await;
        let usages = logged(stack, function, 0).await.expect("a log");
        for usage in usages {
            seen.insert(function);
            for call in usage.calls.keys() {
                let any = actions(call);
                let is_allowed = any.iter().any(|action| allowed.contains_key(*action));
                assert!(
                    is_allowed,
                    "{function} called {call}, for which it needs {any:?}"
                );
            }
            // Of an index that a write keeps up to date, the table's leave is enough.
            let tables = |units: &BTreeMap<String, f64>| -> BTreeSet<String> {
                let used = units.iter().filter(|(_, units)| **units > 0.0);
                used.map(|(table, _)| table.split('/').next().unwrap_or_default().to_owned())
                    .collect()
            };
            let reads: &[_] = &["GetItem", "BatchGetItem", "Query", "Scan"];
            let writes: &[_] = &[
                "PutItem",
                "UpdateItem",
                "DeleteItem",
                "PartiQLInsert",
                "PartiQLUpdate",
            ];
            for (tables, kinds) in [
                (tables(&usage.read_units), reads),
                (tables(&usage.write_units), writes),
            ] {
                for table in tables {
                    let may = kinds.iter().any(|kind| {
                        let on = allowed.get(&format!("dynamodb:{kind}"));
                        on.is_some_and(|on| on.contains(&table))
                    });
                    assert!(may, "{function} uses {table}, and may not {kinds:?} there");
                }
            }
        }
    }
    seen
}

/// What leave a call takes: one of these.
fn actions(call: &str) -> &'static [&'static str] {
    match call {
        "DynamoDB:GetItem" => &["dynamodb:GetItem"],
        "DynamoDB:BatchGetItem" => &["dynamodb:BatchGetItem"],
        "DynamoDB:Query" => &["dynamodb:Query"],
        "DynamoDB:Scan" => &["dynamodb:Scan"],
        "DynamoDB:PutItem" => &["dynamodb:PutItem"],
        "DynamoDB:UpdateItem" => &["dynamodb:UpdateItem"],
        "DynamoDB:DeleteItem" => &["dynamodb:DeleteItem"],
        "DynamoDB:BatchExecuteStatement" => &["dynamodb:PartiQLUpdate", "dynamodb:PartiQLInsert"],
        "DynamoDB:TransactWriteItems" => &["dynamodb:PutItem", "dynamodb:UpdateItem"],
        "SQS:SendMessage" | "SQS:SendMessageBatch" => &["sqs:SendMessage"],
        "SQS:ChangeMessageVisibilityBatch" => &["sqs:ChangeMessageVisibility"],
        "SQS:GetQueueAttributes" => &["sqs:GetQueueAttributes"],
        "S3:GetObject" | "S3:HeadObject" => &["s3:GetObject", "s3:GetObjectVersion"],
        "S3:HeadBucket" => &["s3:ListBucket"],
        "S3:PutObject"
        | "S3:CreateMultipartUpload"
        | "S3:UploadPart"
        | "S3:CompleteMultipartUpload" => &["s3:PutObject"],
        "S3:AbortMultipartUpload" => &["s3:AbortMultipartUpload"],
        "Secrets Manager:GetSecretValue" => &["secretsmanager:GetSecretValue"],
        "Secrets Manager:DescribeSecret" => &["secretsmanager:DescribeSecret"],
        "SES:SendRawEmail" => &["ses:SendRawEmail"],
        "SFN:StartSyncExecution" => &["states:StartSyncExecution"],
        "Lambda:GetEventSourceMapping" => &["lambda:GetEventSourceMapping"],
        "Lambda:UpdateEventSourceMapping" => &["lambda:UpdateEventSourceMapping"],
        _ => &[],
    }
}

/// Whether an action changes anything.
pub fn only_reads(action: &str) -> bool {
    let verb = action.split(':').nth(1).unwrap_or_default();
    let reads = ["Get", "BatchGet", "Query", "Scan", "List"];
    reads.iter().any(|read| verb.starts_with(read)) || action.starts_with("logs:")
}

/// The actions of the role of a function, as it is deployed.
pub async fn allowed(stack: &Stack, function: &str) -> Allowed {
    let mut role = function[..1].to_ascii_uppercase();
    role.push_str(&function[1..]);
    role.push_str("Role");
    let described = stack.cloud.cloudformation().describe_stack_resource();
    let described = described.stack_name(&stack.name).logical_resource_id(&role);
    let resource = described
        .send()
        .await
        .expect("a role")
        .stack_resource_detail;
    let name = resource.and_then(|resource| resource.physical_resource_id);
    let name = name.expect("a name");
    let document = policy(stack, &name, function).await;
    let mut allowed = Allowed::new();
    for statement in document["Statement"].as_array().expect("statements") {
        assert_eq!(statement["Effect"], "Allow");
        for action in texts(&statement["Action"]) {
            let ends = texts(&statement["Resource"]).into_iter().map(|arn| {
                let end = arn.rsplit([':', '/']).next().unwrap_or_default();
                end.to_owned()
            });
            allowed.entry(action).or_default().extend(ends);
        }
    }
    allowed
}

fn texts(of: &Value) -> Vec<String> {
    match of {
        Value::String(text) => vec![text.clone()],
        Value::Array(several) => several.iter().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

/// Asked for by hand: nothing else here needs the client of this service.
async fn policy(stack: &Stack, role: &str, policy: &str) -> Value {
    let endpoint = stack.cloud.endpoint.as_deref().expect("an emulator");
    let body =
        format!("Action=GetRolePolicy&Version=2010-05-08&RoleName={role}&PolicyName={policy}");
    let scope = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/iam/aws4_request, \
                 SignedHeaders=host, Signature=0";
    let request = http().post(endpoint);
    let request = request.header("Authorization", scope);
    let request = request.header("Content-Type", "application/x-www-form-urlencoded");
    let answer = request.body(body).send().await.expect("an answer");
    let answer = answer.text().await.expect("a text");
    let document = answer.split("<PolicyDocument>").nth(1);
    let document = document.and_then(|rest| rest.split("</PolicyDocument>").next());
    let document = document.unwrap_or_else(|| panic!("no policy of {role}: {answer}"));
    let plain = document.replace("&quot;", "\"").replace("&amp;", "&");
    let plain = percent_encoding::percent_decode_str(&plain).decode_utf8_lossy();
    serde_json::from_str(&plain).unwrap_or_else(|error| panic!("{error}: {plain}"))
}
