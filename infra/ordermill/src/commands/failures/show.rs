//! `failures show`: one failure, its message, and how far the orders in it are, or which entry of the journal it is about.

use anyhow::{Result, bail};
use domain::limits::KEY_BYTES;
use domain::{Batch, Order};
use serde_json::{Value, json};
use store::Store;
use store::dynamo::DynamoEngine;
use store::failures::FailureRecord;
use store::orders::OrderRecord;

use super::entry;
use crate::cli::Global;
use crate::cloud::Stack;
use crate::output;

pub async fn run(global: &Global, stack: &Stack, id: &str) -> Result<bool> {
    let store = stack.store()?;
    let Some(failure) = store.failure(id).await? else {
        bail!("there is no failure {}", output::plain(id));
    };
    // Whatever it is: a queue takes anything, and what is no batch has no orders.
    let batch: Option<Batch> = serde_json::from_str(&failure.payload).ok();
    let orders = match &batch {
        Some(batch) => orders(&store, batch).await?,
        None => Vec::new(),
    };
    let entry = entry::of(&store, &failure).await;
    let import_id = batch.map(|batch| batch.import_id).unwrap_or_default();
    if global.json {
        let orders: Vec<Value> = orders
            .iter()
            .map(|(order, found)| document(&import_id, order, found.as_ref()))
            .collect();
        output::json(&json!({
            "failure": failure.listed, "decided_by": failure.decided_by, "group": failure.group, "payload": failure.payload, "orders": orders,
            "entry": entry.as_ref().map(entry::Named::document),
        }))?;
        return Ok(true);
    }
    outln!("{}", table(&failure));
    if !orders.is_empty() {
        let rows = orders.iter().map(|(order, found)| {
            let order_id = output::plain(&order.order_id);
            let status = status(&import_id, order, found.as_ref());
            [order_id, order.row.to_string(), output::plain(&status)]
        });
        outln!("\n{}", output::table(&["order", "row", "now"], &[1], rows));
    }
    if let Some(entry) = &entry {
        outln!("\n{}", entry.table());
    }
    outln!("\nThe message:\n\n{}", readable(&failure.payload));
    Ok(true)
}

/// Each order of a batch, and what is on record under its id. Repeats of an order id are looked up once.
async fn orders(
    store: &Store<DynamoEngine>,
    batch: &Batch,
) -> Result<Vec<(Order, Option<OrderRecord>)>> {
    let mut ids: Vec<String> = batch
        .orders
        .iter()
        .map(|order| order.order_id.clone())
        .filter(|id| (1..=KEY_BYTES).contains(&id.len()))
        .collect();
    ids.sort();
    ids.dedup();
    let found = store.orders(&ids).await?;
    let of = |order: &Order| {
        let at = ids.binary_search(&order.order_id).ok()?;
        found.get(at)?.clone()
    };
    Ok(batch
        .orders
        .iter()
        .map(|order| (order.clone(), of(order)))
        .collect())
}

fn is_of_this_row(import_id: &str, order: &Order, found: &OrderRecord) -> bool {
    found.import_id == import_id && found.row == order.row
}

fn status(import_id: &str, order: &Order, found: Option<&OrderRecord>) -> String {
    let Some(found) = found else {
        return "not on record".to_owned();
    };
    let failure = found.failure.map(|reason| format!(", {reason}"));
    let status = format!("{}{}", found.status, failure.unwrap_or_default());
    if is_of_this_row(import_id, order, found) {
        status
    } else {
        let repeat = match is_duplicate(order, found) {
            true => "duplicate of",
            false => "conflict with",
        };
        format!(
            "{repeat} row {} of {}: {status}",
            found.row, found.import_id
        )
    }
}

fn document(import_id: &str, order: &Order, found: Option<&OrderRecord>) -> Value {
    json!({
        "order_id": order.order_id, "row": order.row,
        "status": found.map(|found| found.status), "failure": found.and_then(|found| found.failure),
        "duplicate": found.map(|found| !is_of_this_row(import_id, order, found) && is_duplicate(order, found)),
        "conflict": found.map(|found| !is_of_this_row(import_id, order, found) && !is_duplicate(order, found)),
    })
}

fn is_duplicate(order: &Order, found: &OrderRecord) -> bool {
    order.repeats(
        &found.customer_id,
        found.currency,
        found.total,
        &found.lines,
    )
}

fn table(failure: &FailureRecord) -> comfy_table::Table {
    let listed = &failure.listed;
    let mut rows = vec![
        ["failure", &listed.failure_id].map(str::to_owned),
        ["queue", &listed.queue].map(str::to_owned),
        [
            "state".to_owned(),
            format!("{} since {}", listed.state, listed.since()),
        ],
        ["fault", &listed.fault].map(str::to_owned),
        ["reason", &listed.reason].map(str::to_owned),
        ["attempts".to_owned(), listed.attempts.to_string()],
        ["first put aside".to_owned(), listed.first_at.to_string()],
        ["last put aside".to_owned(), listed.buried_at.to_string()],
    ];
    let instants = [
        ("last retried", listed.retried_at),
        ("discarded", listed.discarded_at),
    ];
    for (name, instant) in instants {
        rows.extend(instant.map(|instant| [name.to_owned(), instant.to_string()]));
    }
    let texts = [
        ("decided by", &failure.decided_by),
        ("group", &failure.group),
    ];
    for (name, text) in texts {
        rows.extend(text.clone().map(|text| [name.to_owned(), text]));
    }
    let rows = rows
        .into_iter()
        .map(|[name, value]| [name, output::plain(&value)]);
    output::table(&["", ""], &[], rows)
}

/// A document with a line for each of its fields, or whatever text it is, line by line.
fn readable(payload: &str) -> String {
    let pretty = serde_json::from_str::<Value>(payload)
        .ok()
        .and_then(|document| serde_json::to_string_pretty(&document).ok());
    let lines = pretty.as_deref().unwrap_or(payload).lines();
    lines.map(output::plain).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_shown_and_does_nothing() {
        assert_eq!(
            readable(r#"{"a":[1],"b":"\u001b[1m"}"#),
            "{\n  \"a\": [\n    1\n  ],\n  \"b\": \"\\u001b[1m\"\n}"
        );
        assert_eq!(
            readable("not a\u{1b}[2J batch\nat all"),
            "not a·[2J batch\nat all"
        );
        assert_eq!(readable(""), "");
    }
}
