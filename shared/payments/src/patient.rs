//! Patience with a gateway: faults that pass are retried under the same key, with jitter and a budget, then handed back.

use std::time::Duration;

use domain::{Backoff, Fault};
use tokio::time::Instant;

use crate::{Answer, Charge, Gateway, Refund, Refunded, Voidable};

const BACKOFF: Backoff = Backoff {
    first_ms: 50,
    longest_ms: 2_000,
};

/// No attempt is begun after so long. What lasts longer is for the message to bring back.
const BUDGET: Duration = Duration::from_secs(3);

pub struct Patient<G>(pub G);

impl<G: Gateway> Gateway for Patient<G> {
    async fn charge(&self, charge: &Charge<'_>) -> Result<Answer, Fault> {
        patiently(async || self.0.charge(charge).await).await
    }

    async fn status(&self, charge: &Charge<'_>) -> Result<Option<Answer>, Fault> {
        patiently(async || self.0.status(charge).await).await
    }

    async fn void(&self, key: &str, which: Voidable) -> Result<Answer, Fault> {
        patiently(async || self.0.void(key, which).await).await
    }

    async fn refund(&self, refund: &Refund<'_>) -> Result<Refunded, Fault> {
        patiently(async || self.0.refund(refund).await).await
    }

    async fn refund_status(&self, refund: &Refund<'_>) -> Result<Option<Refunded>, Fault> {
        patiently(async || self.0.refund_status(refund).await).await
    }
}

async fn patiently<T>(attempt: impl AsyncFn() -> Result<T, Fault>) -> Result<T, Fault> {
    let started = Instant::now();
    let mut last = Duration::ZERO;
    loop {
        let done = attempt().await;
        last = BACKOFF.next(last, fastrand::u64(..));
        if !matches!(done, Err(Fault::Transient(_))) || started.elapsed() + last > BUDGET {
            return done;
        }
        tokio::time::sleep(last).await;
    }
}
