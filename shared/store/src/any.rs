//! An engine whose kind only its maker knows, for those who would carry its type through sixty signatures otherwise.
//!
//! A box for each request is nothing beside the request.

use std::sync::Arc;

use domain::Fault;
use futures::future::BoxFuture;

use crate::engine::Engine;
use crate::ops::{Count, Item, Key, Page, Query, TransactError, Write, WriteError};
use crate::schema::Table;

#[derive(Clone)]
pub struct AnyEngine(Arc<dyn Boxed>);

impl AnyEngine {
    pub fn new(engine: impl Engine + 'static) -> AnyEngine {
        AnyEngine(Arc::new(engine))
    }
}

/// The port, with its futures in boxes.
trait Boxed: Send + Sync {
    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Item>, Fault>>;
    fn get_many<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Item>>, Fault>>;
    fn get_many_now<'a>(
        &'a self,
        keys: &'a [Key],
    ) -> BoxFuture<'a, Result<Vec<Option<Item>>, Fault>>;
    fn write<'a>(&'a self, write: &'a Write) -> BoxFuture<'a, Result<(), WriteError>>;
    fn update_many<'a>(
        &'a self,
        updates: &'a [Write],
    ) -> BoxFuture<'a, Result<Vec<Result<(), WriteError>>, Fault>>;
    fn transact<'a>(
        &'a self,
        writes: &'a [Write],
        token: &'a str,
    ) -> BoxFuture<'a, Result<(), TransactError>>;
    fn query<'a>(&'a self, query: &'a Query) -> BoxFuture<'a, Result<Page, Fault>>;
    fn count<'a>(&'a self, query: &'a Query) -> BoxFuture<'a, Result<Count, Fault>>;
    fn scan(
        &self,
        table: Table,
        start: Option<Item>,
        limit: Option<u32>,
    ) -> BoxFuture<'_, Result<Page, Fault>>;
}

impl<E: Engine> Boxed for E {
    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Item>, Fault>> {
        Box::pin(Engine::get(self, key))
    }

    fn get_many<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Item>>, Fault>> {
        Box::pin(Engine::get_many(self, keys))
    }

    fn get_many_now<'a>(
        &'a self,
        keys: &'a [Key],
    ) -> BoxFuture<'a, Result<Vec<Option<Item>>, Fault>> {
        Box::pin(Engine::get_many_now(self, keys))
    }

    fn write<'a>(&'a self, write: &'a Write) -> BoxFuture<'a, Result<(), WriteError>> {
        Box::pin(Engine::write(self, write))
    }

    fn update_many<'a>(
        &'a self,
        updates: &'a [Write],
    ) -> BoxFuture<'a, Result<Vec<Result<(), WriteError>>, Fault>> {
        Box::pin(Engine::update_many(self, updates))
    }

    fn transact<'a>(
        &'a self,
        writes: &'a [Write],
        token: &'a str,
    ) -> BoxFuture<'a, Result<(), TransactError>> {
        Box::pin(Engine::transact(self, writes, token))
    }

    fn query<'a>(&'a self, query: &'a Query) -> BoxFuture<'a, Result<Page, Fault>> {
        Box::pin(Engine::query(self, query))
    }

    fn count<'a>(&'a self, query: &'a Query) -> BoxFuture<'a, Result<Count, Fault>> {
        Box::pin(Engine::count(self, query))
    }

    fn scan(
        &self,
        table: Table,
        start: Option<Item>,
        limit: Option<u32>,
    ) -> BoxFuture<'_, Result<Page, Fault>> {
        Box::pin(Engine::scan(self, table, start, limit))
    }
}

impl Engine for AnyEngine {
    async fn get(&self, key: &Key) -> Result<Option<Item>, Fault> {
        Boxed::get(&*self.0, key).await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        Boxed::get_many(&*self.0, keys).await
    }

    async fn get_many_now(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        Boxed::get_many_now(&*self.0, keys).await
    }

    async fn write(&self, write: &Write) -> Result<(), WriteError> {
        Boxed::write(&*self.0, write).await
    }

    async fn update_many(&self, updates: &[Write]) -> Result<Vec<Result<(), WriteError>>, Fault> {
        Boxed::update_many(&*self.0, updates).await
    }

    async fn transact(&self, writes: &[Write], token: &str) -> Result<(), TransactError> {
        Boxed::transact(&*self.0, writes, token).await
    }

    async fn query(&self, query: &Query) -> Result<Page, Fault> {
        Boxed::query(&*self.0, query).await
    }

    async fn count(&self, query: &Query) -> Result<Count, Fault> {
        Boxed::count(&*self.0, query).await
    }

    async fn scan(
        &self,
        table: Table,
        start: Option<Item>,
        limit: Option<u32>,
    ) -> Result<Page, Fault> {
        Boxed::scan(&*self.0, table, start, limit).await
    }
}
