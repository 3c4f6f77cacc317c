//! Contact data of customers, as files state it. Each field is dated, so that data of an older upload never replaces newer data.

use std::collections::BTreeMap;

use domain::{Contact, Fault};
use futures::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;
use serde::Deserialize;

use crate::engine::Engine;
use crate::instant::sortable;
use crate::item::{record, value};
use crate::ops::{Change, Condition, Item, Key, Write, text};
use crate::retry::Store;
use crate::schema::Table;

/// Customers whose contact data is written at the same time.
const AT_ONCE: usize = 8;

/// The dates of the stored fields, by field.
const DATES: &str = "contact_dates";

/// Dates contact data: the time of the upload, the import and the row. The texts sort as the uploads and rows do.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ContactDate(String);

impl ContactDate {
    pub fn new(uploaded_at: Timestamp, import_id: &str, row: u64) -> ContactDate {
        ContactDate(format!("{}#{import_id}#{row:012}", sortable(uploaded_at)))
    }

    /// Older than every date: for batches of releases that stated none.
    pub fn unknown() -> ContactDate {
        ContactDate::default()
    }

    /// What dates the upload alone.
    fn upload(&self) -> &str {
        self.0.rsplit_once('#').map_or("", |(upload, _)| upload)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatedContact {
    pub contact: Contact,
    pub date: ContactDate,
}

/// What is stored of a customer's contact data.
#[derive(Debug, Default, Deserialize)]
struct StoredContact {
    #[serde(flatten)]
    contact: Contact,
    #[serde(default)]
    contact_dates: Option<BTreeMap<String, String>>,
}

/// The newest value of each field that a customer's rows state.
#[derive(Debug, Default)]
struct StatedFields<'a>(BTreeMap<&'static str, (&'a ContactDate, &'a str)>);

impl<'a> StatedFields<'a> {
    fn by_customer(contacts: &'a [DatedContact]) -> BTreeMap<&'a str, StatedFields<'a>> {
        let mut customers: BTreeMap<&str, StatedFields<'_>> = BTreeMap::new();
        for DatedContact { contact, date } in contacts {
            let stated = customers.entry(&contact.customer_id).or_default();
            for (field, text) in contact.fields() {
                let newest = stated.0.entry(field).or_insert((date, text));
                if date >= newest.0 {
                    *newest = (date, text);
                }
            }
        }
        customers
    }

    /// The write that stores what is new. `None` if nothing is.
    fn write(&self, key: &Key, stored: Option<Item>) -> Result<Option<Write>, Fault> {
        let stored: StoredContact = stored.map(record).transpose()?.unwrap_or_default();
        let known: BTreeMap<&str, &str> = stored.contact.fields().collect();
        let mut dates = stored.contact_dates.clone().unwrap_or_default();
        let mut changes = Vec::new();
        for (field, (date, stated)) in &self.0 {
            let known_date = ContactDate(dates.get(*field).cloned().unwrap_or_default());
            let is_known = known.get(field) == Some(stated);
            // Rows of one file repeat what the first of them stated: one write is enough.
            let same_upload = date.upload() == known_date.upload();
            if **date < known_date || (is_known && same_upload) {
                continue;
            }
            changes.push(Change::Set(field, text(*stated)));
            dates.insert((*field).to_owned(), date.0.clone());
        }
        if changes.is_empty() {
            return Ok(None);
        }
        changes.push(Change::Set(DATES, value(&dates)?));
        let unchanged = match &stored.contact_dates {
            Some(dates) => Condition::Is(DATES, value(dates)?),
            None => Condition::Missing(DATES),
        };
        Ok(Some(Write::Update {
            key: key.clone(),
            changes,
            condition: unchanged,
        }))
    }
}

impl<E: Engine> Store<E> {
    /// Stores what is new of these contacts. A read costs a tenth of a write, so everything is read first.
    pub async fn save_contacts(&self, contacts: &[DatedContact]) -> Result<(), Fault> {
        let customers = StatedFields::by_customer(contacts);
        let keys: Vec<Key> = customers.keys().map(|id| customer_key(id)).collect();
        let stored = self.get_many(&keys).await?;
        let saves = keys.iter().zip(customers.values()).zip(stored);
        stream::iter(saves)
            .map(|((key, stated), stored)| self.save(key, stated, stored))
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await
    }

    /// The writes that store what is new of these contacts, for a transaction. If one of them fails its condition, the contact
    /// data changed in between: ask for the writes again.
    pub async fn contact_writes(&self, contacts: &[DatedContact]) -> Result<Vec<Write>, Fault> {
        let customers = StatedFields::by_customer(contacts);
        let keys: Vec<Key> = customers.keys().map(|id| customer_key(id)).collect();
        let stored = self.get_many_now(&keys).await?;
        let writes = keys.iter().zip(customers.values()).zip(stored);
        let writes = writes.map(|((key, stated), stored)| stated.write(key, stored));
        writes.filter_map(Result::transpose).collect()
    }

    async fn save(
        &self,
        key: &Key,
        stated: &StatedFields<'_>,
        mut stored: Option<Item>,
    ) -> Result<(), Fault> {
        let mut wait = self.wait();
        while let Some(write) = stated.write(key, stored)? {
            if self.write(&write).await?.is_ok() {
                break;
            }
            let changing = "the contact data of a customer keeps changing".to_owned();
            wait.pause(Fault::Transient(changing)).await?;
            stored = self.get(key).await?;
        }
        Ok(())
    }
}

fn customer_key(customer_id: &str) -> Key {
    Key::new(Table::Customers, customer_id)
}
