//! `imports`: which files came in, and how far they are.

use anyhow::{Result, bail};
use serde_json::{Value, json};
use store::imports::Import;

use crate::cli::Global;
use crate::cloud::Stack;
use crate::output;

pub async fn run(global: &Global, stack: &Stack, id: Option<&str>) -> Result<bool> {
    let store = stack.store()?;
    let ids = match id {
        Some(id) => vec![id.to_owned()],
        None => {
            let mut records = Vec::new();
            store.each_import(|record| records.push(record)).await?;
            records.sort_by_key(|record| std::cmp::Reverse(record.created_at));
            records.into_iter().map(|record| record.import_id).collect()
        }
    };
    let mut imports = Vec::new();
    for id in &ids {
        match store.import(id).await? {
            Some(import) => imports.push(import),
            None => bail!("there is no import {}", output::plain(id)),
        }
    }
    match (global.json, id) {
        (true, Some(_)) => output::json(&imports.first().map(document))?,
        (true, None) => output::json(&imports.iter().map(document).collect::<Vec<_>>())?,
        (false, _) if imports.is_empty() => {
            println!("No imports yet. `ordermill import FILE --wait` makes one.")
        }
        (false, _) => println!("{}", table(&imports)),
    }
    Ok(true)
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
            progress.rejected.to_string(),
            progress.continued.to_string(),
            progress
                .pending()
                .map_or("?".to_owned(), |pending| pending.to_string()),
            output::plain(import.record.reason.as_deref().unwrap_or_default()),
        ]
    });
    output::table(&header, &[3, 4, 5, 6, 7, 8, 9], rows)
}

fn document(import: &Import) -> Value {
    let (record, progress) = (&import.record, import.progress);
    json!({
        "import_id": record.import_id, "file": record.key, "status": import.status(), "reason": record.reason,
        "rows": progress.rows, "rejected": progress.rejected, "continued": progress.continued,
        "duplicates": progress.duplicates,
        "completed": progress.completed, "failed": progress.failed, "pending": progress.pending(),
        "created_at": record.created_at, "completed_at": record.completed_at,
    })
}
