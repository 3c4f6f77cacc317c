//! `imports conflicts`: rows that state other content than the existing order under their order id.

use anyhow::{Result, bail};
use api::views::{Conflict, OrderContent};
use store::conflicts::ListedConflict;
use store::{Engine, Store};

use crate::cli::Global;
use crate::cloud::Stack;
use crate::output;

/// Conflicts that are shown to people. `--json` has them all.
const SHOWN: usize = 40;

pub async fn run(global: &Global, stack: &Stack, id: &str) -> Result<bool> {
    let store = stack.store()?;
    if store.import(id).await?.is_none() {
        bail!("there is no import {}", output::plain(id));
    }
    let conflicts = all(&store, id).await?;
    if global.json {
        output::json(&conflicts)?;
    } else if conflicts.is_empty() {
        outln!("No conflicts: no row states other content than an existing order.");
    } else {
        outln!("{}", table(&conflicts));
        if conflicts.len() > SHOWN {
            outln!(
                "and {} more: --json shows all of them",
                conflicts.len() - SHOWN
            );
        }
        outln!("The existing orders stay as they are. To order again, use new order ids.");
    }
    Ok(true)
}

async fn all<E: Engine>(store: &Store<E>, id: &str) -> Result<Vec<Conflict>> {
    let (mut conflicts, mut position) = (Vec::new(), None);
    loop {
        let page = store.list_conflicts(id, 100, position.as_ref()).await?;
        conflicts.extend(
            page.items
                .iter()
                .map(|listed: &ListedConflict| Conflict::from(listed)),
        );
        position = page.next;
        if position.is_none() {
            return Ok(conflicts);
        }
    }
}

fn table(conflicts: &[Conflict]) -> comfy_table::Table {
    let rows = conflicts.iter().take(SHOWN).map(|conflict| {
        let existing = conflict.existing.as_ref();
        let told = |content: &OrderContent| {
            let parts = conflict.differs.iter().map(|part| told(content, part));
            output::plain(&parts.collect::<Vec<_>>().join("; "))
        };
        [
            conflict.row.to_string(),
            output::plain(&conflict.order_id),
            conflict.differs.join(", "),
            told(&conflict.stated),
            existing.map_or(String::new(), |existing| told(&existing.content)),
            existing.map_or(String::new(), |existing| {
                format!("{}, row {}", existing.import_id, existing.row)
            }),
        ]
    });
    let header = [
        "row",
        "order",
        "differs",
        "the row states",
        "the existing order has",
        "existing order from",
    ];
    output::narrow(output::table(&header, &[0], rows))
}

fn told(content: &OrderContent, part: &str) -> String {
    match part {
        "customer_id" => content.customer_id.clone(),
        "currency" => content.currency.to_string(),
        "total" => content.total.clone().unwrap_or_default(),
        _ => {
            let lines = content.lines.iter().map(|line| {
                let price = line.unit_price.as_ref();
                let price = price.map_or(String::new(), |price| format!(" at {price}"));
                format!("{} x {}{price}", line.quantity, line.sku)
            });
            lines.collect::<Vec<_>>().join(", ")
        }
    }
}
