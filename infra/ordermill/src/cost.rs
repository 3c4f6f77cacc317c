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
    /// What the figures leave out, as a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<&'static str>,
}

/// An emulator reports one unit for a read of any size and for a statement of any size.
const EMULATED: &str = "The local stack does not count reads and PartiQL statements as DynamoDB does. \
    The figures leave out read units, and the write units of statements.";

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
                add(&mut total.usage.statement_units, usage.statement_units);
            }
        }
        if stack.cloud.endpoint.is_some() {
            cost.leave_out_emulated();
        }
        Ok(cost)
    }

    /// Keeps only the units that an emulator reports correctly.
    fn leave_out_emulated(&mut self) {
        for FunctionCost { usage, .. } in self.functions.values_mut() {
            usage.read_units.clear();
            for (table, units) in std::mem::take(&mut usage.statement_units) {
                *usage.write_units.entry(table).or_default() -= units;
            }
            usage.write_units.retain(|_, units| *units > 0.0);
        }
        self.note = Some(EMULATED);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_an_emulator_leave_out_reads_and_statements() {
        let units = |units: &[(&str, f64)]| -> BTreeMap<String, f64> {
            let units = units
                .iter()
                .map(|(table, units)| ((*table).to_owned(), *units));
            units.collect()
        };
        let usage = Usage {
            write_units: units(&[("orders", 5.0), ("notifications", 2.0)]),
            read_units: units(&[("orders", 1.0)]),
            statement_units: units(&[("orders", 1.0), ("notifications", 2.0)]),
            ..Usage::default()
        };
        let mut cost = Cost::default();
        let function = FunctionCost {
            invocations: 1,
            usage,
        };
        cost.functions.insert("pay", function);
        cost.leave_out_emulated();
        let pay = &cost.functions["pay"].usage;
        assert_eq!(pay.write_units, units(&[("orders", 4.0)]));
        assert!(pay.read_units.is_empty());
        let report = crate::commands::cost::report(&cost);
        let head = report.lines().find(|line| line.contains("AWS calls"));
        assert!(
            head.is_some_and(|head| !head.contains("read units")),
            "{report}"
        );
        assert!(report.contains(EMULATED), "{report}");
    }
}
