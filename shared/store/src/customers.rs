//! Contact data of customers. Written only where it says something new: a read costs a tenth of a write.

use domain::{Contact, Fault};

use crate::engine::Engine;
use crate::item::record;
use crate::ops::{Change, Condition, Key, Write, text};
use crate::retry::Store;
use crate::schema::Table;

impl<E: Engine> Store<E> {
    pub async fn customer(&self, customer_id: &str) -> Result<Option<Contact>, Fault> {
        self.get(&Key::new(Table::Customers, customer_id))
            .await?
            .map(record)
            .transpose()
    }

    /// Adds what these contacts know to what is known. One contact for each customer.
    pub async fn save_contacts(&self, contacts: &[Contact]) -> Result<(), Fault> {
        let keys: Vec<Key> = contacts
            .iter()
            .map(|contact| Key::new(Table::Customers, &contact.customer_id))
            .collect();
        let known = self.get_many(&keys).await?;
        for ((contact, key), known) in contacts.iter().zip(keys).zip(known) {
            let known: Contact = known.map(record).transpose()?.unwrap_or_default();
            let changes = news(&known, contact);
            if !changes.is_empty() {
                let written = self
                    .write(&Write::Update {
                        key,
                        changes,
                        condition: Condition::Always,
                    })
                    .await?;
                written.map_err(|_| {
                    Fault::Corrupt("a write without a condition failed its condition".to_owned())
                })?;
            }
        }
        Ok(())
    }
}

fn news(known: &Contact, contact: &Contact) -> Vec<Change> {
    let fields = [
        ("name", &known.name, &contact.name),
        ("email", &known.email, &contact.email),
        ("phone", &known.phone, &contact.phone),
        ("address", &known.address, &contact.address),
    ];
    fields
        .into_iter()
        .filter(|(_, known, said)| said.is_some() && known != said)
        .filter_map(|(field, _, said)| Some(Change::Set(field, text(said.clone()?))))
        .collect()
}
