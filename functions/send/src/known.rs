//! What a batch is about, read at once: a request each for its records, their customers, and who of them gets no mail.
//!
//! Such a read may be behind. What it finds to be sent is believed, for whoever begins to send it restates that. What would
//! end a mail or a message without a word to the service is read once more, by itself and as it stands; so is what customers
//! want, and who gets no mail, where the mail had to wait for its turn.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use domain::Fault;
use domain::notification::{Kind, Name, Standing};
use domain::preferences::Channel;
use domain::suppression::Address;
use jiff::Timestamp;
use store::customers::Addressee;
use store::notifications::NotificationRecord;
use store::suppressions::SuppressionRecord;
use store::{Engine, Store};
use tokio::time::Instant;

/// For so long, what was read is taken for what holds.
const FRESH: Duration = Duration::from_secs(2);

pub struct Known {
    read_at: Instant,
    /// Those that are to be sent.
    notifications: BTreeMap<Name, NotificationRecord>,
    /// Of these, by their ids.
    addressees: BTreeMap<String, Addressee>,
    /// Of their addresses: whether they are on the list of those that get no mail.
    suppressed: BTreeMap<Address, bool>,
}

impl Known {
    pub async fn of<E: Engine>(
        store: &Store<E>,
        names: impl Iterator<Item = &Name>,
    ) -> Result<Known, Fault> {
        match read(store, names.collect()).await {
            // Of a record that cannot be read, its own message shall tell, and no other.
            Err(Fault::Corrupt(_) | Fault::Malformed(_)) => Ok(Known {
                read_at: Instant::now(),
                notifications: BTreeMap::new(),
                addressees: BTreeMap::new(),
                suppressed: BTreeMap::new(),
            }),
            known => known,
        }
    }

    fn is_fresh(&self) -> bool {
        self.read_at.elapsed() < FRESH
    }

    pub async fn notification<E: Engine>(
        &self,
        store: &Store<E>,
        name: &Name,
        now: Timestamp,
    ) -> Result<Option<NotificationRecord>, Fault> {
        match self.notifications.get(name) {
            Some(record) if !record.is_held(now) => Ok(Some(record.clone())),
            _ => store.notification(name).await,
        }
    }

    /// Whom to tell, and how.
    pub async fn addressee<E: Engine>(
        &self,
        store: &Store<E>,
        customer_id: &str,
        kind: Kind,
    ) -> Result<Addressee, Fault> {
        match self.addressees.get(customer_id) {
            Some(known) if self.is_fresh() && known.channel_of(kind) == Channel::Email => {
                Ok(known.clone())
            }
            _ => store.addressee(customer_id).await,
        }
    }

    /// Why this address gets no mail, if so.
    pub async fn suppression<E: Engine>(
        &self,
        store: &Store<E>,
        address: &str,
    ) -> Result<Option<SuppressionRecord>, Fault> {
        // What is no address is for the service to refuse.
        let Ok(address) = address.parse() else {
            return Ok(None);
        };
        match self.suppressed.get(&address) {
            Some(false) if self.is_fresh() => Ok(None),
            _ => store.suppression(&address).await,
        }
    }
}

async fn read<E: Engine>(store: &Store<E>, names: BTreeSet<&Name>) -> Result<Known, Fault> {
    let read_at = Instant::now();
    let names: Vec<Name> = names.into_iter().cloned().collect();
    let found = store.notifications(&names).await?;
    let pending = names.into_iter().zip(found).filter_map(|(name, found)| {
        let found = found.filter(|found| found.status == Standing::Pending)?;
        Some((name, found))
    });
    let notifications: BTreeMap<Name, NotificationRecord> = pending.collect();
    let customers = notifications.values();
    let customers: BTreeSet<&str> = customers
        .filter_map(NotificationRecord::customer_id)
        .collect();
    let customers: Vec<&str> = customers.into_iter().collect();
    let addressees = store.addressees(&customers).await?.into_iter();
    let addressees = customers.iter().map(|id| (*id).to_owned()).zip(addressees);
    let addressees: BTreeMap<String, Addressee> = addressees.collect();
    let emails = addressees
        .values()
        .filter_map(|one| one.contact.email.as_ref());
    let addresses: BTreeSet<Address> = emails.filter_map(|email| email.parse().ok()).collect();
    let addresses: Vec<Address> = addresses.into_iter().collect();
    let listed = store.suppressions(&addresses).await?.into_iter();
    let listed = listed.map(|listed| listed.is_some());
    Ok(Known {
        read_at,
        suppressed: addresses.into_iter().zip(listed).collect(),
        addressees,
        notifications,
    })
}
