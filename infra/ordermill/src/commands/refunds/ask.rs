//! Asks for a refund, takes one back, tries one again, and waits until it has ended.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use domain::refund::{RefundStatus, Refusal};
use edge::refunds;
use serde_json::{Value, json};
use store::Store;
use store::dynamo::DynamoEngine;
use store::refunds::{Moved, RefundRecord, RefundRequest, Requested};

use super::{outbox, show};
use crate::cli::Global;
use crate::cli::refunds::{Refund, Wait};
use crate::cloud::Stack;
use crate::commands::{now, principal};
use crate::output;

pub async fn run(global: &Global, stack: &Stack, options: &Refund) -> Result<bool> {
    let (store, outbox) = (stack.store()?, outbox(stack)?);
    let key = match &options.key {
        Some(key) => key.clone(),
        None => {
            let drawn = format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
            // On stderr, and before anything happens: who is cut off can ask again under it.
            errln!("(under the key {drawn})");
            drawn
        }
    };
    let request = RefundRequest {
        key: &key,
        order_id: &options.order_id,
        wanted: &options.wanted(),
        reason: &options.reason,
        requested_by: &principal(),
    };
    match refunds::request(&store, &outbox, &request, now()).await? {
        Requested::New(refund) => waited(global, &store, *refund, &options.wait).await,
        Requested::Replayed(refund) => {
            errln!("(this was asked for before, at {})", refund.created_at);
            waited(global, &store, *refund, &options.wait).await
        }
        Requested::KeyReused => {
            let why = "under this key something else was asked for before";
            refused(global, &options.order_id, "key_reused", why, None)
        }
        Requested::NoSuchOrder => {
            let why = "there is no such order";
            refused(global, &options.order_id, "no_such_order", why, None)
        }
        Requested::Refused(refusal) => refused_by(global, &options.order_id, &refusal),
    }
}

pub async fn cancel(global: &Global, stack: &Stack, id: &str) -> Result<bool> {
    match stack
        .store()?
        .cancel_refund(id, &principal(), now())
        .await?
    {
        Moved::Done(refund) => {
            show::one(global, &refund)?;
            Ok(true)
        }
        moved => stays(global, id, moved, RefundRecord::why_not_cancelled),
    }
}

pub async fn retry(global: &Global, stack: &Stack, id: &str, wait: &Wait) -> Result<bool> {
    let (store, outbox) = (stack.store()?, outbox(stack)?);
    match refunds::retry(&store, &outbox, id, &principal(), now()).await? {
        Moved::Done(refund) => waited(global, &store, *refund, wait).await,
        moved => stays(global, id, moved, |_| {
            "only what failed can be tried again".to_owned()
        }),
    }
}

fn stays(
    global: &Global,
    id: &str,
    moved: Moved,
    why: impl Fn(&RefundRecord) -> String,
) -> Result<bool> {
    match moved {
        Moved::Done(refund) | Moved::Stays(refund) => {
            show::one(global, &refund)?;
            errln!("{id} is {}: {}", refund.status, why(&refund));
            Ok(false)
        }
        Moved::Refused(refusal) => refused_by(global, id, &refusal),
        Moved::Unknown => bail!("there is no refund {}", output::plain(id)),
    }
}

async fn waited(
    global: &Global,
    store: &Store<DynamoEngine>,
    refund: RefundRecord,
    wait: &Wait,
) -> Result<bool> {
    let (refund, done) = ended(store, refund, wait).await?;
    show::one(global, &refund)?;
    Ok(done)
}

/// The refund when it has ended, and whether the money went back. Who does not wait is content with what is on record.
pub async fn ended(
    store: &Store<DynamoEngine>,
    mut refund: RefundRecord,
    wait: &Wait,
) -> Result<(RefundRecord, bool)> {
    let started = Instant::now();
    while refund.status.is_open() && !wait.no_wait {
        if started.elapsed() > Duration::from_secs(wait.timeout) {
            errln!(
                "not over after {} seconds; it goes on without us",
                wait.timeout
            );
            return Ok((refund, false));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        let found = store.refund(&refund.refund_id).await?;
        refund = found.unwrap_or(refund);
    }
    let done = refund.status == RefundStatus::Completed || refund.status.is_open();
    Ok((refund, done))
}

fn refused_by(global: &Global, of: &str, refusal: &Refusal) -> Result<bool> {
    let (code, left) = match refusal {
        Refusal::NotRefundable { left } => ("not_refundable", Some(json!(left))),
        Refusal::TooManyUnits { left, .. } => ("too_many_units", Some(json!(left))),
        Refusal::NotSold(_) => ("not_sold", None),
        Refusal::Invalid { .. } => ("invalid", None),
    };
    refused(global, of, code, &refusal.to_string(), left)
}

/// A known no, with what is left.
fn refused(global: &Global, of: &str, code: &str, why: &str, left: Option<Value>) -> Result<bool> {
    if global.json {
        output::json(&json!({"of": of, "refused": code, "reason": why, "left": left}))?;
    } else {
        outln!(
            "{} is not refunded: {}",
            output::plain(of),
            output::plain(why)
        );
    }
    Ok(false)
}
