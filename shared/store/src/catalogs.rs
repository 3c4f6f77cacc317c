//! Catalog files: which object, how far it was read, and what it changed.

use domain::Fault;
use domain::catalog::Policy;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::engine::Engine;
use crate::item::{item, record};
use crate::ops::{Condition, Item, Key, Value, Write, number, text};
use crate::retry::Store;
use crate::schema::Table;

/// The sort key of the record itself. Beside it stand the claims of what was added.
const RECORD: &str = "file";

/// Where there is no file, but somebody who asked for one product: the sort key of what was asked for.
const REQUEST: &str = "request";

/// Seconds for which it is remembered that a row was added: far longer than any message lives.
const CLAIM_SECONDS: i64 = 60 * 60 * 24 * 60;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CatalogRecord {
    pub catalog_id: String,
    pub part: String,
    pub bucket: String,
    pub key: String,
    pub policy: Policy,
    pub size: u64,
    pub rows: u64,
    pub rejected: u64,
    pub loaded: u64,
    /// Known already, and left as they were.
    pub skipped: u64,
    /// A newer file had said otherwise already.
    pub outdated: u64,
    /// Why the file as a whole could not be taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub created_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_at: Option<Timestamp>,
}

impl CatalogRecord {
    pub fn new(
        catalog_id: &str,
        bucket: &str,
        key: &str,
        size: u64,
        now: Timestamp,
    ) -> CatalogRecord {
        CatalogRecord {
            catalog_id: catalog_id.to_owned(),
            part: RECORD.to_owned(),
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            policy: Policy::of_key(key),
            size,
            rows: 0,
            rejected: 0,
            loaded: 0,
            skipped: 0,
            outdated: 0,
            reason: None,
            created_at: now,
            read_at: None,
        }
    }

    pub fn is_over(&self) -> bool {
        self.read_at.is_some()
    }

    pub fn status(&self) -> &'static str {
        match (self.read_at, &self.reason) {
            (None, _) => "LOADING",
            (Some(_), None) => "LOADED",
            (Some(_), Some(_)) => "FAILED",
        }
    }
}

/// That a row was added. It is written together with what it guards.
pub(crate) fn claim(catalog_id: &str, sku: &str, now: Timestamp) -> Write {
    let attributes: [(&str, Value); 3] = [
        ("catalog_id", text(catalog_id)),
        ("part", text(format!("sku#{sku}"))),
        ("expires", number(now.as_second() + CLAIM_SECONDS)),
    ];
    let attributes = attributes.map(|(name, value)| (name.to_owned(), value));
    Write::Put {
        table: Table::Catalogs,
        item: Item::from(std::collections::HashMap::from(attributes)),
        condition: Condition::Absent,
    }
}

/// That something was asked for under a key, and what. It is written together with what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RequestClaim {
    catalog_id: String,
    part: String,
    /// Another wish under the same key is told from this one.
    pub fingerprint: String,
    expires: i64,
}

pub(crate) fn request_claim(
    catalog_id: &str,
    fingerprint: &str,
    now: Timestamp,
) -> Result<Write, Fault> {
    let claim = RequestClaim {
        catalog_id: catalog_id.to_owned(),
        part: REQUEST.to_owned(),
        fingerprint: fingerprint.to_owned(),
        expires: now.as_second() + CLAIM_SECONDS,
    };
    Ok(Write::Put {
        table: Table::Catalogs,
        item: item(&claim)?,
        condition: Condition::Absent,
    })
}

impl<E: Engine> Store<E> {
    /// Puts a catalog file on record, or finds it there: the same message may come twice.
    pub async fn begin_catalog(&self, new: &CatalogRecord) -> Result<CatalogRecord, Fault> {
        let put = Write::Put {
            table: Table::Catalogs,
            item: item(new)?,
            condition: Condition::Absent,
        };
        match self.write(&put).await? {
            Ok(()) => Ok(new.clone()),
            Err(Some(found)) => record(found),
            Err(None) => Err(Fault::Corrupt(
                "an item that is there was not shown".to_owned(),
            )),
        }
    }

    /// The file was read to its end. Whoever else read it came to the same.
    pub async fn end_catalog(&self, ended: &CatalogRecord) -> Result<(), Fault> {
        let put = Write::Put {
            table: Table::Catalogs,
            item: item(ended)?,
            condition: Condition::Missing("read_at"),
        };
        let _already_over = self.write(&put).await?;
        Ok(())
    }

    pub(crate) async fn was_claimed(&self, catalog_id: &str, sku: &str) -> Result<bool, Fault> {
        let key = Key::sorted(Table::Catalogs, catalog_id, &format!("sku#{sku}"));
        Ok(self.get(&key).await?.is_some())
    }

    /// What was asked for under a key before.
    pub(crate) async fn request(&self, catalog_id: &str) -> Result<Option<RequestClaim>, Fault> {
        self.get(&Key::sorted(Table::Catalogs, catalog_id, REQUEST))
            .await?
            .map(record)
            .transpose()
    }

    pub async fn catalog(&self, catalog_id: &str) -> Result<Option<CatalogRecord>, Fault> {
        self.get(&Key::sorted(Table::Catalogs, catalog_id, RECORD))
            .await?
            .map(record)
            .transpose()
    }
}
