//! Refunds that are open for too long: lost between the record and the queue, or their message was put aside.

use domain::Fault;
use edge::Invocation;
use edge::refunds::{RefundMessage, Refunds};
use store::{Engine, Store};

use super::{MARGIN, PER_RUN, next_look};

/// Sends them once more. Returns how many these are.
pub async fn send_again<E: Engine>(
    store: &Store<E>,
    refunds: &impl Refunds,
    invocation: Invocation,
) -> Result<usize, Fault> {
    let now = invocation.now;
    let started = tokio::time::Instant::now();
    let mut messages = Vec::new();
    for refund in store.overdue_refunds(now, PER_RUN).await? {
        if started.elapsed() + MARGIN > invocation.remaining {
            break;
        }
        let until = next_look(now, refund.open_since())?;
        // Who postpones it sends it. Dying in between costs that time.
        if store.postpone_refund(&refund, until).await? {
            let refund_id = refund.refund_id;
            messages.push(RefundMessage { refund_id });
        }
    }
    let sent = messages.len();
    refunds.send(messages).await?;
    if sent > 0 {
        tracing::info!(refunds = sent, "refunds were open for too long");
    }
    Ok(sent)
}
