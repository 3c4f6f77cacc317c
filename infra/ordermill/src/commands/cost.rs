//! `cost`: what an import asked of AWS, for each order.

use anyhow::Result;

use crate::cli::Global;
use crate::cloud::Stack;
use crate::cost::Cost;
use crate::output;

pub async fn run(global: &Global, stack: &Stack, import_id: &str) -> Result<bool> {
    let cost = Cost::measure(stack, import_id).await?;
    if global.json {
        output::json(&cost)?;
    } else {
        outln!("{}", report(&cost));
    }
    Ok(true)
}

pub fn report(cost: &Cost) -> String {
    let mut sum = (0, 0, 0.0, 0.0);
    let mut rows = Vec::new();
    for (name, function) in &cost.functions {
        let (calls, writes, reads) = (
            function.calls(),
            function.write_units(),
            function.read_units(),
        );
        sum = (
            sum.0 + function.invocations,
            sum.1 + calls,
            sum.2 + writes,
            sum.3 + reads,
        );
        rows.push([
            (*name).to_owned(),
            function.invocations.to_string(),
            cost.each(calls as f64),
            cost.each(writes),
            cost.each(reads),
        ]);
    }
    rows.push([
        "all".to_owned(),
        sum.0.to_string(),
        cost.each(sum.1 as f64),
        cost.each(sum.2),
        cost.each(sum.3),
    ]);
    let functions = output::table(
        &[
            "function",
            "invocations",
            "AWS calls",
            "write units",
            "read units",
        ],
        &[1, 2, 3, 4],
        rows,
    );
    let rows = cost
        .tables()
        .into_iter()
        .map(|(table, units)| [table.to_owned(), cost.each(units)]);
    let tables = output::table(&["table", "write units"], &[1], rows);
    format!(
        "{} orders. For each order:\n{functions}\n{tables}",
        cost.orders
    )
}
