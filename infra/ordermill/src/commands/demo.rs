//! `demo`: the whole way of a file, from nothing to balanced books, with what to try next.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use domain::progress::ImportStatus;
use store::imports::Import;

use super::local::{Steps, raise};
use super::{catalog, import, verify};
use crate::cli::{self, Global};
use crate::cloud::Stack;
use crate::local::{Life, Workspace};
use crate::output;
use crate::verify::Books;

const CATALOG: &str = "events/demo-catalog.csv";
const ORDERS: &str = "events/demo-orders.csv";

/// Rejected rows that are shown; the file in the bucket has them all.
const REJECTS_SHOWN: usize = 5;

pub async fn run(global: &Global, options: &cli::Demo) -> Result<bool> {
    let root = Workspace::find()?.root;
    let (stack, emulator) = raise(global, &options.local, Life::WithThisProcess).await?;
    let succeeded = show(global, &stack, &root).await?;
    if !options.exit && emulator.is_some() {
        eprintln!(
            "\nServing at {} until Ctrl-C.",
            stack.cloud.endpoint.as_deref().unwrap_or_default()
        );
        tokio::signal::ctrl_c().await?;
    }
    if let Some(emulator) = emulator {
        emulator.stop().await?;
    }
    Ok(succeeded)
}

async fn show(global: &Global, stack: &Stack, root: &Path) -> Result<bool> {
    let steps = Steps;
    let store = stack.store()?;
    let bytes = std::fs::read(root.join(CATALOG)).with_context(|| format!("reading {CATALOG}"))?;
    let (listings, _) = catalog::read(&bytes, "USD".parse()?)?;
    steps
        .run(
            &format!("loading {CATALOG}"),
            catalog::load(&store, &listings),
        )
        .await?;
    let import = steps
        .run(&format!("importing {ORDERS}"), async {
            let id = import::upload(stack, &root.join(ORDERS)).await?;
            import::wait(&store, &id, Duration::from_secs(300)).await
        })
        .await?;
    let books = Books::load(&store).await?;
    let report = books.verify(jiff::Timestamp::now());
    if global.json {
        output::json(&serde_json::json!({
            "import_id": import.record.import_id, "status": import.status(), "progress": import.progress, "verify": report,
        }))?;
    } else {
        println!(
            "\nWhat became of the {} rows of {ORDERS}:",
            import.progress.rows
        );
        println!("{}", outcomes(&import, &books));
        rejects(stack, &import).await?;
        println!("\nWhether the books balance (`ordermill verify`):");
        verify::show(&report);
        println!("{}", next(&import, &books));
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

async fn rejects(stack: &Stack, import: &Import) -> Result<()> {
    if import.progress.rejected == 0 {
        return Ok(());
    }
    let (bucket, key) = (
        stack.output("FilesBucket")?,
        format!("rejects/{}.csv", import.record.import_id),
    );
    let object = stack
        .cloud
        .s3()
        .get_object()
        .bucket(bucket)
        .key(&key)
        .send()
        .await
        .with_context(|| format!("reading {key}"))?;
    let bytes = object.body.collect().await?.into_bytes();
    let mut reader = csv::Reader::from_reader(bytes.as_ref());
    let mut rows = Vec::new();
    for record in reader.byte_records().take(REJECTS_SHOWN) {
        let record = record?;
        // line, row, code, column, message
        rows.push([0, 2, 4].map(|column| {
            output::plain(&String::from_utf8_lossy(
                record.get(column).unwrap_or_default(),
            ))
        }));
    }
    println!("\nThe first of s3://{bucket}/{key}:");
    println!(
        "{}",
        output::table(&["line", "code", "what is wrong"], &[0], rows)
    );
    Ok(())
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
  cargo run --release -- verify                                  the books, recomputed"
    )
}
