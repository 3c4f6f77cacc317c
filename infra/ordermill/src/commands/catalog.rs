//! `catalog`: products, prices and stock.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use domain::catalog::Policy;
use domain::ids;
use serde_json::json;
use store::catalogs::CatalogRecord;
use store::products::ProductRecord;

use super::{import, rejects};
use crate::cli::{Catalog, Global};
use crate::cloud::Stack;
use crate::output;

/// The longest that the function may run, and a while for a second one.
const PATIENCE: Duration = Duration::from_secs(1200);

pub async fn run(global: &Global, stack: &Stack, command: &Catalog) -> Result<bool> {
    match command {
        Catalog::Load { file, policy } => {
            let loaded = load(stack, file, *policy).await?;
            if global.json {
                output::json(&document(&loaded))?;
            } else {
                outln!("{}", said(&loaded));
                if loaded.rejected > 0 {
                    rejects::show(stack, &loaded.catalog_id, &loaded.bucket).await?;
                }
            }
            Ok(loaded.reason.is_none() && loaded.rejected == 0)
        }
        Catalog::List => {
            let mut products: Vec<ProductRecord> = Vec::new();
            let store = stack.store()?;
            store.each_product(|product| products.push(product)).await?;
            products.sort_by(|one, other| one.sku.cmp(&other.sku));
            if global.json {
                output::json(&products)?;
            } else {
                outln!("{}", table(&products));
            }
            Ok(true)
        }
        // Needs no stack.
        Catalog::Derive(_) => bail!("a catalog is derived without a stack"),
    }
}

/// Uploads a catalog file, and waits until the function has loaded it.
pub async fn load(stack: &Stack, file: &Path, policy: Policy) -> Result<CatalogRecord> {
    let key = policy.key(import::file_name(file)?);
    let version = import::put(stack, file, &key).await?;
    let catalog_id = ids::catalog_id(stack.output("FilesBucket")?, &key, &version);
    let store = stack.store()?;
    let started = Instant::now();
    loop {
        match store.catalog(&catalog_id).await? {
            Some(record) if record.is_over() => return Ok(record),
            _ if started.elapsed() > PATIENCE => {
                let waited = PATIENCE.as_secs();
                bail!("catalog {catalog_id} is not loaded after {waited} seconds")
            }
            _ => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

fn document(loaded: &CatalogRecord) -> serde_json::Value {
    json!({
        "catalog_id": loaded.catalog_id, "status": loaded.status(), "policy": loaded.policy,
        "rows": loaded.rows, "loaded": loaded.loaded, "skipped": loaded.skipped,
        "outdated": loaded.outdated, "rejected": loaded.rejected, "reason": loaded.reason,
    })
}

fn said(loaded: &CatalogRecord) -> String {
    let counts = [
        (loaded.loaded, "loaded"),
        (loaded.skipped, "skipped, for they are known"),
        (loaded.outdated, "left, for a newer file listed them"),
        (loaded.rejected, "rejected"),
    ];
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    let counts: Vec<String> = counts
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    let mut said = format!("{}: {}", loaded.catalog_id, loaded.status());
    if let Some(reason) = &loaded.reason {
        said.push_str(&format!(": {}", output::plain(reason)));
    }
    if loaded.reason.is_none() || loaded.rows > 0 {
        said.push_str(&format!(". {} products read: ", loaded.rows));
        said.push_str(&counts.join(", "));
    }
    said
}

fn table(products: &[ProductRecord]) -> comfy_table::Table {
    let rows = products.iter().map(|product| {
        [
            output::plain(&product.sku),
            output::plain(&product.name),
            format!("{} {}", product.price, product.currency),
            product.stocked.to_string(),
            product.available.to_string(),
            product.reserved.to_string(),
            product.sold.to_string(),
        ]
    });
    output::table(
        &[
            "sku",
            "name",
            "price",
            "stocked",
            "available",
            "reserved",
            "sold",
        ],
        &[2, 3, 4, 5, 6],
        rows,
    )
}
