//! Rules of the house that a reader would otherwise have to remember.

pub mod roles;
mod timeouts;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use edge::queues;
use ordermill::cloud::queue_of;
use serde_json::Value;

use crate::support::{file, read};

pub fn text(path: &str) -> String {
    String::from_utf8(read(path)).unwrap_or_else(|_| panic!("{path} is not text"))
}

/// tests → ordermill → functions → api → {disk, edge, files} → {store, intake, payments, notices} → domain. Functions talk by messages,
/// never by crates.
#[test]
fn dependencies_point_one_way() {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--format-version",
            "1",
            "--offline",
        ])
        .current_dir(file(""))
        .output()
        .expect("cargo metadata");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("json");
    let mut floors: BTreeMap<String, (usize, String)> = BTreeMap::new();
    for package in metadata["packages"].as_array().expect("packages") {
        let manifest = package["manifest_path"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let name = package["name"].as_str().unwrap_or_default();
        let floor = match name {
            "domain" => 0,
            "store" | "intake" | "payments" | "notices" => 1,
            "disk" | "edge" | "files" => 2,
            "api" => 3,
            _ if manifest.contains("/functions/") => 4,
            "ordermill" => 5,
            "it" | "echo" => 6,
            _ => panic!("{name} stands nowhere in the order of crates"),
        };
        floors.insert(name.to_owned(), (floor, manifest));
    }
    assert_eq!(
        floors.values().filter(|(floor, _)| *floor == 4).count(),
        ordermill::local::FUNCTIONS.len()
    );
    for package in metadata["packages"].as_array().expect("packages") {
        let name = package["name"].as_str().unwrap_or_default();
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let needed = dependency["name"].as_str().unwrap_or_default();
            if let Some((floor, _)) = floors.get(needed) {
                assert!(
                    *floor < floors[name].0,
                    "{name} must not depend on {needed}"
                );
            }
        }
    }
}

/// One name for a function everywhere: folder, crate, binary, template, state.
#[test]
fn a_function_has_one_name() {
    let (template, saga) = (text("template.yaml"), text("infra/order-saga.asl.json"));
    for name in ordermill::local::FUNCTIONS {
        let manifest = text(&format!("functions/{name}/Cargo.toml"));
        assert!(
            manifest.contains(&format!("name = \"{name}\"")),
            "the crate of {name}"
        );
        assert!(
            template.contains(&format!("CodeUri: target/lambda/{name}/")),
            "the code of {name}"
        );
        assert!(
            template.contains(&format!(
                "FunctionName: !Sub \"${{AWS::StackName}}-{name}\""
            )),
            "the function {name}"
        );
    }
    let saga: Value = serde_json::from_str(&saga).expect("json");
    let tasks: BTreeSet<&str> = saga["States"]
        .as_object()
        .expect("states")
        .iter()
        .filter(|(_, state)| state["Type"] == "Task")
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(
        tasks,
        BTreeSet::from(["reserve", "pay", "finalize", "rollback"])
    );
}

/// No state turns a fault into a rollback, and what no retry will mend is not retried.
#[test]
fn the_saga_catches_nothing() {
    let saga: Value = serde_json::from_str(&text("infra/order-saga.asl.json")).expect("json");
    for (name, state) in saga["States"].as_object().expect("states") {
        assert!(state.get("Catch").is_none(), "{name} catches");
        if state["Type"] != "Task" {
            continue;
        }
        let retried: BTreeSet<&str> = state["Retry"]
            .as_array()
            .expect("retriers")
            .iter()
            .flat_map(|retrier| retrier["ErrorEquals"].as_array().into_iter().flatten())
            .filter_map(Value::as_str)
            .collect();
        for fault in [
            "Transient",
            "Lambda.ServiceException",
            "Lambda.TooManyRequestsException",
            "Runtime.ExitError",
            "States.Timeout",
        ] {
            assert!(retried.contains(fault), "{name} does not retry {fault}");
        }
        for fault in [
            "Refused",
            "Malformed",
            "Corrupt",
            "States.ALL",
            "States.TaskFailed",
        ] {
            assert!(!retried.contains(fault), "{name} retries {fault}");
        }
    }
}

