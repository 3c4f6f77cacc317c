//! The engine that keeps everything in memory, for simulation and tests. It answers as the service does, and goes
//! wrong as the service does when it is asked to. Knows nothing of orders, and of no network.

mod change;
mod check;
mod condition;
mod faults;
mod holds;
mod places;
mod query;
mod read;
mod state;
#[cfg(test)]
mod tests;
mod tokens;
mod units;
mod value;

use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::Fault;
use tokio::task::yield_now;
use tokio::time::Instant;

use crate::engine::Engine;
use crate::ops::{Count, Item, Key, Page, Query, TransactError, Write, WriteError};
use crate::schema::Table;
use faults::Dice;
pub use faults::{Faults, Injected};
use holds::Holds;
use state::{State, Watch, of_table};
pub use units::{ReadUnits, WriteUnits};

/// Small, so that whoever forgets the next page is found out.
const PAGE_SIZE: usize = 100;

/// All clones share one set of tables.
///
/// Every request first lets other tasks go ahead, so that tasks on one thread meet in between as clients do.
#[derive(Debug, Clone)]
pub struct MemoryEngine(Arc<Mutex<State>>);

impl MemoryEngine {
    pub fn new() -> MemoryEngine {
        MemoryEngine::with_faults(0, Faults::default())
    }

    /// The same seed and the same requests in the same sequence meet the same faults.
    pub fn with_faults(seed: u64, faults: Faults) -> MemoryEngine {
        let state = State::new(Dice::new(seed, faults), PAGE_SIZE);
        MemoryEngine(Arc::new(Mutex::new(state)))
    }

    /// Items on one page at most, other than of a count; the service counts bytes, and so does this besides.
    pub fn page_size(self, items: usize) -> MemoryEngine {
        self.state().page_size = items.max(1);
        self
    }

    /// From now on a transaction has its items in hand for so long, drawn anew each time, and whatever else wants to write
    /// one of them conflicts with it. It takes as long itself.
    pub fn hold_items(&self, seed: u64, milliseconds: RangeInclusive<u64>) {
        self.state().holds = Some(Holds::new(seed, milliseconds));
    }

    /// Requests that met a transaction which had one of their items in hand.
    pub fn conflicts_met(&self) -> u64 {
        self.state().holds.as_ref().map_or(0, |holds| holds.met)
    }

    /// Shows every item that is written from now on, as it was and as it is, in the moment in which it is. What is
    /// deleted is not shown: there is nothing that it would have become. Whoever watched before goes on.
    pub fn watch(&self, watch: impl FnMut(&Key, Option<&Item>, &Item) + Send + 'static) {
        self.state().watches.push(Watch(Box::new(watch)));
    }

    /// From now on, for all clones.
    pub fn set_faults(&self, faults: Faults) {
        self.state().dice.faults = faults;
    }

    pub fn injected(&self) -> Injected {
        self.state().dice.injected
    }

    /// What was written, as the service bills it: by table, and by `table/index`.
    pub fn write_units(&self) -> WriteUnits {
        self.state().write_units.clone()
    }

    /// What was read, as the service bills it: by table, and by `table/index`.
    pub fn read_units(&self) -> ReadUnits {
        self.state().read_units.clone()
    }

    /// Transactions that were written.
    pub fn transactions(&self) -> u64 {
        self.state().transactions
    }

    /// Everything in a table, past all faults.
    pub fn items(&self, table: Table) -> Vec<Item> {
        let state = self.state();
        of_table(&state.stored, table, None)
            .filter_map(|(_, stored)| stored.item.clone())
            .collect()
    }

    /// Puts an item, past all conditions and faults: for tests that start from a broken state.
    pub fn overwrite(&self, table: Table, item: &Item) -> Result<(), Fault> {
        self.state().overwrite(table, item)
    }

    /// Takes an item away, past all faults.
    pub fn remove(&self, key: &Key) -> Option<Item> {
        self.state().remove(key)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Whatever is stored was stored whole: a panic elsewhere breaks nothing here.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryEngine {
    fn default() -> MemoryEngine {
        MemoryEngine::new()
    }
}

impl Engine for MemoryEngine {
    async fn get(&self, key: &Key) -> Result<Option<Item>, Fault> {
        yield_now().await;
        self.state().get(key)
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        yield_now().await;
        self.state().get_many(keys, false)
    }

    async fn get_many_now(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        yield_now().await;
        self.state().get_many(keys, true)
    }

    async fn write(&self, write: &Write) -> Result<(), WriteError> {
        yield_now().await;
        self.state().write(write, Instant::now())
    }

    async fn update_many(&self, updates: &[Write]) -> Result<Vec<Result<(), WriteError>>, Fault> {
        yield_now().await;
        self.state().update_many(updates, Instant::now())
    }

    async fn transact(&self, writes: &[Write], token: &str) -> Result<(), TransactError> {
        yield_now().await;
        let time = self.state().transact(writes, token, Instant::now())?;
        if let Some(time) = time {
            tokio::time::sleep(time).await;
        }
        Ok(())
    }

    async fn query(&self, query: &Query) -> Result<Page, Fault> {
        yield_now().await;
        self.state().query(query)
    }

    async fn count(&self, query: &Query) -> Result<Count, Fault> {
        yield_now().await;
        self.state().count(query)
    }

    async fn scan(
        &self,
        table: Table,
        start: Option<Item>,
        limit: Option<u32>,
    ) -> Result<Page, Fault> {
        yield_now().await;
        self.state().scan(table, start.as_ref(), limit)
    }
}
