//! The memory engine behind a role of the template: whatever a function asks of it that its role does not allow is found
//! out here, with all that the tests of the API ask for. The service would say no, and an emulator says nothing.

use std::sync::{Arc, Mutex};

use domain::Fault;
use jiff::tz::TimeZone;
use store::memory::MemoryEngine;
use store::ops::{Count, Item, Key, Page, Query, TransactError, Write, WriteError};
use store::schema::Table;
use store::tallies::Scope;
use store::{AnyEngine, Engine, Store};

use crate::house::roles::Role;
use crate::house::text;
use crate::support::now;

struct Guarded {
    engine: MemoryEngine,
    role: Role,
    away: Away,
}

/// A table that is not there.
pub type Away = Arc<Mutex<Option<Table>>>;

/// As this function has it.
pub fn guarded(function: &str, engine: &MemoryEngine, away: &Away) -> Store<AnyEngine> {
    let guarded = Guarded {
        engine: engine.clone(),
        role: Role::of(&text("template.yaml"), function),
        away: away.clone(),
    };
    Store::new(AnyEngine::new(guarded), 2)
}

impl Guarded {
    fn must(&self, action: &str, table: Table) {
        let of = format!("GetAtt {table:?}.Arn");
        self.role.must("dynamodb", &[action], &of);
    }

    fn must_each(&self, writes: &[Write], [put, update, delete]: [&str; 3]) {
        for write in writes {
            match write {
                Write::Put { table, .. } => self.must(put, *table),
                Write::Update { key, .. } => self.must(update, key.table),
                Write::Delete { key, .. } => self.must(delete, key.table),
            }
        }
    }

    fn must_query(&self, query: &Query) {
        match query.index {
            None => self.must("Query", query.table),
            Some(index) => {
                let of = format!("{{{:?}.Arn}}/index/{}\"", query.table, index.name);
                self.role.must("dynamodb", &["Query"], &of);
            }
        }
    }
}

const ONE_BY_ONE: [&str; 3] = ["PutItem", "UpdateItem", "DeleteItem"];
const STATEMENTS: [&str; 3] = ["PartiQLInsert", "PartiQLUpdate", "PartiQLDelete"];

impl Engine for Guarded {
    async fn get(&self, key: &Key) -> Result<Option<Item>, Fault> {
        self.must("GetItem", key.table);
        if *self.away.lock().expect("a lock") == Some(key.table) {
            return Err(Fault::Corrupt("there is no such table".to_owned()));
        }
        self.engine.get(key).await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        for key in keys.iter().take(1) {
            self.must("BatchGetItem", key.table);
        }
        self.engine.get_many(keys).await
    }

    async fn write(&self, write: &Write) -> Result<(), WriteError> {
        self.must_each(std::slice::from_ref(write), ONE_BY_ONE);
        self.engine.write(write).await
    }

    async fn update_many(&self, updates: &[Write]) -> Result<Vec<Result<(), WriteError>>, Fault> {
        self.must_each(updates, STATEMENTS);
        self.engine.update_many(updates).await
    }

    async fn transact(&self, writes: &[Write], token: &str) -> Result<(), TransactError> {
        self.must_each(writes, ONE_BY_ONE);
        self.engine.transact(writes, token).await
    }

    async fn query(&self, query: &Query) -> Result<Page, Fault> {
        self.must_query(query);
        self.engine.query(query).await
    }

    async fn count(&self, query: &Query) -> Result<Count, Fault> {
        self.must_query(query);
        self.engine.count(query).await
    }

    async fn scan(
        &self,
        table: Table,
        start: Option<Item>,
        limit: Option<u32>,
    ) -> Result<Page, Fault> {
        self.must("Scan", table);
        self.engine.scan(table, start, limit).await
    }
}

/// It starts when somebody wishes it, and not with any import.
#[tokio::test]
async fn a_rebuild_asks_for_nothing_that_tally_may_not() {
    let store = guarded("tally", &MemoryEngine::new(), &Away::default());
    let zone = TimeZone::UTC;
    let rebuilt = store.rebuild(Scope::Everything, &zone, now, |_| {});
    rebuilt.await.expect("rebuilt");
}
