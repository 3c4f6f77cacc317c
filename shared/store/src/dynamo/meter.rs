//! What was used: requests by operation, capacity by table and index. Kept for each invocation, and logged once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_dynamodb::types::ConsumedCapacity;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Requests that went out, each attempt of the SDK counted, by `service:Operation`.
    pub calls: BTreeMap<String, u64>,
    /// Write units by table, and by `table/index`.
    pub write_units: BTreeMap<String, f64>,
    pub read_units: BTreeMap<String, f64>,
    /// What leave that took, as policies spell it: actions, and the ends of the ARNs that they were for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub leave: BTreeMap<String, BTreeSet<String>>,
}

/// Shared by all clients of a process.
#[derive(Debug, Clone, Default)]
pub struct Meter(Arc<Mutex<Usage>>);

impl Meter {
    pub fn call(&self, operation: String) {
        *self.usage().calls.entry(operation).or_default() += 1;
    }

    pub fn leave(&self, action: String, of: String) {
        self.usage().leave.entry(action).or_default().insert(of);
    }

    /// What was used since the last time somebody asked.
    pub fn take(&self) -> Usage {
        std::mem::take(&mut self.usage())
    }

    pub(super) fn read<'a>(&self, consumed: impl IntoIterator<Item = &'a ConsumedCapacity>) {
        add(&mut self.usage().read_units, consumed);
    }

    pub(super) fn write<'a>(&self, consumed: impl IntoIterator<Item = &'a ConsumedCapacity>) {
        add(&mut self.usage().write_units, consumed);
    }

    fn usage(&self) -> std::sync::MutexGuard<'_, Usage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn add<'a>(
    units: &mut BTreeMap<String, f64>,
    consumed: impl IntoIterator<Item = &'a ConsumedCapacity>,
) {
    for consumed in consumed {
        let table = consumed.table_name().unwrap_or_default();
        let mut of_indexes = 0.0;
        for (index, capacity) in consumed.global_secondary_indexes().into_iter().flatten() {
            let index_units = capacity.capacity_units().unwrap_or_default();
            *units.entry(format!("{table}/{index}")).or_default() += index_units;
            of_indexes += index_units;
        }
        *units.entry(table.to_owned()).or_default() +=
            consumed.capacity_units().unwrap_or_default() - of_indexes;
    }
}
