//! Imports with their progress. Orders that come one by one arrive as files, too, and are listed apart.

use domain::Fault;
use domain::progress::{ImportStatus, SINGLE_ORDERS};
use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use crate::engine::Engine;
use crate::imports::Import;
use crate::page::{List, ListError, Listed, Position, Walk};
use crate::pending::attribute;
use crate::retry::Store;
use crate::schema::{BY_CREATED, Table};

/// Imports that are looked at for one page: each takes two reads, for it is shown as it is now.
const LOOKED_AT: usize = 300;

/// Imports that are read at the same time.
const AT_ONCE: usize = 16;

/// What an import is of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    #[default]
    File,
    /// An order that came by itself.
    Order,
}

impl Source {
    pub fn of(key: &str) -> Source {
        match key.starts_with(SINGLE_ORDERS) {
            true => Source::Order,
            false => Source::File,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Source::File => "file",
            Source::Order => "order",
        }
    }
}

/// All of it has to be so.
#[derive(Debug, Clone, Copy, Default)]
pub struct ImportFilter<'a> {
    pub source: Source,
    pub status: Option<ImportStatus>,
    /// The whole key of the object.
    pub file: Option<&'a str>,
}

impl ImportFilter<'_> {
    fn wants(&self, import: &Import) -> bool {
        self.status.is_none_or(|status| import.status() == status)
            && self.file.is_none_or(|file| import.record.key == file)
    }
}

impl<E: Engine> Store<E> {
    pub async fn list_imports(
        &self,
        filter: &ImportFilter<'_>,
        limit: u32,
        position: Option<&Position>,
    ) -> Result<Listed<Import>, ListError> {
        let list = List {
            table: Table::Imports,
            index: &BY_CREATED,
            partitions: vec![filter.source.name().to_owned()],
            range: None,
            oldest_first: false,
            filtered: filter.status.is_some() || filter.file.is_some(),
            most: LOOKED_AT,
        };
        let mut walk = Walk::new(list, limit, position)?;
        let books = self.books().await?;
        while let Some(entries) = walk.entries(self).await? {
            let ids = entries.iter().map(|entry| attribute(entry, "import_id"));
            let ids = ids.collect::<Result<Vec<String>, Fault>>()?;
            let found: Vec<Option<Import>> = stream::iter(ids)
                .map(async |id| self.import_in(&books, &id).await)
                .buffered(AT_ONCE)
                .try_collect()
                .await?;
            let wanted = |import: &Import| filter.wants(import);
            walk.take(found.into_iter().map(|found| found.filter(wanted)));
        }
        Ok(walk.listed())
    }
}
