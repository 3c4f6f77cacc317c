//! `refund` and `refunds`: money that goes back, and what is known of it.

pub mod ask;
pub mod show;

use anyhow::{Result, bail};
use edge::outbox::SqsOutbox;

use crate::cli::Global;
use crate::cli::refunds::{Refund, Refunds};
use crate::cloud::Stack;
use crate::output;

pub async fn ask(global: &Global, stack: &Stack, options: &Refund) -> Result<bool> {
    ask::run(global, stack, options).await
}

pub async fn run(global: &Global, stack: &Stack, command: &Refunds) -> Result<bool> {
    match command {
        Refunds::List { order } => list(global, stack, order.as_deref()).await,
        Refunds::Show { id } => {
            let Some(refund) = stack.store()?.refund(id).await? else {
                bail!("there is no refund {}", output::plain(id));
            };
            show::one(global, &refund)?;
            Ok(true)
        }
        Refunds::Cancel { id } => ask::cancel(global, stack, id).await,
        Refunds::Retry { id, wait } => ask::retry(global, stack, id, wait).await,
    }
}

async fn list(global: &Global, stack: &Stack, order: Option<&str>) -> Result<bool> {
    let store = stack.store()?;
    let refunds = match order {
        Some("") => Vec::new(),
        Some(order_id) => store.refunds_of(order_id).await?,
        None => {
            let mut refunds = Vec::new();
            store.each_refund(|refund| refunds.push(refund)).await?;
            refunds.sort_by(|one, other| {
                (one.created_at, &one.refund_id).cmp(&(other.created_at, &other.refund_id))
            });
            refunds
        }
    };
    if global.json {
        output::json(&refunds)?;
    } else if refunds.is_empty() {
        outln!("There are no refunds.");
    } else {
        outln!("{}", show::table(&refunds));
    }
    Ok(true)
}

pub fn outbox(stack: &Stack) -> Result<SqsOutbox> {
    stack.outbox("RefundsQueueUrl")
}
