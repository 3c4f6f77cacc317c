//! The store's engine on a local disk: an embedded DynamoDB over SQLite (`dynoxide`). Its requests are the ones that the
//! `dynamo` engine sends, so it adds no rules of its own.
//!
//! A crate of its own, so that no function links SQLite. Reads are always consistent. Tokens of transactions are kept in
//! memory: a process that starts again does not know them.

mod requests;
mod tables;
mod values;

use std::collections::HashMap;
use std::path::Path;

use domain::Fault;
use domain::limits::ITEMS_PER_TRANSACTION;
use dynoxide::{Database, DynoxideError};
use store::dynamo::codes;
use store::engine::Engine;
use store::ops::{Count, Item, Key, Page, Query, TransactError, Verdict, Write, WriteError};
use store::schema::Table;
use values::item;

/// All clones share one database.
#[derive(Clone)]
pub struct DiskEngine {
    database: Database,
}

impl DiskEngine {
    /// Opens the database of this file, which is created if it does not exist.
    pub fn open(file: &Path) -> Result<DiskEngine, Fault> {
        let Some(path) = file.to_str() else {
            let why = format!("the path {} is not UTF-8", file.display());
            return Err(Fault::Malformed(why));
        };
        DiskEngine::with(Database::new(path).map_err(fault)?)
    }

    /// A database that is kept in memory, for tests.
    pub fn in_memory() -> Result<DiskEngine, Fault> {
        DiskEngine::with(Database::memory().map_err(fault)?)
    }

    fn with(database: Database) -> Result<DiskEngine, Fault> {
        tables::create(&database).map_err(fault)?;
        Ok(DiskEngine { database })
    }

    /// SQLite blocks, so a request has a thread that may wait.
    async fn run<T: Send + 'static>(
        &self,
        request: impl FnOnce(&Database) -> Result<T, DynoxideError> + Send + 'static,
    ) -> Result<T, DynoxideError> {
        let database = self.database.clone();
        let answer = tokio::task::spawn_blocking(move || request(&database)).await;
        answer.unwrap_or_else(|error| Err(DynoxideError::InternalServerError(error.to_string())))
    }
}

impl Engine for DiskEngine {
    async fn get(&self, key: &Key) -> Result<Option<Item>, Fault> {
        let request = requests::get(key);
        let response = self.run(|database| database.get_item(request)).await;
        Ok(response.map_err(fault)?.item.map(item))
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        let mut found = HashMap::new();
        let mut open = requests::get_many(keys);
        while let Some((table, request)) = open {
            let response = self.run(|database| database.batch_get_item(request)).await;
            let response = response.map_err(fault)?;
            for item in response.responses.into_values().flatten().map(item) {
                found.insert(Key::of_item(table, &item), item);
            }
            // A response that grows too large leaves keys out. Each response makes progress.
            let left = requests::left_of(response.unprocessed_keys)?;
            open = left.map(|request| (table, request));
        }
        Ok(keys.iter().map(|key| found.remove(key)).collect())
    }

    async fn write(&self, write: &Write) -> Result<(), WriteError> {
        let request = requests::Single::new(write).map_err(WriteError::Fault)?;
        let response = self.run(move |database| request.send(database)).await;
        response.map_err(|error| match error {
            DynoxideError::ConditionalCheckFailedException(_, found) => {
                WriteError::Condition(found.map(item))
            }
            error => WriteError::Fault(fault(error)),
        })
    }

    async fn update_many(&self, updates: &[Write]) -> Result<Vec<Result<(), WriteError>>, Fault> {
        let request = requests::statements(updates)?;
        let response = self
            .run(|database| database.batch_execute_statement(request))
            .await;
        let outcomes = response.map_err(fault)?.responses.into_iter();
        let outcomes = outcomes.map(|statement| match statement.error {
            None => Ok(()),
            Some(error) => Err(codes::statement_error(
                &error.code,
                error.message,
                error.item.map(item),
            )),
        });
        Ok(outcomes.collect())
    }

    async fn transact(&self, writes: &[Write], token: &str) -> Result<(), TransactError> {
        if writes.len() > ITEMS_PER_TRANSACTION {
            return Err(TransactError::Fault(Fault::Malformed(format!(
                "{} writes do not fit into a transaction",
                writes.len()
            ))));
        }
        let request = requests::transaction(writes, token).map_err(TransactError::Fault)?;
        let response = self
            .run(|database| database.transact_write_items(request))
            .await;
        match response {
            Ok(_) => Ok(()),
            Err(DynoxideError::TransactionCanceledException(_, reasons)) => {
                let verdicts = reasons.into_iter().map(|reason| {
                    let message = reason.message.unwrap_or_default();
                    codes::verdict(&reason.code, &message, reason.item.map(item))
                });
                Err(match verdicts.collect::<Result<Vec<Verdict>, Fault>>() {
                    Ok(verdicts) => TransactError::Cancelled(verdicts),
                    Err(fault) => TransactError::Fault(fault),
                })
            }
            Err(error) => Err(TransactError::Fault(fault(error))),
        }
    }

    async fn query(&self, query: &Query) -> Result<Page, Fault> {
        let request = requests::query(query, false)?;
        let response = self.run(|database| database.query(request)).await;
        let response = response.map_err(fault)?;
        Ok(page(response.items, response.last_evaluated_key))
    }

    async fn count(&self, query: &Query) -> Result<Count, Fault> {
        let request = requests::query(query, true)?;
        let response = self.run(|database| database.query(request)).await;
        let response = response.map_err(fault)?;
        Ok(Count {
            items: response.count as u64,
            next: response.last_evaluated_key.map(item),
        })
    }

    async fn scan(
        &self,
        table: Table,
        start: Option<Item>,
        limit: Option<u32>,
    ) -> Result<Page, Fault> {
        let request = requests::scan(table, start, limit);
        let response = self.run(|database| database.scan(request)).await;
        let response = response.map_err(fault)?;
        Ok(page(response.items, response.last_evaluated_key))
    }
}

fn page(items: Option<Vec<dynoxide::Item>>, next: Option<dynoxide::Item>) -> Page {
    Page {
        items: items.unwrap_or_default().into_iter().map(item).collect(),
        next: next.map(item),
    }
}

fn fault(error: DynoxideError) -> Fault {
    let name = error.error_type();
    let code = name.rsplit('#').next().unwrap_or(name);
    codes::fault(code, format!("{code}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::ops::{Condition, number};

    #[tokio::test]
    async fn items_are_there_after_a_restart() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("orders.db");
        let key = Key::new(Table::Products, "SKU-1");
        let mut item = key.item();
        item.insert("available".to_owned(), number(5));
        let put = Write::Put {
            table: Table::Products,
            item: item.clone(),
            condition: Condition::Absent,
        };
        let engine = DiskEngine::open(&file).expect("a new database");
        assert_eq!(engine.write(&put).await, Ok(()));
        drop(engine);
        let engine = DiskEngine::open(&file).expect("the same database");
        assert_eq!(engine.get(&key).await, Ok(Some(item.clone())));
        let again = engine.write(&put).await;
        assert_eq!(again, Err(WriteError::Condition(Some(item))));
    }

    #[test]
    fn a_path_that_cannot_be_opened_is_a_fault() {
        let opened = DiskEngine::open(Path::new("/dev/null/orders.db"));
        assert!(matches!(opened.err(), Some(Fault::Transient(_))));
    }
}
