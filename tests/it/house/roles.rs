//! The roles of the template beside what their functions are given. What a function really asks for, tests on the stack
//! hold against its role (`support/policies.rs`); here is all that it may come to ask for, and what the service asks for
//! in its name: to hand it messages and records, and to write its log.

use edge::queues;

use super::{resource, text, variables};

/// What a role allows, read by how the template is written: actions stand before `Resource:`, and what they are for behind.
struct Role<'a> {
    function: &'a str,
    statements: Vec<(&'a str, &'a str)>,
}

impl<'a> Role<'a> {
    fn of(template: &'a str, function: &'a str) -> Role<'a> {
        let policies = resource(template, &format!("{}Role", capital(function)))
            .split("PolicyName:")
            .nth(1)
            .expect("a policy");
        let statements = policies.split("Effect: Allow").skip(1);
        let statements = statements.map(|statement| statement.split_once("Resource:"));
        Role {
            function,
            statements: statements.map(|parts| parts.expect("a resource")).collect(),
        }
    }

    /// Whether these actions are allowed of that; none is any of the service.
    fn must(&self, service: &str, actions: &[&str], of: &str) {
        let allowed = |action: &str| {
            let action = format!("{service}:{action}");
            self.statements.iter().any(|(actions, resources)| {
                let mut actions = actions.split(|at: char| !(at.is_alphanumeric() || at == ':'));
                let is_it = |word: &str| match action.ends_with(':') {
                    true => word.starts_with(&action),
                    false => word == action,
                };
                actions.any(is_it) && resources.contains(of)
            })
        };
        let actions = if actions.is_empty() { &[""] } else { actions };
        for action in actions {
            let function = self.function;
            assert!(
                allowed(action),
                "{function} may not {service}:{action} of {of}"
            );
        }
    }
}

fn capital(name: &str) -> String {
    name[..1].to_ascii_uppercase() + &name[1..]
}

#[test]
fn a_role_allows_what_its_function_is_given() {
    let template = text("template.yaml");
    for function in ordermill::local::FUNCTIONS {
        let role = Role::of(&template, function);
        let source = text(&format!("functions/{function}/src/main.rs"));
        for (variable, value) in variables(&template, function) {
            let named = value.split([' ', '.']).nth(1).unwrap_or_default();
            let arn = format!("{named}.Arn");
            if variable.ends_with("_TABLE") {
                role.must("dynamodb", &[], &arn);
            } else if variable.ends_with("_QUEUE_URL") {
                let actions = of_queue(&source, &variable);
                assert!(!actions.is_empty(), "{function} has {variable} for nothing");
                role.must("sqs", &actions, &format!("GetAtt {arn}"));
            } else if variable.ends_with("_MAPPING") {
                let mut actions = vec!["GetEventSourceMapping"];
                if source.contains("process.queues()") {
                    actions.push("UpdateEventSourceMapping");
                }
                let of = format!(":event-source-mapping:${{{named}}}\"");
                role.must("lambda", &actions, &of);
            } else if variable.ends_with("_SECRET_ARN") {
                let of = format!("GetAtt {named}.Id");
                role.must("secretsmanager", &["GetSecretValue"], &of);
            } else if variable.ends_with("_SECRET") {
                let name = value.split('"').nth(1).expect("a name");
                let of = format!(":secret:{name}-??????\"");
                role.must("secretsmanager", &["GetSecretValue"], &of);
            } else if variable == "FILES_BUCKET" {
                role.must("s3", &["ListBucket"], &format!("GetAtt {arn}"));
                role.must("s3", &[], &format!("{{{arn}}}/"));
            } else if variable == "SAGA_ARN" {
                role.must("states", &["StartSyncExecution"], &value);
            }
        }
    }
}

/// By what a function makes of a queue's variable.
fn of_queue(source: &str, variable: &str) -> Vec<&'static str> {
    let is_dead = queues::NAMES.map(queues::dead_variable);
    let is_dead = is_dead.iter().any(|dead| dead == variable);
    let uses = [
        (format!("outbox(\"{variable}\")"), "SendMessage"),
        // Where what is hopeless is put aside.
        (format!(", \"{variable}\")"), "SendMessage"),
        (format!("queue(\"{variable}\","), "ChangeMessageVisibility"),
        ("process.gauge()".to_owned(), "GetQueueAttributes"),
    ];
    let uses = uses.iter().filter(|(made, _)| source.contains(made));
    let mut actions: Vec<_> = uses.map(|(_, action)| *action).collect();
    if !is_dead && source.contains("SqsSources::new") {
        actions.push("SendMessage");
    }
    actions
}

#[test]
fn a_role_allows_what_the_service_does_in_its_functions_name() {
    let template = text("template.yaml");
    let named = |section: &str, field: &str, end: &str| -> Vec<String> {
        let after = section.split(field).skip(1);
        after
            .filter_map(|rest| rest.split(end).next().map(str::to_owned))
            .collect()
    };
    for function in ordermill::local::FUNCTIONS {
        let role = Role::of(&template, function);
        let section = resource(&template, &capital(function));
        for queue in named(section, " Queue: !GetAtt ", ".Arn") {
            let actions = ["ReceiveMessage", "DeleteMessage", "GetQueueAttributes"];
            role.must("sqs", &actions, &format!("GetAtt {queue}.Arn"));
        }
        for table in named(section, " Stream: !GetAtt ", ".StreamArn") {
            let actions = ["DescribeStream", "GetRecords", "GetShardIterator"];
            role.must("dynamodb", &actions, &format!("GetAtt {table}.StreamArn"));
            let of = format!("{{{table}.Arn}}/stream/*");
            role.must("dynamodb", &["ListStreams"], &of);
        }
        for queue in named(section, " Destination: !GetAtt ", ".Arn") {
            role.must("sqs", &["SendMessage"], &format!("GetAtt {queue}.Arn"));
        }
        let logs = named(section, " LogGroup: !Ref ", "}");
        assert_eq!(logs, [format!("{}Log", capital(function))]);
        let of = format!("GetAtt {}.Arn", logs[0]);
        role.must("logs", &["CreateLogStream", "PutLogEvents"], &of);
    }
    let saga = resource(&template, "OrderSaga");
    let steps = named(saga, "Arn: !GetAtt ", ".Arn");
    assert_eq!(steps.len(), 4);
    for step in steps {
        let of = format!("GetAtt {step}.Arn");
        Role::of(&template, "orderSaga").must("lambda", &["InvokeFunction"], &of);
    }
}
