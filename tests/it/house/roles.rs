//! The roles of the template beside what their functions are given. What a function really asks for, tests on the stack
//! hold against its role (`support/policies.rs`); here is all that it may come to ask for, and what the service asks for
//! in its name: to hand it messages and records, and to write its log.

use std::collections::BTreeSet;

use edge::queues;

use super::{resource, text, variables};

/// What a role allows, read by how the template is written: actions stand before `Resource:`, and what they are for behind.
pub struct Role {
    function: String,
    statements: Vec<(BTreeSet<String>, String)>,
}

impl Role {
    pub fn of(template: &str, function: &str) -> Role {
        let policies = resource(template, &format!("{}Role", capital(function)))
            .split("PolicyName:")
            .nth(1)
            .expect("a policy");
        let statements = policies.split("Effect: Allow").skip(1).map(|statement| {
            let (actions, resources) = statement.split_once("Resource:").expect("a resource");
            let actions = actions.split(|at: char| !(at.is_alphanumeric() || at == ':'));
            (actions.map(str::to_owned).collect(), resources.to_owned())
        });
        Role {
            function: function.to_owned(),
            statements: statements.collect(),
        }
    }

    /// These actions are allowed of that.
    pub fn must(&self, service: &str, actions: &[&str], of: &str) {
        for action in actions {
            let action = format!("{service}:{action}");
            let allowed = self.about(of).any(|actions| actions.contains(&action));
            assert!(allowed, "{} may not {action} of {of}", self.function);
        }
    }

    /// At least something is.
    fn must_something(&self, service: &str, of: &str) {
        let mut actions = self.about(of).flatten();
        let allowed = actions.any(|action| action.starts_with(&format!("{service}:")));
        assert!(allowed, "{} may do nothing with {of}", self.function);
    }

    fn about(&self, of: &str) -> impl Iterator<Item = &BTreeSet<String>> {
        let statements = self.statements.iter();
        let about = statements.filter(move |(_, resources)| resources.contains(of));
        about.map(|(actions, _)| actions)
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
                role.must_something("dynamodb", &arn);
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
                role.must_something("s3", &format!("{{{arn}}}/"));
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
