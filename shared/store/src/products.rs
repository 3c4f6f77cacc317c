//! Products and their stock. Always `stocked = available + reserved + sold`, in every single write.

use std::collections::{BTreeSet, HashMap};

use domain::catalog::Policy;
use domain::pricing::Price;
use domain::{Currency, Fault};
use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::catalogs::claim;
use crate::engine::Engine;
use crate::imports::milliseconds;
use crate::item::{item, record};
use crate::ops::{Change, Condition, Item, Key, Verdict, Write, number, text};
use crate::retry::Store;
use crate::schema::Table;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProductRecord {
    pub sku: String,
    pub name: String,
    pub price: Decimal,
    pub currency: Currency,
    pub stocked: u64,
    pub available: u64,
    pub reserved: u64,
    pub sold: u64,
    /// Which catalog file made this product, or said last what lies in the warehouse.
    pub listed_by: String,
    /// The instant of its upload, in milliseconds: an older file does not overrule it.
    pub listed_ms: u64,
}

impl ProductRecord {
    pub fn read(item: Item) -> Result<ProductRecord, Fault> {
        record(item)
    }
}

/// available → reserved, if there is enough.
pub fn take(sku: &str, units: u64) -> Result<Write, Fault> {
    shift(sku, "available", "reserved", units)
}

/// reserved → sold.
pub fn sell(sku: &str, units: u64) -> Result<Write, Fault> {
    shift(sku, "reserved", "sold", units)
}

/// reserved → available.
pub fn release(sku: &str, units: u64) -> Result<Write, Fault> {
    shift(sku, "reserved", "available", units)
}

fn shift(sku: &str, from: &'static str, to: &'static str, units: u64) -> Result<Write, Fault> {
    let signed = signed(sku, units)?;
    Ok(Write::Update {
        key: Key::new(Table::Products, sku),
        changes: vec![Change::Add(from, -signed), Change::Add(to, signed)],
        condition: Condition::AtLeast(from, units),
    })
}

fn signed(sku: &str, units: u64) -> Result<i64, Fault> {
    i64::try_from(units)
        .map_err(|_| Fault::Malformed(format!("{units} units of {sku} are too many")))
}

/// What a catalog says of a product.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing {
    pub sku: String,
    pub name: String,
    pub price: Decimal,
    pub currency: Currency,
    pub stock: u64,
}

/// The catalog file that says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalog {
    pub catalog_id: String,
    pub uploaded_at: Timestamp,
    pub policy: Policy,
}

/// What became of a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listed {
    /// It holds, by this call or by an earlier one.
    Loaded,
    /// The product is known, and was to be left as it is.
    Skipped,
    /// A newer file said otherwise already.
    Outdated,
}

impl<E: Engine> Store<E> {
    pub async fn product(&self, sku: &str) -> Result<Option<ProductRecord>, Fault> {
        self.get(&Key::new(Table::Products, sku))
            .await?
            .map(record)
            .transpose()
    }

    /// What the catalog asks for these products. A read that may lag behind is cheap; what it does not find is looked
    /// for again, by one that does not.
    pub async fn prices(&self, skus: &BTreeSet<&str>) -> Result<HashMap<String, Price>, Fault> {
        let keys: Vec<Key> = skus
            .iter()
            .map(|sku| Key::new(Table::Products, sku))
            .collect();
        let mut prices = HashMap::new();
        for (key, found) in keys.iter().zip(self.get_many(&keys).await?) {
            let found = match found {
                Some(item) => Some(record(item)?),
                None => self.product(&key.partition).await?,
            };
            if let Some(ProductRecord {
                sku,
                price,
                currency,
                ..
            }) = found
            {
                let amount = price;
                prices.insert(sku, Price { amount, currency });
            }
        }
        Ok(prices)
    }

    pub async fn each_product(&self, mut each: impl FnMut(ProductRecord)) -> Result<(), Fault> {
        self.scan_all(Table::Products, |item| record(item).map(&mut each))
            .await
    }

    /// Makes a product what a catalog file says, once, however often it is asked to.
    pub async fn list_product(
        &self,
        listing: &Listing,
        catalog: &Catalog,
    ) -> Result<Listed, Fault> {
        match catalog.policy {
            Policy::Set => self.set_stock(listing, catalog).await,
            Policy::Add => self.add_stock(listing, catalog).await,
            Policy::Skip => {
                let Err(found) = self.write(&put(&fresh(listing, catalog))?).await? else {
                    return Ok(Listed::Loaded);
                };
                let known: Option<ProductRecord> = found.map(record).transpose()?;
                let own = known.is_some_and(|known| known.listed_by == catalog.catalog_id);
                Ok(if own { Listed::Loaded } else { Listed::Skipped })
            }
        }
    }

