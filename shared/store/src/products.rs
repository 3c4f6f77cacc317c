//! Products and their stock. Always `stocked = available + reserved + sold`, in every single write.

use domain::{Currency, Fault};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::engine::Engine;
use crate::item::{item, record};
use crate::ops::{Change, Condition, Item, Key, Write, number, text};
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
    let signed = i64::try_from(units)
        .map_err(|_| Fault::Malformed(format!("{units} units of {sku} are too many")))?;
    Ok(Write::Update {
        key: Key::new(Table::Products, sku),
        changes: vec![Change::Add(from, -signed), Change::Add(to, signed)],
        condition: Condition::AtLeast(from, units),
    })
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

impl<E: Engine> Store<E> {
    pub async fn product(&self, sku: &str) -> Result<Option<ProductRecord>, Fault> {
        self.get(&Key::new(Table::Products, sku))
            .await?
            .map(record)
            .transpose()
    }

    pub async fn each_product(&self, mut each: impl FnMut(ProductRecord)) -> Result<(), Fault> {
        self.scan_all(Table::Products, |item| record(item).map(&mut each))
            .await
    }

    /// Makes the stock of a product what the catalog says: what lies in the warehouse now. Of that, what is reserved
    /// stays reserved, and the rest can be sold. A reservation that comes in between is seen by the condition, and the
    /// sum is made again.
    pub async fn list_product(&self, listing: &Listing) -> Result<ProductRecord, Fault> {
        loop {
            let known = self.product(&listing.sku).await?;
            let (reserved, sold) = known
                .as_ref()
                .map_or((0, 0), |known| (known.reserved, known.sold));
            // More is promised than there is: then nothing is available.
            let available = listing.stock.saturating_sub(reserved);
            let record = ProductRecord {
                sku: listing.sku.clone(),
                name: listing.name.clone(),
                price: listing.price,
                currency: listing.currency,
                stocked: available.saturating_add(reserved).saturating_add(sold),
                available,
                reserved,
                sold,
            };
            if self.write(&listed(known.as_ref(), &record)?).await?.is_ok() {
                return Ok(record);
            }
        }
    }
}

fn listed(known: Option<&ProductRecord>, record: &ProductRecord) -> Result<Write, Fault> {
    let Some(known) = known else {
        return Ok(Write::Put {
            table: Table::Products,
            item: item(record)?,
            condition: Condition::Absent,
        });
    };
    Ok(Write::Update {
        key: Key::new(Table::Products, &record.sku),
        changes: vec![
            Change::Set("name", text(&record.name)),
            Change::Set("price", text(record.price.to_string())),
            Change::Set("currency", text(record.currency.code())),
            Change::Set("stocked", number(record.stocked)),
            Change::Set("available", number(record.available)),
        ],
        condition: Condition::All(vec![
            Condition::Is("available", number(known.available)),
            Condition::Is("reserved", number(known.reserved)),
            Condition::Is("sold", number(known.sold)),
        ]),
    })
}
