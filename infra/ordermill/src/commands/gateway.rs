//! `gateway`: a payment gateway on this machine, until Ctrl-C, and what it did by then.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use jiff::SignedDuration;
use payments::SigningKey;
use tokio::net::TcpListener;

use crate::cli::{self, Global};
use crate::exit::Signals;
use crate::gateway::{Behaviour, Server, Summary};
use crate::output;
use crate::target::Target;

pub async fn run(global: &Global, options: &cli::Gateway) -> Result<bool> {
    let behaviour = options.behaviour();
    let (key, webhook) = with_whom(global, options).await?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await;
    let listener = listener.with_context(|| format!("listening on port {}", options.port))?;
    let server = Server::start(listener, key, behaviour.clone(), webhook.as_deref()).await?;
    // With --json, stdout is for the document at the end.
    let said = introduction(&server.url(), &behaviour, webhook.as_deref());
    match global.json {
        true => errln!("{said}"),
        false => outln!("{said}"),
    }
    Signals::listen()?.next().await;
    let summary = server.stop().await;
    match global.json {
        true => output::json(&summary)?,
        false => show(&summary),
    }
    Ok(true)
}

/// The key that is shared, and where events go.
async fn with_whom(
    global: &Global,
    options: &cli::Gateway,
) -> Result<(SigningKey, Option<String>)> {
    if let Some(file) = &options.key_file {
        let key = std::fs::read_to_string(file);
        let key = key.with_context(|| format!("reading {}", file.display()))?;
        let key = key.trim();
        ensure!(!key.is_empty(), "there is no key in {}", file.display());
        return Ok((SigningKey::new(key), options.webhook.clone()));
    }
    let target = Target::find(global.aws)?;
    let stack = target
        .stack(&global.stack)
        .await
        .context("no key to sign with: there is no --key-file either")?;
    let webhook = match &options.webhook {
        Some(url) => url.clone(),
        None => stack.webhook_url()?,
    };
    Ok((stack.payment_key().await?, Some(webhook)))
}

fn introduction(url: &str, behaviour: &Behaviour, webhook: Option<&str>) -> String {
    let Behaviour {
        seed,
        decline,
        pending,
        pending_for,
        pending_decline,
        late,
        late_after,
        drop,
        error,
        throttle,
        latency,
        settle_after,
        duplicate_webhooks,
    } = behaviour;
    let [pending_for, late_after, settle_after, least, most] = [
        *pending_for,
        *late_after,
        *settle_after,
        latency.least,
        latency.most,
    ]
    .map(shown);
    let webhooks = webhook.map_or(
        "are not sent: there is no --webhook".to_owned(),
        |webhook| format!("go to {webhook}, {duplicate_webhooks} of them twice"),
    );
    format!(
        "A payment gateway listens at {url}. Its books are kept in memory, and gone when it stops.
  charges   {decline} are declined; {pending} are pending for {pending_for}, of which {pending_decline} are declined;
            {late} are pending until they are voided, and approved {late_after} after that; the others are approved at once
  requests  {drop} get no answer, {error} a 500, {throttle} a 429; they take {least} to {most}
  captures  are settled after {settle_after}: until then they can be voided
  webhooks  {webhooks}
  seed      {seed}

Point a stack to it, in another terminal:  ordermill up --payment-gateway {url}
Ctrl-C stops it."
    )
}

/// As it is typed: `1h`, `500ms`.
fn shown(time: Duration) -> String {
    SignedDuration::try_from(time).map_or_else(|_| format!("{time:?}"), |time| format!("{time:#}"))
}

fn show(summary: &Summary) {
    let Summary {
        charges,
        sums,
        faults,
        unbelieved,
        webhooks,
    } = summary;
    outln!();
    let charges = [
        ("approved", charges.approved),
        ("declined", charges.declined),
        ("pending", charges.pending),
        ("voided", charges.voided),
    ];
    let charges = charges.map(|(status, count)| [status.to_owned(), count.to_string()]);
    outln!("{}\n", output::table(&["charges", ""], &[1], charges));
    let sums = sums.iter().map(|(currency, sums)| {
        let left = sums
            .captured
            .saturating_sub(sums.voided)
            .saturating_sub(sums.refunded);
        [
            currency.to_string(),
            sums.captured.to_string(),
            sums.voided.to_string(),
            sums.refunded.to_string(),
            left.to_string(),
        ]
    });
    let header = ["sums", "captured", "voided", "refunded", "left"];
    outln!("{}\n", output::table(&header, &[1, 2, 3, 4], sums));
    let others = [
        ("answers dropped", faults.dropped),
        ("500", faults.errors),
        ("429", faults.throttled),
        ("not signed rightly", *unbelieved),
        ("webhooks delivered", webhooks.delivered),
        ("webhooks given up", webhooks.given_up),
    ];
    let others = others.map(|(what, count)| [what.to_owned(), count.to_string()]);
    outln!("{}", output::table(&["on the way", ""], &[1], others));
}
