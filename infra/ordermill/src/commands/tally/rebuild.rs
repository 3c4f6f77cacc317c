//! `tally rebuild`: adds up every figure anew, beside the live ones, and lets the new ones take their place.

use anyhow::Result;
use domain::Fault;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Value, json};
use store::tallies::{Rebuilt, Scope};

use crate::cli::Global;
use crate::cloud::Stack;
use crate::output;

pub async fn run(global: &Global, stack: &Stack, day: Option<Date>) -> Result<bool> {
    let (store, zone) = (stack.store()?, stack.time_zone()?);
    let scope = day.map_or(Scope::Everything, Scope::Day);
    let bar = bar()?;
    let tell = |entries| {
        bar.set_position(entries);
        bar.tick();
    };
    let rebuilt = store.rebuild(scope, &zone, Timestamp::now, tell).await;
    bar.finish_and_clear();
    let rebuilt = rebuilt?;
    match global.json {
        true => output::json(&document(day, &rebuilt))?,
        false => show(day, &rebuilt),
    }
    Ok(rebuilt.wrong.is_empty())
}

/// Nobody knows how many entries there are before the last one is read.
fn bar() -> Result<ProgressBar> {
    let target = match output::watched() {
        true => ProgressDrawTarget::stderr(),
        false => ProgressDrawTarget::hidden(),
    };
    let bar = ProgressBar::with_draw_target(None, target);
    bar.set_style(ProgressStyle::with_template(
        "  {spinner} {pos} entries of the journal, {elapsed}",
    )?);
    Ok(bar)
}

fn show(day: Option<Date>, rebuilt: &Rebuilt) {
    let figures = match day {
        Some(day) => format!("The figures of {day}"),
        None => "All figures".to_owned(),
    };
    let read = rebuilt.entries;
    outln!("{figures} are added up anew, from {read} entries of the journal.");
    if rebuilt.wrong.is_empty() {
        return;
    }
    outln!("{} of them cannot be entered:\n", rebuilt.wrong.len());
    let row = |(entry, fault): &(String, Fault)| {
        [entry, fault.name(), fault.message()].map(output::plain)
    };
    let rows = rebuilt.wrong.iter().map(row);
    outln!(
        "{}",
        output::table(&["entry", "fault", "reason"], &[], rows)
    );
}

fn document(day: Option<Date>, rebuilt: &Rebuilt) -> Value {
    let wrong = rebuilt.wrong.iter().map(
        |(entry, fault)| json!({"entry": entry, "fault": fault.name(), "reason": fault.message()}),
    );
    json!({"day": day, "entries": rebuilt.entries, "wrong": wrong.collect::<Vec<_>>()})
}
