//! `catalog`: products, prices and stock.

use anyhow::{Context, Result};
use intake::{CatalogItem, CatalogReader, Reject};
use serde_json::json;
use store::products::{Listing, ProductRecord};
use store::{Engine, Store};

use crate::cli::{Catalog, Global};
use crate::cloud::Stack;
use crate::output;

pub async fn run(global: &Global, stack: &Stack, command: &Catalog) -> Result<bool> {
    let store = stack.store()?;
    match command {
        Catalog::Load { file, currency } => {
            let bytes =
                std::fs::read(file).with_context(|| format!("reading {}", file.display()))?;
            let (listings, rejects) = read(&bytes, *currency)?;
            load(&store, &listings).await?;
            if global.json {
                output::json(&json!({"products": listings.len(), "rejected": rejects.len()}))?;
            } else {
                println!("{} products loaded.", listings.len());
            }
            for reject in &rejects {
                eprintln!(
                    "line {}: {}: {}",
                    reject.line,
                    reject.code.as_str(),
                    output::plain(&reject.message)
                );
            }
            Ok(rejects.is_empty())
        }
        Catalog::List => {
            let mut products: Vec<ProductRecord> = Vec::new();
            store.each_product(|product| products.push(product)).await?;
            products.sort_by(|one, other| one.sku.cmp(&other.sku));
            if global.json {
                output::json(&products)?;
            } else {
                println!("{}", table(&products));
            }
            Ok(true)
        }
    }
}

/// What a catalog file says, and what of it could not be read.
pub fn read(bytes: &[u8], currency: domain::Currency) -> Result<(Vec<Listing>, Vec<Reject>)> {
    let mut reader = CatalogReader::new(currency);
    let mut rows = Vec::new();
    reader.feed(bytes, &mut rows)?;
    reader.finish(&mut rows)?;
    let (mut listings, mut rejects) = (Vec::new(), Vec::new());
    for row in rows {
        match row {
            CatalogItem::Product(item) => {
                listings.push(Listing {
                    sku: item.sku,
                    name: item.name,
                    price: item.price.amount(),
                    currency: item.price.currency(),
                    stock: item.stock,
                });
            }
            CatalogItem::Reject(reject) => rejects.push(reject),
        }
    }
    Ok((listings, rejects))
}

pub async fn load<E: Engine>(store: &Store<E>, listings: &[Listing]) -> Result<()> {
    for listing in listings {
        store.list_product(listing).await?;
    }
    Ok(())
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