/// Each function finds in its environment just what its `main` asks for.
#[test]
fn the_template_sets_what_a_function_reads() {
    let template = text("template.yaml");
    for name in ordermill::local::FUNCTIONS {
        let source = text(&format!("functions/{name}/src/main.rs"));
        let mut asked: BTreeSet<String> = quoted(&source)
            .filter(|word| {
                word.bytes()
                    .all(|byte| byte.is_ascii_uppercase() || byte == b'_')
            })
            .collect();
        for table in store::schema::Table::ALL {
            if source.contains(&format!("Table::{table:?}")) {
                asked.insert(edge::settings::table_variable(table));
            }
        }
        if source.contains("payment_key()") || source.contains("payment_gateway()") {
            asked.insert("PAYMENT_SECRET_ARN".to_owned());
        }
        if source.contains("payment_gateway()") {
            asked.extend(["PAYMENT_GATEWAY", "PAYMENT_APPROVAL_RATE"].map(str::to_owned));
        }
        if source.contains("link_key()") {
            asked.insert("OPT_OUT_SECRET".to_owned());
        }
        let gauges = source.contains("process.gauge()");
        if gauges || source.contains("process.queues()") {
            asked.extend(queues::NAMES.into_iter().flat_map(queues::variables));
        }
        if gauges {
            asked.extend(queues::NAMES.map(queues::dead_variable));
        }
        if source.contains("business_time_zone") {
            asked.insert("BUSINESS_TIME_ZONE".to_owned());
        }
        asked.insert("RUST_LOG".to_owned());
        let set: BTreeSet<String> = variables(&template, name).into_keys().collect();
        assert_eq!(set, asked, "the environment of {name}");
    }
}

fn quoted(source: &str) -> impl Iterator<Item = String> + '_ {
    source.split('"').skip(1).step_by(2).map(str::to_owned)
}

/// What stands under `Variables:` of a function, read by indentation: the template is ours.
fn variables(template: &str, function: &str) -> BTreeMap<String, String> {
    let after = template
        .split(&format!("CodeUri: target/lambda/{function}/"))
        .nth(1)
        .expect("the function");
    let mut lines = after.lines().skip_while(|line| line.trim() != "Variables:");
    let indent = |line: &str| line.len() - line.trim_start().len();
    let header = lines.next().map(indent).expect("variables");
    lines
        .take_while(|line| indent(line) > header)
        .filter_map(|line| line.trim().split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// A resource of the template, up to the next one.
fn resource<'a>(template: &'a str, name: &str) -> &'a str {
    let after = template.split(&format!("\n  {name}:\n")).nth(1);
    let after = after.unwrap_or_else(|| panic!("the resource {name}"));
    let next = after.find("\n  #").into_iter();
    let end = next
        .chain(after.match_indices("\n  ").map(|(at, _)| at).find(|at| {
            let rest = after.as_bytes().get(at + 3);
            rest.is_some_and(u8::is_ascii_uppercase)
        }))
        .min();
    &after[..end.unwrap_or(after.len())]
}

/// No role may do everything, or do something to everything.
#[test]
fn no_role_has_a_wildcard() {
    let template = text("template.yaml");
    assert!(
        !template.contains("ManagedPolicyArns"),
        "managed policies are wider than what is used"
    );
    for (at, line) in template.lines().enumerate() {
        let line = line.trim();
        for field in ["Action:", "Resource:"] {
            let bare = line
                .strip_prefix("- ")
                .unwrap_or(line)
                .strip_prefix(field)
                .map(|value| value.trim().trim_matches(['"', '\'']));
            assert_ne!(bare, Some("*"), "line {} of the template", at + 1);
        }
        // `s3:*` and `sqs:*` stand in what denies requests without TLS.
        if line.contains("Effect: Allow") {
            assert!(!line.contains(":*\""), "line {} of the template", at + 1);
        }
    }
}

/// Whatever the gateway says itself keeps browsers out, too. That it is the same as what functions say, a test on the stack
/// looks at.
#[test]
fn every_answer_of_the_gateway_has_the_headers() {
    let template = text("template.yaml");
    let answers: Vec<_> = resource(&template, "Api").split("StatusCode:").collect();
    assert!(answers.len() > 2);
    for answer in &answers[1..] {
        for header in [
            "Content-Type",
            "Cache-Control",
            "X-Content-Type-Options",
            "Content-Security-Policy",
            "Referrer-Policy",
            "Strict-Transport-Security",
        ] {
            assert!(answer.contains(&format!(" {header}: ")), "{header}{answer}");
        }
    }
}

/// The tables of the template are those of the store.
#[test]
fn the_template_has_the_stores_tables() {
    let template = text("template.yaml");
    for table in store::schema::Table::ALL {
        let after = template
            .split(&format!(
                "TableName: !Sub \"${{AWS::StackName}}-{}\"",
                table.name()
            ))
            .nth(1);
        let definition = after
            .unwrap_or_else(|| panic!("the table {}", table.name()))
            .split("AWS::DynamoDB::Table")
            .next()
            .unwrap_or_default();
        let mut names = vec![table.partition()];
        names.extend(table.sort());
        for index in table.indexes() {
            names.extend([index.name, index.partition, index.sort]);
            names.extend(index.includes);
        }
        for name in names {
            assert!(
                definition.contains(name),
                "{name} of the table {}",
                table.name()
            );
        }
    }
}

