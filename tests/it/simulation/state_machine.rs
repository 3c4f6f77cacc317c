//! Follows the real definition of the saga, as the service would: tasks, choices, retries, time limits. Knows no orders.

use std::time::Duration;

use domain::Fault;
use serde_json::Value;

use super::chance::Chance;

/// Runs a task's function. The error is the name that the service knows it by.
pub trait Tasks {
    async fn run(&self, resource: &str, input: Value) -> Result<Value, String>;
}

/// Returns how the execution ended: nothing, or the name of the error that failed it.
pub async fn execute(
    definition: &Value,
    tasks: &impl Tasks,
    chance: &Chance,
    input: Value,
) -> Result<(), String> {
    let limit = definition["TimeoutSeconds"].as_u64().expect("a time limit");
    let states = follow(definition, tasks, chance, input);
    tokio::time::timeout(Duration::from_secs(limit), states)
        .await
        .unwrap_or_else(|_| Err("States.Timeout".to_owned()))
}

async fn follow(
    definition: &Value,
    tasks: &impl Tasks,
    chance: &Chance,
    mut input: Value,
) -> Result<(), String> {
    let mut name = text(&definition["StartAt"]);
    loop {
        let state = &definition["States"][name];
        name = match text(&state["Type"]) {
            "Succeed" => return Ok(()),
            "Fail" => {
                let error = input.pointer(&pointer(text(&state["ErrorPath"])));
                return Err(text(error.expect("an error")).to_owned());
            }
            "Choice" => choose(state, &input),
            "Task" => {
                let output = retried(state, tasks, chance, &input).await;
                let next = match (output, state.get("Catch")) {
                    (Ok(output), _) => {
                        if state.get("ResultPath") != Some(&Value::Null) {
                            input = output;
                        }
                        &state["Next"]
                    }
                    // Ours catches nothing. A broken one may.
                    (Err(_), Some(catch)) => &catch[0]["Next"],
                    (Err(error), None) => return Err(error),
                };
                text(next)
            }
            other => panic!("the definition has a state of type {other}"),
        };
    }
}

async fn retried(
    state: &Value,
    tasks: &impl Tasks,
    chance: &Chance,
    input: &Value,
) -> Result<Value, String> {
    let retriers = state["Retry"].as_array().map_or(&[][..], Vec::as_slice);
    let mut retries = vec![0u32; retriers.len()];
    loop {
        let error = match tasks.run(text(&state["Resource"]), input.clone()).await {
            Ok(output) => return Ok(output),
            Err(error) => error,
        };
        let retrier = retriers.iter().position(|retrier| {
            let errors = retrier["ErrorEquals"].as_array().expect("errors");
            errors.iter().any(|retried| text(retried) == error)
        });
        let Some(at) = retrier else {
            return Err(error);
        };
        let (retrier, retry) = (&retriers[at], retries[at]);
        if u64::from(retry) >= retrier["MaxAttempts"].as_u64().unwrap_or(3) {
            return Err(error);
        }
        retries[at] += 1;
        chance.count("task retried", 1);
        let seconds = retrier["IntervalSeconds"].as_f64().unwrap_or(1.0)
            * retrier["BackoffRate"]
                .as_f64()
                .unwrap_or(2.0)
                .powi(retry as i32);
        let most = retrier["MaxDelaySeconds"].as_f64().unwrap_or(f64::INFINITY);
        let full = Duration::from_secs_f64(seconds.min(most));
        assert_eq!(text(&retrier["JitterStrategy"]), "FULL");
        tokio::time::sleep(chance.up_to_ms(full.as_millis() as u64)).await;
    }
}

fn choose<'a>(state: &'a Value, input: &Value) -> &'a str {
    let choices = state["Choices"].as_array().expect("choices");
    let chosen = choices.iter().find(|choice| {
        let pointer = pointer(text(&choice["Variable"]));
        let expected = choice["IsPresent"].as_bool().expect("IsPresent");
        input.pointer(&pointer).is_some() == expected
    });
    text(chosen.map_or(&state["Default"], |choice| &choice["Next"]))
}

/// Of `$.name.name[0]`, the only form that ours has.
fn pointer(path: &str) -> String {
    let path = path.trim_start_matches('$').replace(['.', '['], "/");
    path.replace(']', "")
}

fn text(value: &Value) -> &str {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no text"))
}

/// What `dispatch` makes of a failed execution.
pub fn fault(error: String) -> Fault {
    match error.as_str() {
        "Malformed" => Fault::Malformed(error),
        "Corrupt" => Fault::Corrupt(error),
        _ => Fault::Transient(error),
    }
}
