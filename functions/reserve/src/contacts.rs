//! The contact data of a batch. It counts only for rows that become orders: a duplicate or a conflict changes nothing.

use std::collections::BTreeSet;

use domain::{Batch, RowsContact};
use store::contacts::{ContactDate, DatedContact};

pub struct Contacts<'a> {
    batch: &'a Batch,
}

impl<'a> Contacts<'a> {
    pub fn of(batch: &'a Batch) -> Contacts<'a> {
        Contacts { batch }
    }

    /// What these rows state, each contact dated by the last of its rows.
    pub fn of_rows(&self, rows: &BTreeSet<u64>) -> Vec<DatedContact> {
        let Batch {
            contacts,
            earlier_contacts,
            ..
        } = self.batch;
        let stated = contacts.iter().chain(earlier_contacts);
        let dated = stated.filter_map(|stated| {
            let row = self
                .rows_of(stated)
                .filter(|row| rows.contains(row))
                .max()?;
            Some(DatedContact {
                contact: stated.contact.clone(),
                date: self.date(row),
            })
        });
        dated.collect()
    }

    /// A batch of an older release names no rows: then all rows of the customer state its contact data.
    fn rows_of(&self, stated: &'a RowsContact) -> impl Iterator<Item = u64> {
        let named = stated.rows.iter().copied();
        let orders = self.batch.orders.iter();
        let of_customer = orders
            .filter(|order| {
                stated.rows.is_empty() && order.customer_id == stated.contact.customer_id
            })
            .map(|order| order.row);
        named.chain(of_customer)
    }

    fn date(&self, row: u64) -> ContactDate {
        match self.batch.uploaded_at {
            Some(at) => ContactDate::new(at, &self.batch.import_id, row),
            None => ContactDate::unknown(),
        }
    }
}
