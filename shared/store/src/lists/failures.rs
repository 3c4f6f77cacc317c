//! Failures of some queues, one queue after the other; within a queue, what was put aside last comes first. One that is
//! put aside again while somebody turns pages moves to the front.

use domain::Fault;
use jiff::Timestamp;

use crate::engine::Engine;
use crate::failures::{self, State};
use crate::instant::sortable;
use crate::item::record;
use crate::page::{List, ListError, Listed, Position, Walk, is_name};
use crate::retry::Store;
use crate::schema::{BY_QUEUE, Table};

/// Failures that are looked at for one page.
const LOOKED_AT: usize = 1_000;

/// All of it has to be so.
#[derive(Debug, Clone, Copy, Default)]
pub struct FailureFilter<'a> {
    pub queues: &'a [&'a str],
    /// In one of these states. None are all.
    pub states: &'a [State],
    /// The name of a fault, in any case.
    pub fault: Option<&'a str>,
    /// Put aside at this instant or later.
    pub since: Option<Timestamp>,
}

impl FailureFilter<'_> {
    fn wants(&self, failure: &failures::Listed) -> bool {
        let fault = self.fault;
        (self.states.is_empty() || self.states.contains(&failure.state))
            && fault.is_none_or(|fault| fault.eq_ignore_ascii_case(&failure.fault))
    }
}

impl<E: Engine> Store<E> {
    pub async fn list_failures(
        &self,
        filter: &FailureFilter<'_>,
        limit: u32,
        position: Option<&Position>,
    ) -> Result<Listed<failures::Listed>, ListError> {
        let mut queues: Vec<String> = Vec::new();
        for queue in filter.queues.iter().filter(|queue| is_name(queue)) {
            if !queues.iter().any(|known| known == queue) {
                queues.push((*queue).to_owned());
            }
        }
        let until = Timestamp::MAX;
        let list = List {
            table: Table::Failures,
            index: &BY_QUEUE,
            partitions: queues,
            range: filter.since.map(|since| (sortable(since), sortable(until))),
            oldest_first: false,
            filtered: !filter.states.is_empty() || filter.fault.is_some(),
            most: LOOKED_AT,
        };
        let mut walk = Walk::new(list, limit, position)?;
        while let Some(entries) = walk.entries(self).await? {
            let found = entries.into_iter().map(record);
            let found = found.collect::<Result<Vec<failures::Listed>, Fault>>()?;
            let wanted = |failure: failures::Listed| filter.wants(&failure).then_some(failure);
            walk.take(found.into_iter().map(wanted));
        }
        Ok(walk.listed())
    }
}
