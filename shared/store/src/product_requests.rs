//! Somebody asks for one product: what it should be, or that so many units came in. Once under a key, as a catalog file
//! counts once.
//!
//! A file speaks for the instant of its upload, and may be too old to hold. Who asks here has the last word: the request is
//! dated after all that the product holds when it is written, so clocks that differ make nothing of it outdated. A
//! repetition is known by its key, and changes nothing, whatever was said since.

use domain::catalog::{check_name, check_units};
use domain::limits::REQUEST_KEY_BYTES;
use domain::money::Money;
use domain::order::{OrderError, check_key, check_text};
use domain::{Currency, Fault, ids};
use jiff::Timestamp;
use rust_decimal::Decimal;

use crate::catalogs::{RequestClaim, request_claim};
use crate::engine::Engine;
use crate::imports::milliseconds;
use crate::item::record;
use crate::ops::{Verdict, Write};
use crate::products::{
    Listing, ProductRecord, Restocking, Voice, add, count, describe, fresh, put,
};
use crate::retry::Store;

/// What a product should be.
#[derive(Debug, Clone, PartialEq)]
pub struct Wish {
    pub sku: String,
    pub name: String,
    pub price: Decimal,
    pub currency: Currency,
    /// What lies in the warehouse. Without it the stock stays as it is; a new product has none.
    pub stock: Option<u64>,
}

/// What became of a request, and the product as it is now.
#[derive(Debug, Clone, PartialEq)]
pub enum Requested {
    Created(Box<ProductRecord>),
    Changed(Box<ProductRecord>),
    /// It was so before, or this very request has been done before.
    Unchanged(Box<ProductRecord>),
    /// Something else was asked for before under this key.
    KeyReused,
    NoSuchProduct,
    Invalid(OrderError),
}

/// What a request comes to, in view of the product as it is.
enum Plan {
    Write(Write),
    NoSuchProduct,
    Invalid(OrderError),
}

impl Plan {
    fn restocking(restocking: Restocking, field: &'static str) -> Plan {
        match restocking {
            Restocking::Write(write) => Plan::Write(write),
            Restocking::TooMany(units) => Plan::Invalid(OrderError::TooManyUnits { field, units }),
        }
    }
}

impl<E: Engine> Store<E> {
    /// Makes a product what it should be: with a stock, as a catalog file does that sets it; without, but for its stock.
    /// Orders that were priced before keep their prices, also where its currency is another one now.
    pub async fn put_product(
        &self,
        wish: &Wish,
        key: &str,
        now: Timestamp,
    ) -> Result<Requested, Fault> {
        let price = match check(wish, key) {
            Ok(price) => price,
            Err(wrong) => return Ok(Requested::Invalid(wrong)),
        };
        let listing = Listing {
            sku: wish.sku.clone(),
            name: wish.name.clone(),
            price: price.amount(),
            currency: price.currency(),
            stock: wish.stock.unwrap_or_default(),
        };
        let stock = wish.stock.map(|stock| stock.to_string());
        let asked = [
            "put",
            &wish.sku,
            &wish.name,
            &price.to_string(),
            stock.as_deref().unwrap_or("stays"),
        ];
        self.once(&wish.sku, key, &asked, now, |known, voice| {
            let plan = match (known, wish.stock) {
                (None, Some(_)) => Plan::Write(put(&fresh(&listing, voice))?),
                // Nobody has counted yet: a file that is older than this may still say what was there.
                (None, None) => Plan::Write(put(&ProductRecord {
                    listed_ms: 0,
                    described_by: Some(voice.by.to_owned()),
                    described_ms: Some(voice.at_ms),
                    ..fresh(&listing, voice)
                })?),
                (Some(known), Some(_)) => Plan::restocking(count(known, &listing, voice)?, "stock"),
                (Some(known), None) => Plan::Write(describe(known, &listing, voice)),
            };
            Ok(plan)
        })
        .await
    }

    /// So many units came in, and can be sold.
    pub async fn restock_product(
        &self,
        sku: &str,
        units: u64,
        key: &str,
        now: Timestamp,
    ) -> Result<Requested, Fault> {
        let checked = check_request(sku, key).and_then(|()| match units {
            0 => Err(OrderError::Empty("units")),
            _ => check_units("units", units),
        });
        if let Err(wrong) = checked {
            return Ok(Requested::Invalid(wrong));
        }
        let asked = ["restock", sku, &units.to_string()];
        self.once(sku, key, &asked, now, |known, voice| {
            let Some(known) = known else {
                return Ok(Plan::NoSuchProduct);
            };
            Ok(Plan::restocking(add(known, units, voice)?, "quantity"))
        })
        .await
    }

