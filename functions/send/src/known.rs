//! What a batch is about, read at once: a request for all of its records, and one for their customers.
//!
//! Such a read may be behind. What it finds to be sent is believed, for whoever begins to send it restates that. What would
//! end a mail or a message without a word to the service is read once more, by itself and as it stands.

use std::collections::{BTreeMap, BTreeSet};

use domain::Fault;
use domain::notification::{Name, Standing};
use domain::preferences::Channel;
use store::customers::Addressee;
use store::notifications::NotificationRecord;
use store::{Engine, Store};

#[derive(Default)]
pub struct Known {
    /// Those that are to be sent.
    notifications: BTreeMap<Name, NotificationRecord>,
    /// Of these, by their ids.
    addressees: BTreeMap<String, Addressee>,
}

impl Known {
    pub async fn of<E: Engine>(
        store: &Store<E>,
        names: impl Iterator<Item = &Name>,
    ) -> Result<Known, Fault> {
        match read(store, names.collect()).await {
            // Of a record that cannot be read, its own message shall tell, and no other.
            Err(Fault::Corrupt(_) | Fault::Malformed(_)) => Ok(Known::default()),
            known => known,
        }
    }

    pub async fn notification<E: Engine>(
        &self,
        store: &Store<E>,
        name: &Name,
    ) -> Result<Option<NotificationRecord>, Fault> {
        match self.notifications.get(name) {
            Some(record) => Ok(Some(record.clone())),
            None => store.notification(name).await,
        }
    }

    /// Whom to tell, and how.
    pub async fn addressee<E: Engine>(
        &self,
        store: &Store<E>,
        record: &NotificationRecord,
    ) -> Result<Addressee, Fault> {
        let (customer_id, kind) = (&record.change.customer_id, record.name().kind);
        match self.addressees.get(customer_id) {
            Some(known) if known.channel_of(kind) == Channel::Email => Ok(known.clone()),
            _ => store.addressee(customer_id).await,
        }
    }
}

async fn read<E: Engine>(store: &Store<E>, names: BTreeSet<&Name>) -> Result<Known, Fault> {
    let names: Vec<Name> = names.into_iter().cloned().collect();
    let found = store.notifications(&names).await?;
    let pending = names.into_iter().zip(found).filter_map(|(name, found)| {
        let found = found.filter(|found| found.status == Standing::Pending)?;
        Some((name, found))
    });
    let notifications: BTreeMap<Name, NotificationRecord> = pending.collect();
    let customers = notifications.values();
    let customers: BTreeSet<&str> = customers
        .map(|record| record.change.customer_id.as_str())
        .collect();
    let customers: Vec<&str> = customers.into_iter().collect();
    let addressees = store.addressees(&customers).await?.into_iter();
    let addressees = customers.iter().map(|id| (*id).to_owned()).zip(addressees);
    Ok(Known {
        addressees: addressees.collect(),
        notifications,
    })
}
