//! Products and their stock. Always `stocked = available + reserved + sold`, in every single write.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::catalog::Policy;
use domain::limits::UNITS_IN_STOCK;
use domain::pricing::Price;
use domain::{Currency, Fault};
use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::catalogs::claim;
use crate::engine::Engine;
use crate::imports::milliseconds;
use crate::item::{item, record, value};
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
    /// What was added by files that are newer than the one that said last what lies there. A file in between that comes
    /// late has not counted it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<Added>,
    /// Who said what it is called and costs after it was listed, without saying what lies there; and when. A file that is
    /// older does not overrule it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub described_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub described_ms: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Added {
    pub uploaded_ms: u64,
    pub units: u64,
    /// What was sold until then. The rest was sold after any count that is older than this.
    pub sold: u64,
}

/// Files that add to one product in a row, and can be overtaken by one that was uploaded before them.
const ADDED_KEPT: usize = 50;

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

/// sold → available: what came back can be sold again. Each product once, however many lines it stands in.
pub(crate) fn restock<'a>(
    back: impl IntoIterator<Item = (&'a str, u32)>,
) -> Result<Vec<Write>, Fault> {
    let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
    for (sku, units) in back {
        *sums.entry(sku).or_default() += u64::from(units);
    }
    let sums = sums.into_iter();
    sums.map(|(sku, units)| shift(sku, "sold", "available", units))
        .collect()
}

fn shift(sku: &str, from: &'static str, to: &'static str, units: u64) -> Result<Write, Fault> {
    let signed = signed(sku, units)?;
    Ok(Write::Update {
        key: Key::new(Table::Products, sku),
        changes: vec![
            Change::Add(from, (-signed).into()),
            Change::Add(to, signed.into()),
        ],
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
    /// With it more would lie in the warehouse than [`UNITS_IN_STOCK`]. The stock stays as it was.
    TooMany,
}

/// What a change of stock comes to.
pub(crate) enum Restocking {
    Write(Write),
    /// So many units would lie in the warehouse.
    TooMany(u64),
}

/// Who says something of a product, and when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Voice<'a> {
    pub by: &'a str,
    pub at_ms: u64,
}

impl Catalog {
    fn voice(&self) -> Voice<'_> {
        Voice {
            by: &self.catalog_id,
            at_ms: milliseconds(self.uploaded_at),
        }
    }
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
                let new = fresh(listing, catalog.voice());
                let Err(found) = self.write(&put(&new)?).await? else {
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
        let voice = catalog.voice();
        loop {
            let write = match self.product(&listing.sku).await? {
                None => put(&fresh(listing, voice))?,
                Some(known) if known.listed_by == catalog.catalog_id => return Ok(Listed::Loaded),
                Some(known) if known.listed_ms >= voice.at_ms => return Ok(Listed::Outdated),
                Some(known) => match count(&known, listing, voice)? {
                    Restocking::Write(write) => write,
                    Restocking::TooMany(_) => return Ok(Listed::TooMany),
                },
            };
            if self.write(&write).await?.is_ok() {
                return Ok(Listed::Loaded);
            }
        }
    }

    /// The file says what came in. That it was added is claimed in the same transaction, so that it counts once; and
    /// what a newer file counted in the warehouse was counted together with it.
    async fn add_stock(&self, listing: &Listing, catalog: &Catalog) -> Result<Listed, Fault> {
        let sku = listing.sku.as_str();
        let voice = catalog.voice();
        let claim = claim(&catalog.catalog_id, sku, catalog.uploaded_at);
        loop {
            let product = match self.product(sku).await? {
                // What came in first was never counted: a file that is older than this one may still say what was there.
                None => put(&ProductRecord {
                    listed_ms: 0,
                    added: vec![Added {
                        uploaded_ms: voice.at_ms,
                        units: listing.stock,
                        sold: 0,
                    }],
                    ..fresh(listing, voice)
                })?,
                Some(known) if known.listed_ms >= voice.at_ms => {
                    return self.unless_claimed(catalog, sku, Listed::Outdated).await;
                }
                Some(known) => match add(&known, listing.stock, voice)? {
                    Restocking::Write(write) => write,
                    Restocking::TooMany(_) => {
                        return self.unless_claimed(catalog, sku, Listed::TooMany).await;
                    }
                },
            };
            match self.transact(&[product, claim.clone()]).await? {
                Ok(()) => return Ok(Listed::Loaded),
                Err(verdicts) if matches!(verdicts[..], [_, Verdict::Condition(_)]) => {
                    return Ok(Listed::Loaded);
                }
                // Stock moved in between: it is looked at again.
                Err(_) => {}
            }
        }
    }

    /// A row that was added before is loaded, whatever holds now.
    async fn unless_claimed(
        &self,
        catalog: &Catalog,
        sku: &str,
        listed: Listed,
    ) -> Result<Listed, Fault> {
        let is_claimed = self.was_claimed(&catalog.catalog_id, sku).await?;
        Ok(if is_claimed { Listed::Loaded } else { listed })
    }
}

