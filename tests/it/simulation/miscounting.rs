//! Writes that count notifications, and a way to count them wrongly.

use store::Engine;
use store::memory::MemoryEngine;
use store::ops::{TransactError, Verdict, Write};
use store::schema::Table;

/// Whether these add a notification.
pub fn adds(writes: &[Write]) -> bool {
    let table = Table::Notifications;
    let adds = |write: &Write| matches!(write, Write::Put { table: of, .. } if *of == table);
    writes.iter().any(adds)
}

/// Whether these change a notification.
pub fn changes(writes: &[Write]) -> bool {
    let table = Table::Notifications;
    let changes = |write: &Write| matches!(write, Write::Update { key, .. } if key.table == table);
    writes.iter().any(changes)
}

fn is_counter(write: &Write) -> bool {
    matches!(write, Write::Update { key, .. } if key.partition.starts_with("notifications#"))
}

pub fn without_counters(writes: &[Write]) -> Vec<Write> {
    let others = writes.iter().filter(|write| !is_counter(write));
    others.cloned().collect()
}

/// Counts also what is refused because it is on record already.
pub async fn count_again(
    memory: &MemoryEngine,
    writes: &[Write],
    token: &str,
) -> Result<(), TransactError> {
    let answer = memory.transact(writes, token).await;
    let is_known = |verdict: &Verdict| matches!(verdict, Verdict::Condition(_));
    if let Err(TransactError::Cancelled(verdicts)) = &answer
        && verdicts.iter().any(is_known)
    {
        let counters = writes.iter().filter(|write| is_counter(write)).cloned();
        let counters: Vec<Write> = counters.collect();
        memory.transact(&counters, &format!("{token}-2")).await?;
    }
    answer
}
