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
    let counted = cost.functions.iter().map(|(name, function)| {
        let invocations = function.invocations;
        let calls = function.calls() as f64;
        let units = [function.write_units(), function.read_units()];
        (*name, invocations, [calls, units[0], units[1]])
    });
    let counted: Vec<_> = counted.collect();
    let sum = |at: usize| counted.iter().map(|(.., figures)| figures[at]).sum::<f64>();
    let invocations = counted.iter().map(|(_, invocations, _)| invocations).sum();
    let all = ("all", invocations, [sum(0), sum(1), sum(2)]);
    let shows_reads = cost.note.is_none();
    let figures = if shows_reads { 3 } else { 2 };
    let rows = counted.iter().chain([&all]).map(|(name, invocations, of)| {
        let each = of[..figures].iter().map(|figure| cost.each(*figure));
        let row = [(*name).to_owned(), invocations.to_string()];
        row.into_iter().chain(each).collect::<Vec<String>>()
    });
    let head = [
        "function",
        "invocations",
        "AWS calls",
        "write units",
        "read units",
    ];
    let numbers: Vec<usize> = (1..2 + figures).collect();
    let functions = output::table(&head[..2 + figures], &numbers, rows);
    let rows = cost
        .tables()
        .into_iter()
        .map(|(table, units)| [table.to_owned(), cost.each(units)]);
    let tables = output::table(&["table", "write units"], &[1], rows);
    let note = cost
        .note
        .map(|note| format!("\n{note}"))
        .unwrap_or_default();
    format!(
        "{} orders. For each order:\n{functions}\n{tables}{note}",
        cost.orders
    )
}