    /// Writes what was asked for together with its claim, so that it happens once. `plan` says what to write, in view of the
    /// product as it is.
    async fn once(
        &self,
        sku: &str,
        key: &str,
        asked: &[&str],
        now: Timestamp,
        plan: impl Fn(Option<&ProductRecord>, Voice<'_>) -> Result<Plan, Fault>,
    ) -> Result<Requested, Fault> {
        let by = ids::product_request_id(key);
        let fingerprint = ids::short_hash(asked);
        let claim = request_claim(&by, &fingerprint, now)?;
        let mut wait = self.wait();
        loop {
            let known = self.product(sku).await?;
            let voice = Voice {
                by: &by,
                at_ms: after(known.as_ref(), now),
            };
            let write = match plan(known.as_ref(), voice)? {
                Plan::Write(write) => write,
                Plan::NoSuchProduct => return Ok(Requested::NoSuchProduct),
                // A repetition is known by its claim: what it added may be why there is no room for more.
                Plan::Invalid(wrong) => match self.request(&by).await? {
                    Some(claim) => return self.repeated(sku, &claim, &fingerprint).await,
                    None => return Ok(Requested::Invalid(wrong)),
                },
            };
            let done = self.transact(&[write, claim.clone()]).await?;
            let verdicts = match done {
                Ok(()) => {
                    let written = self.written(sku).await?;
                    return Ok(match known {
                        None => Requested::Created(written),
                        Some(known) if shown(&known) == shown(&written) => {
                            Requested::Unchanged(written)
                        }
                        Some(_) => Requested::Changed(written),
                    });
                }
                Err(verdicts) => verdicts,
            };
            if let [_, Verdict::Condition(found)] = &verdicts[..] {
                let found = found.clone().ok_or_else(|| {
                    Fault::Corrupt("an item that is there was not shown".to_owned())
                })?;
                let claim: RequestClaim = record(found)?;
                return self.repeated(sku, &claim, &fingerprint).await;
            }
            // It moved in between: it is looked at again.
            let moved = format!("{sku} is changed by others all the time");
            wait.pause(Fault::Transient(moved)).await?;
        }
    }

    /// Something was asked for under this key before: the same, or something else.
    async fn repeated(
        &self,
        sku: &str,
        claim: &RequestClaim,
        fingerprint: &str,
    ) -> Result<Requested, Fault> {
        Ok(match claim.fingerprint == fingerprint {
            true => Requested::Unchanged(self.written(sku).await?),
            false => Requested::KeyReused,
        })
    }

    /// The product as it is after a request, which never takes one away.
    async fn written(&self, sku: &str) -> Result<Box<ProductRecord>, Fault> {
        let written = self.product(sku).await?.map(Box::new);
        written.ok_or_else(|| Fault::Corrupt(format!("the product {sku} is gone")))
    }
}

/// An instant after all that the product holds.
fn after(known: Option<&ProductRecord>, now: Timestamp) -> u64 {
    let said = known.into_iter().flat_map(|known| {
        let added = known.added.iter().map(|added| added.uploaded_ms);
        added.chain([known.listed_ms, known.described_ms.unwrap_or_default()])
    });
    let last = said.max().unwrap_or_default();
    milliseconds(now).max(last.saturating_add(1))
}

/// What somebody who asks for a product can change of it.
fn shown(product: &ProductRecord) -> (&str, Decimal, Currency, u64) {
    let ProductRecord {
        name,
        price,
        currency,
        stocked,
        ..
    } = product;
    (name, *price, *currency, *stocked)
}

/// As the rows of a catalog file are checked.
fn check(wish: &Wish, key: &str) -> Result<Money, OrderError> {
    check_request(&wish.sku, key)?;
    check_name(&wish.name)?;
    check_units("stock", wish.stock.unwrap_or_default())?;
    Money::new(wish.price, wish.currency).map_err(|error| OrderError::Amount {
        field: "price",
        error,
    })
}

fn check_request(sku: &str, key: &str) -> Result<(), OrderError> {
    check_key("sku", sku)?;
    match key {
        "" => Err(OrderError::Empty("key")),
        _ => check_text("key", key, REQUEST_KEY_BYTES),
    }
}
