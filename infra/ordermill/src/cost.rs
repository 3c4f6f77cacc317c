//! What an import asked of AWS, added up from what the functions logged of themselves.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use store::dynamo::Usage;

use crate::cloud::Stack;
use crate::local::FUNCTIONS;

#[derive(Debug, Default, Serialize)]
pub struct Cost {
    pub import_id: String,
    pub orders: u64,
    pub functions: BTreeMap<&'static str, FunctionCost>,
}

#[derive(Debug, Default, Serialize)]
pub struct FunctionCost {
    pub invocations: u64,
    #[serde(flatten)]
    pub usage: Usage,
}

impl FunctionCost {
    pub fn calls(&self) -> u64 {
        self.usage.calls.values().sum()
    }

    pub fn write_units(&self) -> f64 {
        self.usage.write_units.values().sum()
    }

    pub fn read_units(&self) -> f64 {
        self.usage.read_units.values().sum()
    }
}

impl Cost {
    /// Everything that the functions of the stack did since the import began.
    pub async fn measure(stack: &Stack, import_id: &str) -> Result<Cost> {
        let import = stack
            .store()?
            .import(import_id)
            .await?
            .with_context(|| format!("there is no import {import_id}"))?;
        let orders = import.progress.rows - import.progress.rejected;
        let mut cost = Cost {
            import_id: import_id.to_owned(),
            orders,
            ..Cost::default()
        };
        for function in FUNCTIONS {
            let since = import.record.created_at.as_millisecond();
            let total = cost.functions.entry(function).or_default();
            for usage in logged(stack, function, since)
                .await
                .with_context(|| format!("reading the log of {function}"))?
            {
                total.invocations += 1;
                add(&mut total.usage.calls, usage.calls);
                add(&mut total.usage.write_units, usage.write_units);
                add(&mut total.usage.read_units, usage.read_units);
            }
        }
        Ok(cost)
    }

    /// An amount for each order, as people read it.
    pub fn each(&self, amount: f64) -> String {
        // The sum of no floats is minus zero.
        format!("{:.3}", amount / self.orders.max(1) as f64 + 0.0)
    }

    /// Write units by table, and by `table/index`.
    pub fn tables(&self) -> BTreeMap<&str, f64> {
        let mut tables = BTreeMap::new();
        for (table, units) in self
            .functions
            .values()
            .flat_map(|function| &function.usage.write_units)
        {
            *tables.entry(table.as_str()).or_default() += units;
        }
        tables
    }
}

/// What each invocation of a function asked of AWS, since then.
pub async fn logged(stack: &Stack, function: &str, since_ms: i64) -> Result<Vec<Usage>> {
    #[derive(Deserialize)]
    struct Line {
        message: String,
        usage: Option<String>,
    }
    let group = format!("/aws/lambda/{}-{function}", stack.name);
    let client = aws_sdk_cloudwatchlogs::Client::new(&stack.cloud.aws);
    let mut found = Vec::new();
    let mut token = None;
    loop {
        let request = client
            .filter_log_events()
            .log_group_name(&group)
            .start_time(since_ms)
            .filter_pattern("usage");
        let page = match request.set_next_token(token).send().await {
            Ok(page) => page,
            // A function that never ran has logged nothing yet.
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_resource_not_found_exception()) =>
            {
                return Ok(found);
            }
            Err(error) => return Err(error.into()),
        };
        for message in page
            .events
            .unwrap_or_default()
            .into_iter()
            .filter_map(|event| event.message)
        {
            let line = serde_json::from_str::<Line>(&message)
                .ok()
                .filter(|line| line.message == "used");
            if let Some(usage) = line.and_then(|line| line.usage) {
                found.push(serde_json::from_str(&usage)?);
            }
        }
        token = page.next_token;
        if token.is_none() {
            return Ok(found);
        }
    }
}

fn add<T: std::ops::AddAssign + Default>(
    sums: &mut BTreeMap<String, T>,
    more: BTreeMap<String, T>,
) {
    for (name, amount) in more {
        *sums.entry(name).or_default() += amount;
    }
}