/// So many units lie in the warehouse. What came in after that is added, and what the listing says of name and price holds
/// where nobody has said otherwise since.
pub(crate) fn count(
    known: &ProductRecord,
    listing: &Listing,
    voice: Voice<'_>,
) -> Result<Restocking, Fault> {
    let mut added = known.added.clone();
    added.retain(|added| added.uploaded_ms > voice.at_ms);
    let there = added
        .iter()
        .fold(listing.stock, |sum, added| sum.saturating_add(added.units));
    // A count that comes late has counted what went out since.
    let first = added.first().map_or(known.sold, |added| added.sold);
    let there = there.saturating_sub(known.sold.saturating_sub(first));
    if there > UNITS_IN_STOCK {
        return Ok(Restocking::TooMany(there));
    }
    // More may be promised than there is: then nothing is available.
    let available = there.saturating_sub(known.reserved);
    let stocked = available
        .saturating_add(known.reserved)
        .saturating_add(known.sold);
    let mut changes = vec![
        Change::Set("stocked", number(stocked)),
        Change::Set("available", number(available)),
        Change::Set("listed_by", text(voice.by)),
        Change::Set("listed_ms", number(voice.at_ms)),
        Change::Set("added", value(&added)?),
    ];
    if known.described_ms.is_none_or(|at_ms| at_ms <= voice.at_ms) {
        changes.extend(description(listing));
        changes.extend([
            Change::Remove("described_by"),
            Change::Remove("described_ms"),
        ]);
    }
    Ok(Restocking::Write(Write::Update {
        key: Key::new(Table::Products, &known.sku),
        changes,
        condition: Condition::All(vec![unmoved(known), undescribed(known)]),
    }))
}

/// So many units came in. The condition holds the write to the stock that was checked here.
pub(crate) fn add(
    known: &ProductRecord,
    units: u64,
    voice: Voice<'_>,
) -> Result<Restocking, Fault> {
    let there = known.available.saturating_add(known.reserved);
    let there = there.saturating_add(units);
    if there > UNITS_IN_STOCK {
        return Ok(Restocking::TooMany(there));
    }
    let mut all = known.added.clone();
    all.push(Added {
        uploaded_ms: voice.at_ms,
        units,
        sold: known.sold,
    });
    let kept = all.split_off(all.len().saturating_sub(ADDED_KEPT));
    let units = signed(&known.sku, units)?;
    Ok(Restocking::Write(Write::Update {
        key: Key::new(Table::Products, &known.sku),
        changes: vec![
            Change::Add("available", units.into()),
            Change::Add("stocked", units.into()),
            Change::Set("added", value(&kept)?),
        ],
        condition: unmoved(known),
    }))
}

/// What it is called and costs, and nothing of its stock, which may move meanwhile.
pub(crate) fn describe(known: &ProductRecord, listing: &Listing, voice: Voice<'_>) -> Write {
    let mut changes = description(listing).to_vec();
    changes.extend([
        Change::Set("described_by", text(voice.by)),
        Change::Set("described_ms", number(voice.at_ms)),
    ]);
    Write::Update {
        key: Key::new(Table::Products, &known.sku),
        changes,
        condition: undescribed(known),
    }
}

fn description(listing: &Listing) -> [Change; 3] {
    [
        Change::Set("name", text(&listing.name)),
        Change::Set("price", text(listing.price.to_string())),
        Change::Set("currency", text(listing.currency.code())),
    ]
}

/// Nobody has changed its stock since it was read.
fn unmoved(known: &ProductRecord) -> Condition {
    Condition::All(vec![
        Condition::Is("available", number(known.available)),
        Condition::Is("reserved", number(known.reserved)),
        Condition::Is("sold", number(known.sold)),
        Condition::Is("stocked", number(known.stocked)),
        Condition::Is("listed_by", text(&known.listed_by)),
    ])
}

/// Nobody has said since it was read what it is called and costs.
fn undescribed(known: &ProductRecord) -> Condition {
    let described = match &known.described_by {
        Some(by) => Condition::Is("described_by", text(by)),
        None => Condition::Missing("described_by"),
    };
    Condition::All(vec![
        Condition::Is("listed_by", text(&known.listed_by)),
        described,
    ])
}

pub(crate) fn fresh(listing: &Listing, voice: Voice<'_>) -> ProductRecord {
    ProductRecord {
        sku: listing.sku.clone(),
        name: listing.name.clone(),
        price: listing.price,
        currency: listing.currency,
        stocked: listing.stock,
        available: listing.stock,
        reserved: 0,
        sold: 0,
        listed_by: voice.by.to_owned(),
        listed_ms: voice.at_ms,
        added: Vec::new(),
        described_by: None,
        described_ms: None,
    }
}

pub(crate) fn put(product: &ProductRecord) -> Result<Write, Fault> {
    Ok(Write::Put {
        table: Table::Products,
        item: item(product)?,
        condition: Condition::Absent,
    })
}
