//! The port that both engines implement. One attempt each: retrying is the business of [`crate::Store`].

use std::future::Future;

use domain::Fault;

use crate::ops::{Count, Item, Key, Page, Query, TransactError, Write, WriteError};
use crate::schema::Table;

/// Single-item conditional writes in one request: the service's limit.
pub const UPDATES_PER_REQUEST: usize = 25;

/// Keys in one read: the service's limit.
pub const KEYS_PER_REQUEST: usize = 100;

pub trait Engine: Send + Sync {
    /// Strongly consistent.
    fn get(&self, key: &Key) -> impl Future<Output = Result<Option<Item>, Fault>> + Send;

    /// At most [`KEYS_PER_REQUEST`] keys of one table, no key twice; eventually consistent. One answer for each key, in their sequence.
    fn get_many(
        &self,
        keys: &[Key],
    ) -> impl Future<Output = Result<Vec<Option<Item>>, Fault>> + Send;

    /// The same, strongly consistent.
    fn get_many_now(
        &self,
        keys: &[Key],
    ) -> impl Future<Output = Result<Vec<Option<Item>>, Fault>> + Send {
        async move {
            let mut found = Vec::with_capacity(keys.len());
            for key in keys {
                found.push(self.get(key).await?);
            }
            Ok(found)
        }
    }

    fn write(&self, write: &Write) -> impl Future<Output = Result<(), WriteError>> + Send;

    /// One to [`UPDATES_PER_REQUEST`] writes to items of one table, no item twice, each on its own: some may succeed and
    /// others fail. One answer for each, in their sequence. They are updates that add to nothing, where an item that does not
    /// exist fails its condition; or puts of what is absent, where an item that does is not brought with the failure.
    fn update_many(
        &self,
        updates: &[Write],
    ) -> impl Future<Output = Result<Vec<Result<(), WriteError>>, Fault>> + Send;

    /// All or nothing, at most 100 writes, no item twice. Within ten minutes the same writes under the same token
    /// succeed without being done again; other writes under the same token are a `Corrupt` fault.
    fn transact(
        &self,
        writes: &[Write],
        token: &str,
    ) -> impl Future<Output = Result<(), TransactError>> + Send;

    /// Strongly consistent on a table; eventually consistent on an index, as the service has it.
    fn query(&self, query: &Query) -> impl Future<Output = Result<Page, Fault>> + Send;

    /// How many items there are on a page, which may be larger than one that brings them: as consistent as `query`, and
    /// billed as it is.
    fn count(&self, query: &Query) -> impl Future<Output = Result<Count, Fault>> + Send;

    /// A page of the whole table, of at most so many items, in no particular order.
    fn scan(
        &self,
        table: Table,
        start: Option<Item>,
        limit: Option<u32>,
    ) -> impl Future<Output = Result<Page, Fault>> + Send;
}