/// What fails for good is kept, and told: every queue that messages are moved to is emptied by `bury`, watched by alarms,
/// and named for the queue it belongs to, which messages can be sent to again.
#[test]
fn every_dead_letter_queue_is_emptied_and_watched() {
    let template = text("template.yaml");
    let resource = |name: &str| resource(&template, name);
    let named = |queue: &str| {
        let name = resource(queue)
            .split("QueueName: !Sub \"${AWS::StackName}-")
            .nth(1);
        let name = name.and_then(|rest| rest.split('"').next());
        name.unwrap_or_else(|| panic!("the name of {queue}"))
            .to_owned()
    };
    let mut dead_letter_queues = BTreeSet::new();
    for (at, _) in template.match_indices("deadLetterTargetArn: !GetAtt ") {
        let source = template[..at].rsplit("\n  ").find_map(|line| {
            let is_name = line.as_bytes().first().is_some_and(u8::is_ascii_uppercase);
            is_name.then(|| line.split(':').next()).flatten()
        });
        let source = source.expect("a queue");
        let dead = template[at..].split("!GetAtt ").nth(1);
        let dead = dead
            .and_then(|rest| rest.split('.').next())
            .expect("a queue");
        dead_letter_queues.insert(dead);

        let short = named(source);
        assert!(
            !short.contains('-'),
            "{short} is its name up to the first hyphen"
        );
        assert_eq!(named(dead), format!("{short}-dead"));
        let output = template
            .split_once(&format!("QueueUrl: {{Value: !Ref {source}}}"))
            .and_then(|(before, _)| before.rsplit(' ').next())
            .unwrap_or_else(|| panic!("no output of {source}"));
        let output = queue_of(&format!("{output}QueueUrl"));
        assert_eq!(output, Some(short.clone()));
        let largest = format!("MaximumMessageSize: {}", domain::limits::BYTES_PER_MESSAGE);
        assert!(
            resource(source).contains(&largest),
            "{source} takes what cannot be kept"
        );
    }
    let arn = "Queue: !GetAtt ";
    let emptied = resource("Bury")
        .match_indices(arn)
        .filter_map(|(at, _)| resource("Bury")[at + arn.len()..].split('.').next());
    assert_eq!(emptied.collect::<BTreeSet<_>>(), dead_letter_queues);
    for dead in dead_letter_queues {
        assert!(
            resource("BuryRole").contains(&format!("{dead}.Arn")),
            "{dead}"
        );
        for metric in ["NumberOfMessagesReceived", "ApproximateAgeOfOldestMessage"] {
            let watched = template
                .split("AWS::CloudWatch::Alarm")
                .skip(1)
                .any(|alarm| {
                    let alarm = alarm.split("AlarmActions").next().unwrap_or_default();
                    alarm.contains(&format!("MetricName: {metric}"))
                        && alarm.contains(&format!("!GetAtt {dead}.QueueName"))
                });
            assert!(watched, "no alarm on {metric} of {dead}");
        }
    }
}

/// Every queue that messages can be sent to again can be looked at and paused.
#[test]
fn operators_know_every_queue() {
    let template = text("template.yaml");
    let outputs = template.lines().filter_map(|line| {
        let output = line.trim_start().split_once(": {Value")?.0;
        queue_of(output)
    });
    let known = queues::NAMES.map(str::to_owned);
    assert_eq!(outputs.collect::<BTreeSet<_>>(), BTreeSet::from(known));
}

/// Output goes through one place, which knows what to do when it cannot be written.
#[test]
fn command_prints_in_one_place() {
    let printing = ["println!", "print!", "io::stdout()", "io::stderr()"];
    visit(&file("infra/ordermill/src"), &mut |path| {
        if path.ends_with("src/output.rs") {
            return;
        }
        let source = std::fs::read_to_string(path).expect("a source");
        for word in printing {
            assert!(!source.contains(word), "{word} in {}", path.display());
        }
    });
}

/// What people may read of order files is what the code knows.
#[test]
fn the_docs_name_every_column_and_code() {
    let docs = text("shared/intake/README.md");
    let codes = intake::Code::ALL.map(intake::Code::as_str);
    let file_codes = intake::FileCode::ALL.map(intake::FileCode::as_str);
    let names = intake::column_names().flatten().copied();
    for word in names.chain(codes).chain(file_codes) {
        assert!(docs.contains(&format!("`{word}`")), "{word}");
    }
}

/// A file that does not fit into a head does not fit into a file.
#[test]
fn no_file_is_too_long() {
    let mut long = Vec::new();
    for folder in ["shared", "functions", "infra", "tests"] {
        visit(&file(folder), &mut |path| {
            let lines = std::fs::read_to_string(path)
                .map(|source| source.lines().count())
                .unwrap_or_default();
            if path.extension().is_some_and(|ending| ending == "rs") && lines > 450 {
                long.push((path.to_owned(), lines));
            }
        });
    }
    assert!(long.is_empty(), "{long:?}");
}

fn visit(folder: &Path, each: &mut impl FnMut(&Path)) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            visit(&entry.path(), each);
        } else {
            each(&entry.path());
        }
    }
}
