//! Tells whoever is behind the webhook's URL that a charge changed: signed, until it is accepted, and now and then twice.

use std::time::Duration;

use anyhow::{Context, Result};
use domain::Backoff;
use jiff::Timestamp;
use payments::SigningKey;
use payments::contract::{ChargeChanged, SIGNATURE};
use tokio::sync::Semaphore;

/// Longer than any function runs: the receiver would still work on a request that was given up, beside its repetition.
const REQUEST: Duration = Duration::from_secs(30);

const BACKOFF: Backoff = Backoff {
    first_ms: 200,
    longest_ms: 30_000,
};

/// Minutes, all in all. Who missed an event by then has to ask.
const ATTEMPTS: u32 = 30;

/// A receiver that is down or slow gets no more than it can handle. Each request may start a process there.
const AT_ONCE: usize = 8;

pub struct Webhooks {
    url: String,
    client: reqwest::Client,
    key: SigningKey,
    permits: Semaphore,
}

impl Webhooks {
    pub fn new(url: &str, key: SigningKey) -> Result<Webhooks> {
        // One that is there already is as good.
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .timeout(REQUEST)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .context("no HTTP client for webhooks")?;
        Ok(Webhooks {
            url: url.to_owned(),
            client,
            key,
            permits: Semaphore::new(AT_ONCE),
        })
    }

    /// Whether it was accepted in the end.
    pub async fn deliver(&self, event: &ChargeChanged) -> bool {
        let Ok(body) = serde_json::to_vec(event) else {
            return false;
        };
        let mut last = Duration::ZERO;
        for _ in 0..ATTEMPTS {
            if self.accepted(&body).await {
                return true;
            }
            last = BACKOFF.next(last, fastrand::u64(..));
            tokio::time::sleep(last).await;
        }
        false
    }

    async fn accepted(&self, body: &[u8]) -> bool {
        let Ok(_permit) = self.permits.acquire().await else {
            return false;
        };
        // Anew each time: a signature is believed for some minutes only.
        let signature = self.key.sign(&[body], Timestamp::now());
        let sent = self
            .client
            .post(&self.url)
            .header(SIGNATURE, signature)
            .header("content-type", "application/json")
            .body(body.to_vec())
            .send()
            .await;
        sent.is_ok_and(|answer| answer.status().is_success())
    }
}
