//! `down`: stops a local stack, after saying what is lost with it.

use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::{Map, Value, json};
use store::schema::Table;

use crate::cli::Global;
use crate::cloud::{Cloud, Stack};
use crate::local::{self, Records, Running, Workspace};
use crate::output;

/// How long the emulator may take to say what it holds.
const PATIENCE: Duration = Duration::from_secs(20);

/// What people would miss, as it is called in a list.
const KEPT: [(Table, &str); 9] = [
    (Table::Imports, "imports"),
    (Table::Orders, "orders"),
    (Table::Refunds, "refunds"),
    (Table::Products, "products"),
    (Table::Customers, "customers"),
    (Table::Notifications, "notifications"),
    (Table::Failures, "failed messages"),
    (Table::Suppressions, "suppressed addresses"),
    (Table::Tokens, "tokens"),
];

/// What a stack holds, by table.
struct Held {
    stack: String,
    counts: Vec<(&'static str, u64)>,
}

pub async fn run(global: &Global) -> Result<bool> {
    let Some(running) = which()? else {
        return said(global, false, &[], &nothing());
    };
    if !running.is_alive() {
        running.remove();
        let what = "It was not running any more, and its record is removed.";
        return said(global, false, &[], what);
    }
    let held = held(&running).await;
    if !global.yes && held.as_ref().is_none_or(|held| !held.is_empty()) {
        output::ask(&question(&running, held.as_deref()), "--yes stops it.")?;
    }
    running.end();
    local::gone(&running).await?;
    running.remove();
    said(
        global,
        true,
        held.as_deref().unwrap_or_default(),
        "Stopped.",
    )
}

/// The stack of this checkout. Outside of all checkouts, the only one there is.
fn which() -> Result<Option<Running>> {
    if let Ok(here) = Workspace::find() {
        return Ok(Running::of(&here.root));
    }
    let mut records = Records::read().running;
    match (records.pop(), &records[..]) {
        (only, []) => Ok(only),
        _ => bail!("there are several local stacks: run this in the folder of one of them"),
    }
}

/// What to say where there is no record, and where another checkout has a stack.
fn nothing() -> String {
    let records = Records::read().running;
    match records.iter().find(|running| running.is_alive()) {
        None => "Nothing was running.".to_owned(),
        Some(other) => format!(
            "Nothing of this checkout was running. The stack at {} is stopped in {}.",
            other.endpoint,
            output::plain(&other.checkout.to_string_lossy())
        ),
    }
}

/// Nothing where the emulator does not say.
async fn held(running: &Running) -> Option<Vec<Held>> {
    let asked = async {
        let cloud = Cloud::at(&running.endpoint).await;
        let mut held = Vec::new();
        for stack in cloud.stacks().await? {
            let counts = counts(&stack).await?;
            if !counts.is_empty() {
                held.push(Held {
                    stack: stack.name,
                    counts,
                });
            }
        }
        Ok::<_, anyhow::Error>(held)
    };
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(held)) => Some(held),
        _ => None,
    }
}

/// Of a stack that is not of this project, nothing.
async fn counts(stack: &Stack) -> Result<Vec<(&'static str, u64)>> {
    let client = aws_sdk_dynamodb::Client::new(&stack.cloud.aws);
    let mut counts = Vec::new();
    for (table, what) in KEPT {
        let Some(name) = stack.table(table) else {
            continue;
        };
        let described = client.describe_table().table_name(name).send().await?;
        let items = described.table.and_then(|table| table.item_count);
        let items = u64::try_from(items.unwrap_or_default())?;
        if items > 0 {
            counts.push((what, items));
        }
    }
    Ok(counts)
}

fn question(running: &Running, held: Option<&[Held]>) -> String {
    let place = format!(
        "The local stack at {} ({})",
        running.endpoint,
        output::plain(&running.checkout.to_string_lossy())
    );
    let Some(held) = held else {
        return format!("{place} does not say what it holds, and all of it is lost. Stop it?");
    };
    let mut lines = vec![format!("{place} holds, and loses:")];
    for of in held {
        if held.len() > 1 {
            lines.push(format!("  {}", output::plain(&of.stack)));
        }
        lines.extend(
            of.counts
                .iter()
                .map(|(what, count)| format!("  {count:>9} {what}")),
        );
    }
    lines.push("Stop it?".to_owned());
    lines.join("\n")
}

fn said(global: &Global, stopped: bool, lost: &[Held], what: &str) -> Result<bool> {
    if !global.json {
        outln!("{what}");
        return Ok(true);
    }
    let lost = lost.iter().map(|held| {
        let counts = held.counts.iter();
        let counts = counts.map(|(what, count)| (what.replace(' ', "_"), json!(count)));
        (held.stack.clone(), counts.collect::<Map<_, _>>().into())
    });
    let lost: Map<String, Value> = lost.collect();
    output::json(&json!({"stopped": stopped, "lost": lost}))?;
    Ok(true)
}
