//! `imports`: which files came in, and how far they are.

use anyhow::{Result, bail};
use serde_json::{Value, json};
use store::imports::Import;
use store::lists::imports::ImportFilter;
use store::{Engine, Store};

use crate::cli::Global;
use crate::cloud::Stack;
use crate::output;

pub async fn one(global: &Global, stack: &Stack, id: &str) -> Result<bool> {
    let Some(import) = stack.store()?.import(id).await? else {
        bail!("there is no import {}", output::plain(id));
    };
    match global.json {
        true => output::json(&document(&import))?,
        false => outln!("{}", table([&import])),
    }
    Ok(true)
}

pub async fn list(global: &Global, stack: &Stack, limit: u32) -> Result<bool> {
    let (imports, more) = newest(&stack.store()?, limit as usize).await?;
    if global.json {
        let imports: Vec<Value> = imports.iter().map(document).collect();
        output::json(&json!({"imports": imports, "more": more}))?;
    } else if imports.is_empty() {
        outln!("No imports yet. `ordermill import FILE --wait` makes one.");
    } else {
        outln!("{}", table(&imports));
        if more {
            outln!("There are older ones: --limit shows more.");
        }
    }
    Ok(true)
}

/// The newest imports, and whether there are others.
pub async fn newest<E: Engine>(store: &Store<E>, limit: usize) -> Result<(Vec<Import>, bool)> {
    let filter = ImportFilter::default();
    let (mut imports, mut position) = (Vec::new(), None);
    loop {
        let wanted = u32::try_from(limit - imports.len())?;
        let page = store.list_imports(&filter, wanted, position.as_ref());
        let page = page.await?;
        imports.extend(page.items);
        position = page.next;
        if position.is_none() || imports.len() >= limit {
            return Ok((imports, position.is_some()));
        }
    }
}

pub fn table<'a>(imports: impl IntoIterator<Item = &'a Import>) -> comfy_table::Table {
    let header = [
        "import",
        "file",
        "status",
        "rows",
        "completed",
        "failed",
        "duplicates",
        "conflicts",
        "rejected",
        "continued",
        "pending",
        "why",
    ];
    let rows = imports.into_iter().map(|import| {
        let progress = import.progress;
        [
            import.record.import_id.clone(),
            output::plain(import.record.key.trim_start_matches("imports/")),
            import.status().to_string(),
            progress.rows.to_string(),
            progress.completed.to_string(),
            progress.failed.to_string(),
            progress.duplicates.to_string(),
            progress.conflicts.to_string(),
            progress.rejected.to_string(),
            progress.continued.to_string(),
            progress
                .pending()
                .map_or("?".to_owned(), |pending| pending.to_string()),
            output::plain(import.record.reason.as_deref().unwrap_or_default()),
        ]
    });
    output::table(&header, &[3, 4, 5, 6, 7, 8, 9, 10], rows)
}

fn document(import: &Import) -> Value {
    let (record, progress) = (&import.record, import.progress);
    json!({
        "import_id": record.import_id, "file": record.key, "status": import.status(), "reason": record.reason,
        "rows": progress.rows, "rejected": progress.rejected, "continued": progress.continued,
        "duplicates": progress.duplicates, "conflicts": progress.conflicts,
        "completed": progress.completed, "failed": progress.failed, "pending": progress.pending(),
        "created_at": record.created_at, "completed_at": record.completed_at,
    })
}