    /// The file says what lies in the warehouse. Of that, what is reserved stays reserved, and the rest can be sold. A
    /// reservation that comes in between is seen by the condition, and the sum is made again.
    async fn set_stock(&self, listing: &Listing, catalog: &Catalog) -> Result<Listed, Fault> {
        loop {
            let Some(known) = self.product(&listing.sku).await? else {
                if self.write(&put(&fresh(listing, catalog))?).await?.is_ok() {
                    return Ok(Listed::Loaded);
                }
                continue;
            };
            if known.listed_by == catalog.catalog_id {
                return Ok(Listed::Loaded);
            }
            if known.listed_ms >= milliseconds(catalog.uploaded_at) {
                return Ok(Listed::Outdated);
            }
            // More may be promised than there is: then nothing is available.
            let available = listing.stock.saturating_sub(known.reserved);
            let stocked = available
                .saturating_add(known.reserved)
                .saturating_add(known.sold);
            let write = Write::Update {
                key: Key::new(Table::Products, &listing.sku),
                changes: vec![
                    Change::Set("name", text(&listing.name)),
                    Change::Set("price", text(listing.price.to_string())),
                    Change::Set("currency", text(listing.currency.code())),
                    Change::Set("stocked", number(stocked)),
                    Change::Set("available", number(available)),
                    Change::Set("listed_by", text(&catalog.catalog_id)),
                    Change::Set("listed_ms", number(milliseconds(catalog.uploaded_at))),
                ],
                condition: Condition::All(vec![
                    Condition::Is("available", number(known.available)),
                    Condition::Is("reserved", number(known.reserved)),
                    Condition::Is("sold", number(known.sold)),
                    Condition::Is("listed_by", text(known.listed_by)),
                ]),
            };
            if self.write(&write).await?.is_ok() {
                return Ok(Listed::Loaded);
            }
        }
    }

    /// The file says what came in. That it was added is claimed in the same transaction, so that it counts once; and
    /// what a newer file counted in the warehouse was counted together with it.
    async fn add_stock(&self, listing: &Listing, catalog: &Catalog) -> Result<Listed, Fault> {
        let (sku, units) = (listing.sku.as_str(), signed(&listing.sku, listing.stock)?);
        let claim = claim(&catalog.catalog_id, sku, catalog.uploaded_at);
        let add = Write::Update {
            key: Key::new(Table::Products, sku),
            changes: vec![
                Change::Add("available", units),
                Change::Add("stocked", units),
            ],
            condition: Condition::Below("listed_ms", milliseconds(catalog.uploaded_at)),
        };
        // What came in first was never counted: files that are older than this one may add to it.
        let new = put(&ProductRecord {
            listed_ms: 0,
            ..fresh(listing, catalog)
        })?;
        let mut product = add.clone();
        loop {
            let Err(verdicts) = self.transact(&[product, claim.clone()]).await? else {
                return Ok(Listed::Loaded);
            };
            product = match verdicts.as_slice() {
                [_, Verdict::Condition(_)] => return Ok(Listed::Loaded),
                [Verdict::Condition(None), _] => new.clone(),
                [Verdict::Condition(Some(item)), _] => {
                    let known: ProductRecord = record(item.clone())?;
                    if known.listed_ms >= milliseconds(catalog.uploaded_at) {
                        return Ok(Listed::Outdated);
                    }
                    add.clone()
                }
                _ => add.clone(),
            };
        }
    }
}

fn fresh(listing: &Listing, catalog: &Catalog) -> ProductRecord {
    ProductRecord {
        sku: listing.sku.clone(),
        name: listing.name.clone(),
        price: listing.price,
        currency: listing.currency,
        stocked: listing.stock,
        available: listing.stock,
        reserved: 0,
        sold: 0,
        listed_by: catalog.catalog_id.clone(),
        listed_ms: milliseconds(catalog.uploaded_at),
    }
}

fn put(product: &ProductRecord) -> Result<Write, Fault> {
    Ok(Write::Put {
        table: Table::Products,
        item: item(product)?,
        condition: Condition::Absent,
    })
}
