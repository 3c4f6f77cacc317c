//! What is listed page by page, the newest first. What was written a moment ago may be missing.

pub mod failures;
pub mod imports;
pub mod notifications;
pub mod refunds;

use domain::Fault;
use serde::de::DeserializeOwned;

use crate::engine::Engine;
use crate::item::record;
use crate::ops::Key;
use crate::orders::OrderRecord;
use crate::page::{List, ListError, Listed, PAGE_ITEMS, Position, Walk, is_name};
use crate::pending::attribute;
use crate::products::ProductRecord;
use crate::retry::Store;
use crate::schema::{BY_CUSTOMER, Table};

impl<E: Engine> Store<E> {
    pub async fn orders_of(
        &self,
        customer_id: &str,
        limit: u32,
        position: Option<&Position>,
    ) -> Result<Listed<OrderRecord>, ListError> {
        if !is_name(customer_id) {
            return Ok(Listed::nothing());
        }
        let list = List {
            table: Table::Orders,
            index: &BY_CUSTOMER,
            partitions: vec![customer_id.to_owned()],
            range: None,
            oldest_first: false,
            filtered: false,
            most: PAGE_ITEMS as usize,
        };
        let mut walk = Walk::new(list, limit, position)?;
        while let Some(entries) = walk.entries(self).await? {
            let ids = entries.iter().map(|entry| attribute(entry, "order_id"));
            let ids = ids.collect::<Result<Vec<String>, Fault>>()?;
            walk.take(self.orders(&ids).await?);
        }
        Ok(walk.listed())
    }

    /// In the table's own sequence.
    pub async fn list_products(
        &self,
        limit: u32,
        position: Option<&Position>,
    ) -> Result<Listed<ProductRecord>, ListError> {
        self.list_all(Table::Products, limit, position).await
    }

    /// A table that has no sort key, as it is.
    pub(crate) async fn list_all<T: DeserializeOwned>(
        &self,
        table: Table,
        limit: u32,
        position: Option<&Position>,
    ) -> Result<Listed<T>, ListError> {
        let start = match position {
            None => None,
            Some(position) => {
                let name = position.beginning().ok_or(ListError::BadPosition)?;
                Some(Key::new(table, name).item())
            }
        };
        let limit = limit.clamp(1, PAGE_ITEMS);
        let page = self.scan(table, start, Some(limit)).await?;
        let items = page.items.into_iter().map(record);
        let next = page.next.map(|next| attribute(&next, table.partition()));
        let items: Vec<T> = items.collect::<Result<_, Fault>>()?;
        Ok(Listed {
            read: items.len(),
            items,
            next: next.transpose()?.map(Position::start_of),
        })
    }
}
