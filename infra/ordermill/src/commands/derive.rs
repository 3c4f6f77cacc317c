//! `catalog derive`: a catalog that covers a file of orders, so that the file can be tried.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use domain::catalog::check_name;
use domain::order::TotalPolicy;
use domain::{Currency, Money};
use intake::{Reader, Row, Settings};
use rust_decimal::Decimal;
use serde_json::json;

use super::dry_run::each_row;
use crate::cli::{Derive, Global};
use crate::output;

pub fn run(global: &Global, options: &Derive) -> Result<bool> {
    if global.json && options.out.is_none() {
        bail!("with --json, --out has to say where the catalog goes");
    }
    // A product that is sold at several prices is listed at the first one.
    let mut products: BTreeMap<String, (Option<Decimal>, Currency)> = BTreeMap::new();
    let settings = Settings {
        default_currency: options.currency,
        total_policy: TotalPolicy::Declared,
    };
    let mut rejected = 0u64;
    let reader = |content| {
        let mut reader = Reader::new(settings, content);
        reader.keep_product_names();
        reader
    };
    let reader = each_row(&options.orders, reader, |row| {
        let Row::Order { order, .. } = row else {
            rejected += 1;
            return;
        };
        for line in order.lines {
            let stated = order.prices.are_stated().then_some(line.unit_price);
            let known = products.entry(line.sku).or_insert((stated, order.currency));
            known.0 = known.0.or(stated);
        }
    })??;
    let unpriced = products.values().filter(|(price, _)| price.is_none());
    let unpriced = unpriced.count();
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["sku", "name", "price", "stock", "currency"])?;
    let stock = options.stock.to_string();
    for (sku, (stated, currency)) in &products {
        // A name that no catalog may have is no loss.
        let name = reader.product_names().get(sku);
        let name = name.filter(|name| check_name(name).is_ok()).unwrap_or(sku);
        let price = Money::new(stated.unwrap_or(options.price), *currency)?.amount();
        let price = price.to_string();
        writer.write_record([sku, name, price.as_str(), stock.as_str(), currency.code()])?;
    }
    let catalog = writer.into_inner()?;
    match &options.out {
        None => output::bytes(&catalog),
        Some(path) => {
            std::fs::write(path, &catalog).with_context(|| format!("writing {}", path.display()))?
        }
    }
    if global.json {
        output::json(
            &json!({"products": products.len(), "unpriced": unpriced, "rejected": rejected}),
        )?;
    }
    if unpriced > 0 {
        let price = options.price;
        errln!("{unpriced} products have no price in the file; they are listed at {price}.");
    }
    if rejected > 0 {
        errln!("{rejected} rows of the file are no orders; their products may be missing.");
    }
    Ok(true)
}
