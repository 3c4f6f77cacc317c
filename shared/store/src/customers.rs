//! Customers: their contact data, as files say it, and how they want to be told of their orders, as they say themselves.
//! Neither knows the other's attributes.

use domain::notification::Kind;
use domain::order::check_key;
use domain::preferences::{Channel, Preferences};
use domain::{Contact, Fault};
use jiff::Timestamp;
use serde::Deserialize;

use crate::engine::Engine;
use crate::item::{record, value};
use crate::ops::{Change, Condition, Item, Key, Query, Write, text};
use crate::retry::Store;
use crate::schema::{BY_CUSTOMER, Table};

/// What a customer said, if so.
#[derive(Default, Deserialize)]
struct Said {
    #[serde(default)]
    preferences: Option<Preferences>,
}

/// Whom to tell, and how.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Addressee {
    pub contact: Contact,
    pub preferences: Preferences,
}

impl Addressee {
    fn of(item: Item) -> Result<Addressee, Fault> {
        let said: Said = record(item.clone())?;
        Ok(Addressee {
            contact: record(item)?,
            preferences: said.preferences.unwrap_or_default(),
        })
    }

    /// By mail where there is an address, and it is wanted so.
    pub fn channel_of(&self, kind: Kind) -> Channel {
        match self.contact.email {
            Some(_) => self.preferences.channel_of(kind),
            None => Channel::Log,
        }
    }
}

impl<E: Engine> Store<E> {
    pub async fn customer(&self, customer_id: &str) -> Result<Option<Contact>, Fault> {
        self.get(&Key::new(Table::Customers, customer_id))
            .await?
            .map(record)
            .transpose()
    }

    /// Whom to tell, as it is now. Somebody of whom nothing is known where there is no such customer.
    pub async fn addressee(&self, customer_id: &str) -> Result<Addressee, Fault> {
        let found = self.get(&Key::new(Table::Customers, customer_id)).await?;
        Ok(found.map(Addressee::of).transpose()?.unwrap_or_default())
    }

    /// The same of many, none of them twice, in their sequence. What was written a moment ago may be missing.
    pub async fn addressees(&self, customer_ids: &[&str]) -> Result<Vec<Addressee>, Fault> {
        let keys = customer_keys(customer_ids);
        addressees_of(self.get_many(&keys).await?)
    }

    /// The same, strongly consistent. Contact data is stored before the entry that a notification is about, so it is found.
    pub async fn addressees_now(&self, customer_ids: &[&str]) -> Result<Vec<Addressee>, Fault> {
        let keys = customer_keys(customer_ids);
        addressees_of(self.get_many_now(&keys).await?)
    }

    /// The same; nothing where there is no such customer. Of some, files never said more than that they ordered.
    pub async fn known_addressee(&self, customer_id: &str) -> Result<Option<Addressee>, Fault> {
        if check_key("customer_id", customer_id).is_err() {
            return Ok(None);
        }
        match self.get(&Key::new(Table::Customers, customer_id)).await? {
            Some(found) => Addressee::of(found).map(Some),
            None => Ok(self
                .has_ordered(customer_id)
                .await?
                .then(Addressee::default)),
        }
    }

    async fn has_ordered(&self, customer_id: &str) -> Result<bool, Fault> {
        let orders = Query::of(Table::Orders, Some(&BY_CUSTOMER), customer_id);
        let first = Query {
            limit: Some(1),
            ..orders
        };
        Ok(!self.query(&first).await?.items.is_empty())
    }

    /// How a customer wants to be told; nothing where there is no such customer.
    pub async fn preferences(&self, customer_id: &str) -> Result<Option<Preferences>, Fault> {
        let known = self.known_addressee(customer_id).await?;
        Ok(known.map(|addressee| addressee.preferences))
    }

    /// `false` where there is no such customer: saying what he wants makes nobody one.
    pub async fn set_preferences(
        &self,
        customer_id: &str,
        preferences: &Preferences,
        requested_by: &str,
        now: Timestamp,
    ) -> Result<bool, Fault> {
        if check_key("customer_id", customer_id).is_err() {
            return Ok(false);
        }
        let changes = said(preferences, requested_by, now)?;
        let update = |condition| Write::Update {
            key: Key::new(Table::Customers, customer_id),
            changes: changes.clone(),
            condition,
        };
        let is_known = Condition::Is("customer_id", text(customer_id));
        if self.write(&update(is_known)).await?.is_ok() {
            return Ok(true);
        }
        if !self.has_ordered(customer_id).await? {
            return Ok(false);
        }
        Ok(self.write(&update(Condition::Always)).await?.is_ok())
    }

    /// Changes what a customer wants, whatever it is by now, and returns what holds then; nothing where there is no such
    /// customer. What is so already stays on record as it was said.
    pub async fn change_preferences(
        &self,
        customer_id: &str,
        change: impl Fn(&mut Preferences),
        requested_by: &str,
        now: Timestamp,
    ) -> Result<Option<Preferences>, Fault> {
        if check_key("customer_id", customer_id).is_err() {
            return Ok(None);
        }
        let key = Key::new(Table::Customers, customer_id);
        let mut wait = self.wait();
        loop {
            let Some(found) = self.get(&key).await? else {
                return Ok(None);
            };
            // As it is written, which may be older than some kinds are.
            let unchanged = match found.get("preferences") {
                Some(written) => Condition::Is("preferences", written.clone()),
                None => Condition::Missing("preferences"),
            };
            let before = record::<Said>(found)?.preferences.unwrap_or_default();
            let mut after = before.clone();
            change(&mut after);
            if after == before {
                return Ok(Some(after));
            }
            let update = Write::Update {
                key: key.clone(),
                changes: said(&after, requested_by, now)?,
                condition: Condition::All(vec![
                    Condition::Is("customer_id", text(customer_id)),
                    unchanged,
                ]),
            };
            match self.write(&update).await? {
                Ok(()) => return Ok(Some(after)),
                Err(_) => {
                    let moved = "what a customer wants keeps changing".to_owned();
                    wait.pause(Fault::Transient(moved)).await?;
                }
            }
        }
    }
}

fn customer_keys(customer_ids: &[&str]) -> Vec<Key> {
    let key = |id: &&str| Key::new(Table::Customers, id);
    customer_ids.iter().map(key).collect()
}

fn addressees_of(items: Vec<Option<Item>>) -> Result<Vec<Addressee>, Fault> {
    let read = |item: Option<Item>| item.map(Addressee::of).transpose();
    let found = items.into_iter().map(read);
    found
        .map(|found| found.map(Option::unwrap_or_default))
        .collect()
}

fn said(preferences: &Preferences, by: &str, now: Timestamp) -> Result<Vec<Change>, Fault> {
    Ok(vec![
        Change::Set("preferences", value(preferences)?),
        Change::Set("preferences_by", text(by)),
        Change::Set("preferences_at", text(now.to_string())),
    ])
}
