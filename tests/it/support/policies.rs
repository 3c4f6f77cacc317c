//! Whether the roles of the template allow what the functions of a stack really asked for, as they logged it.
//!
//! The emulator takes roles and lets everybody do everything. So each action and what it was for is held against the
//! role's statements here, as the service would do it. What the service asks for in a function's name (to receive its
//! messages, to read its streams, to write its log) no function logs: the house rules look at that.

use std::collections::{BTreeMap, BTreeSet};

use ordermill::cloud::Stack;
use ordermill::cost::logged;
use ordermill::local::FUNCTIONS;
use serde_json::Value;

use crate::support::http;

/// What a role allows.
pub struct Role(Vec<Statement>);

struct Statement {
    actions: Vec<String>,
    resources: Vec<String>,
    /// Whom mails have to be from. No other condition is known here.
    from: Option<String>,
}

impl Role {
    pub fn actions(&self) -> impl Iterator<Item = &str> {
        let actions = self.0.iter().flat_map(|statement| &statement.actions);
        actions.map(String::as_str)
    }

    fn allows(&self, action: &str, arn: &str, senders: &BTreeSet<&str>) -> bool {
        self.0.iter().any(|statement| {
            let from = statement.from.as_deref();
            statement.actions.iter().any(|allowed| allowed == action)
                && statement.resources.iter().any(|of| is_like(of, arn))
                && from.is_none_or(|from| senders.iter().all(|sender| *sender == from))
        })
    }
}

/// As policies compare: a star is any text, and a question mark any character.
fn is_like(pattern: &str, text: &str) -> bool {
    let mut rest = text.chars();
    match pattern.chars().next() {
        None => text.is_empty(),
        Some('*') => {
            let pattern = &pattern[1..];
            let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
            ends.into_iter().any(|at| is_like(pattern, &text[at..]))
        }
        Some(first) => {
            let is_same = rest
                .next()
                .is_some_and(|next| first == '?' || first == next);
            is_same && is_like(&pattern[first.len_utf8()..], rest.as_str())
        }
    }
}

/// Each request that was logged since the stack was made is allowed to who made it. Returns who made any.
pub async fn check(stack: &Stack) -> BTreeSet<&'static str> {
    let mut seen = BTreeSet::new();
    let mut missing = Vec::new();
    for function in FUNCTIONS {
        let mut needed: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for usage in logged(stack, function, 0).await.expect("a log") {
            seen.insert(function);
            let is_noted = usage.calls.is_empty() || !usage.leave.is_empty();
            assert!(is_noted, "{function} does not say what for: {usage:?}");
            for (action, of) in usage.leave {
                needed.entry(action).or_default().extend(of);
            }
        }
        let role = role(stack, function).await;
        let mails = needed.get("ses:SendRawEmail").cloned().unwrap_or_default();
        let senders = mails.iter().filter_map(|of| of.strip_prefix("identity/"));
        let senders = senders.collect();
        for (action, several) in &needed {
            for of in several {
                let arn = arn(stack, action, of);
                if !role.allows(action, &arn, &senders) {
                    missing.push(format!("{function} may not {action} of {arn}"));
                }
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
    seen
}

/// What was asked for, as the service calls it.
fn arn(stack: &Stack, action: &str, of: &str) -> String {
    if of.starts_with("arn:") {
        return of.to_owned();
    }
    let service = action.split(':').next().unwrap_or_default();
    if service == "s3" {
        return format!("arn:aws:s3:::{of}");
    }
    // In this account and region, as the saga is.
    let saga = stack.output("SagaArn").expect("an ARN");
    let place: Vec<&str> = saga.split(':').skip(3).take(2).collect();
    let of = match service {
        // A secret that was asked for by its name does not show the six characters that are drawn for it. Roles that ask
        // for them ask for any.
        "secretsmanager" => format!("secret:{of}-Ab1Cd2"),
        _ => of.to_owned(),
    };
    format!("arn:aws:{service}:{}:{of}", place.join(":"))
}

/// Whether an action changes anything.
pub fn only_reads(action: &str) -> bool {
    let verb = action.split(':').nth(1).unwrap_or_default();
    let reads = ["Get", "BatchGet", "Query", "Scan", "List"];
    reads.iter().any(|read| verb.starts_with(read)) || action.starts_with("logs:")
}

/// The role of a function, as it is deployed: with every reference resolved.
pub async fn role(stack: &Stack, function: &str) -> Role {
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
    let statements = document["Statement"].as_array().expect("statements").iter();
    let statements = statements.map(|statement| {
        assert_eq!(statement["Effect"], "Allow");
        let from = match statement.get("Condition") {
            None => None,
            Some(condition) => {
                let from = condition["StringEquals"]["ses:FromAddress"].as_str();
                Some(
                    from.unwrap_or_else(|| panic!("unknown: {condition}"))
                        .to_owned(),
                )
            }
        };
        Statement {
            actions: texts(&statement["Action"]),
            resources: texts(&statement["Resource"]),
            from,
        }
    });
    Role(statements.collect())
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

#[test]
fn policies_are_compared_as_the_service_does_it() {
    for (pattern, text, is_so) in [
        ("table/a", "table/a", true),
        ("table/a", "table/a/index/by-day", false),
        ("files/imports/*", "files/imports/", true),
        ("files/imports/api/*", "files/imports/", false),
        ("secret:key-??????", "secret:key-Ab1Cd2", true),
        ("secret:key-??????", "secret:key-Ab1Cd", false),
        ("*:b/*", "a:b/c", true),
        ("*", "", true),
    ] {
        assert_eq!(is_like(pattern, text), is_so, "{pattern} {text}");
    }
}
