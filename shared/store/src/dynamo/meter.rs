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
    /// The part of the write units that PartiQL statements took.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub statement_units: BTreeMap<String, f64>,
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

    pub(super) fn statements(&self, consumed: &[ConsumedCapacity]) {
        self.write(consumed);
        add(&mut self.usage().statement_units, consumed);
    }

    /// A transaction that was already done under its token costs read units: the service reads its items and writes nothing.
    pub(super) fn transaction(&self, consumed: &[ConsumedCapacity]) {
        let is_read = |table: &&ConsumedCapacity| table.read_capacity_units().is_some();
        self.read(consumed.iter().filter(is_read));
        self.write(consumed.iter().filter(|table| !is_read(table)));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn consumed(
        table: &str,
        units: f64,
    ) -> aws_sdk_dynamodb::types::builders::ConsumedCapacityBuilder {
        ConsumedCapacity::builder()
            .table_name(table)
            .capacity_units(units)
    }

    #[test]
    fn replayed_transaction_counts_as_reads() {
        let meter = Meter::default();
        meter.transaction(&[consumed("orders", 4.0).write_capacity_units(4.0).build()]);
        meter.transaction(&[consumed("orders", 2.0).read_capacity_units(2.0).build()]);
        let usage = meter.take();
        let units = |of: &BTreeMap<String, f64>| of.get("orders").copied();
        assert_eq!(units(&usage.write_units), Some(4.0));
        assert_eq!(units(&usage.read_units), Some(2.0));
    }

    #[test]
    fn units_of_statements_are_part_of_the_write_units() {
        let meter = Meter::default();
        meter.write(&[consumed("orders", 1.0).build()]);
        meter.statements(&[consumed("orders", 3.0).build()]);
        let usage = meter.take();
        assert_eq!(usage.write_units["orders"], 4.0);
        assert_eq!(usage.statement_units["orders"], 3.0);
    }
}
