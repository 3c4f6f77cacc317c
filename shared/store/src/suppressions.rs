//! Addresses that get no mail any more, by which event or by whom.
//!
//! Who takes an address off the list leaves its record: an event that is older than that, and comes again, changes nothing.

use domain::Fault;
use domain::limits::{REASON_BYTES, shortened};
use domain::suppression::{Address, Cause};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::customers::Addressee;
use crate::engine::Engine;
use crate::item::{item, record};
use crate::ops::{Change, Condition, Item, Key, Write, text};
use crate::page::{ListError, Listed, Position};
use crate::retry::Store;
use crate::schema::Table;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuppressionRecord {
    pub address: Address,
    pub cause: Cause,
    /// In the words of the mail service, or of whoever put it on the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The notification whose mail it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notification_id: Option<String>,
    /// By which the mail service knows the mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    pub since: Timestamp,
    /// Who put it on the list, where it was a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_by: Option<String>,
    /// When it was taken off the list, and by whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifted_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifted_by: Option<String>,
}

impl SuppressionRecord {
    /// One that a person asks for.
    pub fn manual(
        address: Address,
        reason: Option<&str>,
        requested_by: &str,
        now: Timestamp,
    ) -> SuppressionRecord {
        SuppressionRecord {
            address,
            cause: Cause::Manual,
            reason: reason.map(|reason| shortened(reason, REASON_BYTES).to_owned()),
            notification_id: None,
            message_id: None,
            since: now,
            requested_by: Some(requested_by.to_owned()),
            lifted_at: None,
            lifted_by: None,
        }
    }

    /// What is said of a mail that is not sent for it.
    pub fn refusal(&self) -> String {
        let (cause, since) = (self.cause, self.since);
        let reason = self.reason.as_deref().unwrap_or("no reason was given");
        format!("the address is on the suppression list since {since} ({cause}: {reason})")
    }

    /// Whether it was taken off the list after what this one says happened.
    fn is_older_than(&self, lifted_at: Timestamp) -> bool {
        self.cause != Cause::Manual && self.since <= lifted_at
    }
}

impl<E: Engine> Store<E> {
    /// Puts an address on the list. What stands there stays as it is, and what was taken off since does, too. Returns what
    /// holds now.
    pub async fn suppress(&self, new: &SuppressionRecord) -> Result<SuppressionRecord, Fault> {
        let (mut condition, mut wait) = (Condition::Absent, self.wait());
        loop {
            let put = Write::Put {
                table: Table::Suppressions,
                item: item(new)?,
                condition,
            };
            let Err(found) = self.write(&put).await? else {
                return Ok(new.clone());
            };
            let found: Option<SuppressionRecord> = found.map(record).transpose()?;
            condition = match found {
                None => Condition::Absent,
                Some(found) => match found.lifted_at {
                    Some(lifted_at) if !new.is_older_than(lifted_at) => {
                        Condition::Is("lifted_at", text(lifted_at.to_string()))
                    }
                    _ => return Ok(found),
                },
            };
            let moved = format!("{} keeps coming and going", new.address);
            wait.pause(Fault::Transient(moved)).await?;
        }
    }

    /// Takes an address off the list. Nothing where it is not on it.
    pub async fn lift_suppression(
        &self,
        address: &Address,
        requested_by: &str,
        now: Timestamp,
    ) -> Result<Option<SuppressionRecord>, Fault> {
        let Some(found) = self.suppression(address).await? else {
            return Ok(None);
        };
        let update = Write::Update {
            key: key(address),
            changes: vec![
                Change::Set("lifted_at", text(now.to_string())),
                Change::Set("lifted_by", text(requested_by)),
            ],
            condition: Condition::All(vec![
                Condition::Is("address", text(address.as_str())),
                Condition::Missing("lifted_at"),
            ]),
        };
        let lifted = SuppressionRecord {
            lifted_at: Some(now),
            lifted_by: Some(requested_by.to_owned()),
            ..found
        };
        let stands = match self.write(&update).await? {
            Ok(()) => return Ok(Some(lifted)),
            Err(stands) => stands.map(record::<SuppressionRecord>).transpose()?,
        };
        // This very write, whose answer was lost; else somebody was quicker.
        Ok(stands.filter(|stands| *stands == lifted))
    }

    /// As it is at this moment. Nothing where the address is not on the list.
    pub async fn suppression(&self, address: &Address) -> Result<Option<SuppressionRecord>, Fault> {
        standing(self.get(&key(address)).await?)
    }

    /// The same of many, none of them twice, in their sequence. What was written a moment ago may be missing.
    pub async fn suppressions(
        &self,
        addresses: &[Address],
    ) -> Result<Vec<Option<SuppressionRecord>>, Fault> {
        let keys: Vec<Key> = addresses.iter().map(key).collect();
        let found = self.get_many(&keys).await?.into_iter();
        found.map(standing).collect()
    }

    /// That of a customer's address, if there is one.
    pub async fn suppression_of(
        &self,
        customer: &Addressee,
    ) -> Result<Option<SuppressionRecord>, Fault> {
        let email = customer.contact.email.as_deref();
        match email.and_then(|email| email.parse().ok()) {
            Some(address) => self.suppression(&address).await,
            None => Ok(None),
        }
    }

    /// The list, in no particular sequence. A page may have fewer than were asked for, and not be the last.
    pub async fn list_suppressions(
        &self,
        limit: u32,
        position: Option<&Position>,
    ) -> Result<Listed<SuppressionRecord>, ListError> {
        let listed = self.list_all(Table::Suppressions, limit, position).await?;
        let standing = listed.items.into_iter();
        let standing = standing.filter(|record: &SuppressionRecord| record.lifted_at.is_none());
        Ok(Listed {
            items: standing.collect(),
            next: listed.next,
            read: listed.read,
        })
    }
}

fn key(address: &Address) -> Key {
    Key::new(Table::Suppressions, address.as_str())
}

fn standing(item: Option<Item>) -> Result<Option<SuppressionRecord>, Fault> {
    let found: Option<SuppressionRecord> = item.map(record).transpose()?;
    Ok(found.filter(|found| found.lifted_at.is_none()))
}
