//! `demo`: the whole way of a file, from nothing to balanced books, with what to try next.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use domain::catalog::Policy;
use domain::progress::ImportStatus;
use store::imports::Import;

use super::local::{Steps, interrupted, raise};
use super::{catalog, import, rejects, verify};
use crate::cli::{self, Global};
use crate::cloud::Stack;
use crate::exit::Signals;
use crate::local::{Life, Workspace};
use crate::output;
use crate::verify::Books;

const CATALOG: &str = "events/demo-catalog.csv";
const ORDERS: &str = "events/demo-orders.csv";

pub async fn run(global: &Global, options: &cli::Demo) -> Result<bool> {
    let root = Workspace::find()?.root;
    let shown = async {
        let (stack, emulator) = raise(global, &options.local, Life::WithThisProcess).await?;
        let succeeded = show(global, &stack, &root).await?;
        Ok((stack, emulator, succeeded))
    };
    let mut signals = Signals::listen()?;
    let (stack, emulator, succeeded) = signals.cut(shown, interrupted).await?;
    if !options.exit && emulator.is_some() {
        errln!(
            "\nServing at {} until Ctrl-C.",
            stack.cloud.endpoint.as_deref().unwrap_or_default()
        );
        signals.next().await;
    }
    if let Some(emulator) = emulator {
        emulator.stop().await?;
    }
    Ok(succeeded)
}

async fn show(global: &Global, stack: &Stack, root: &Path) -> Result<bool> {
    let steps = Steps;
    let store = stack.store()?;
    let catalog = root.join(CATALOG);
    let load = catalog::load(stack, &catalog, Policy::Set);
    steps.run(&format!("loading {CATALOG}"), load).await?;
    let import = steps
        .run(&format!("importing {ORDERS}"), async {
            let id = import::upload(stack, &root.join(ORDERS)).await?;
            import::wait(&store, &id, Duration::from_secs(300)).await
        })
        .await?;
    let (books, report) = verify::report(stack).await?;
    if global.json {
        output::json(&serde_json::json!({
            "import_id": import.record.import_id, "status": import.status(), "progress": import.progress, "verify": report,
        }))?;
    } else {
        outln!(
            "\nWhat became of the {} rows of {ORDERS}:",
            import.progress.rows
        );
        outln!("{}", outcomes(&import, &books));
        if import.progress.rejected > 0 {
            let record = &import.record;
            outln!(
                "\nWhat was rejected (`ordermill imports rejects {}`):",
                record.import_id
            );
            rejects::show(stack, &record.import_id, &record.bucket).await?;
        }
        outln!("\nWhether the books balance (`ordermill verify`):");
        verify::show(&report);
        outln!("{}", next(&import, &books));
    }
    Ok(report.balanced && import.status() == ImportStatus::Completed)
}

fn outcomes(import: &Import, books: &Books) -> comfy_table::Table {
    let progress = import.progress;
    let mut rows = vec![[
        "completed".to_owned(),
        progress.completed.to_string(),
        "reserved, paid, finalized".to_owned(),
    ]];
    for (reason, count) in books.reasons(&import.record.import_id) {
        let explanation = match reason {
            domain::Reason::OutOfStock => {
                "the stock was not enough; the first orders that fit were served"
            }
            domain::Reason::UnknownProduct => "the catalog has no such product",
            domain::Reason::NoPrice => "the catalog has no price for it in that currency",
            domain::Reason::PaymentDeclined => "the gateway said no; the stock went back",
            domain::Reason::PaymentExpired => "the gateway never said yes; the stock went back",
        };
        rows.push([
            format!("failed: {reason}"),
            count.to_string(),
            explanation.to_owned(),
        ]);
    }
    rows.push([
        "duplicates".to_owned(),
        progress.duplicates.to_string(),
        "the order id was taken: counted, not processed".to_owned(),
    ]);
    rows.push([
        "rejected".to_owned(),
        progress.rejected.to_string(),
        "not an order; the reason of each is kept beside its line".to_owned(),
    ]);
    output::table(&["outcome", "rows", ""], &[1], rows)
}

fn next(import: &Import, books: &Books) -> String {
    let failed = books
        .orders
        .values()
        .filter(|order| order.import_id == import.record.import_id && order.failure.is_some())
        .map(|order| &order.order_id)
        .min();
    let failed = failed.map_or("ORDER", String::as_str);
    format!(
        "\nTry next, in another terminal while this one serves (without --exit):
  cargo run --release -- import {ORDERS} --wait    the same file again: every row a duplicate
  cargo run --release -- order get {failed}                     why one failed
  cargo run --release -- catalog list                            what is left
  cargo run --release -- kpis --hourly                           what was earned, and when
  cargo run --release -- leaderboard customers                   who spent most
  cargo run --release -- verify                                  the books, recomputed"
    )
}
