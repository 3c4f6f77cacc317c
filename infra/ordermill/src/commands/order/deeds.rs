//! Ships, delivers or cancels an order, and shows it as it is then.

use anyhow::Result;
use edge::refunds::{self, Cancelled};
use serde_json::json;
use store::dynamo::DynamoEngine;
use store::lifecycle::{Asked, Changed, Refused};
use store::{Moment, Store};

use super::super::refunds::ask::ended;
use super::super::refunds::outbox;
use super::{get, known};
use crate::cli::Global;
use crate::cli::orders::Deed;
use crate::cli::refunds::Wait;
use crate::cloud::Stack;
use crate::commands::{now, principal};
use crate::output;

pub async fn ship(global: &Global, stack: &Stack, deed: &Deed) -> Result<bool> {
    let (store, by) = (stack.store()?, principal());
    let asked = asked(&by, deed);
    let changed = store
        .ship_order(&deed.order_id, &asked, &moment(stack)?)
        .await?;
    match done(global, &deed.order_id, "shipped", changed)? {
        true => shown(global, &store, &deed.order_id).await,
        false => Ok(false),
    }
}

pub async fn deliver(global: &Global, stack: &Stack, deed: &Deed) -> Result<bool> {
    let (store, by) = (stack.store()?, principal());
    let asked = asked(&by, deed);
    let changed = store
        .deliver_order(&deed.order_id, &asked, &moment(stack)?)
        .await?;
    match done(global, &deed.order_id, "delivered", changed)? {
        true => shown(global, &store, &deed.order_id).await,
        false => Ok(false),
    }
}

/// Whether the money went back, too.
pub async fn cancel(global: &Global, stack: &Stack, deed: &Deed, wait: &Wait) -> Result<bool> {
    let (store, outbox, by) = (stack.store()?, outbox(stack)?, principal());
    let (asked, moment) = (asked(&by, deed), moment(stack)?);
    let Cancelled { changed, refund } =
        refunds::cancel_order(&store, &outbox, &deed.order_id, &asked, &moment).await?;
    if !done(global, &deed.order_id, "cancelled", changed)? {
        return Ok(false);
    }
    let refunded = match refund {
        Some(refund) => ended(&store, refund, wait).await?.1,
        None => true,
    };
    Ok(shown(global, &store, &deed.order_id).await? && refunded)
}

fn asked<'a>(by: &'a str, deed: &'a Deed) -> Asked<'a> {
    Asked {
        requested_by: by,
        reason: deed.reason.as_deref(),
    }
}

fn moment(stack: &Stack) -> Result<Moment> {
    Ok(Moment {
        now: now(),
        zone: stack.time_zone()?,
    })
}

/// Whether it is so now. A known no is shown, with its reason.
fn done(global: &Global, order_id: &str, what: &str, changed: Changed) -> Result<bool> {
    let (code, why) = match changed {
        Changed::Done(_) => return Ok(true),
        Changed::Already(_) => {
            errln!("(it was {what} before)");
            return Ok(true);
        }
        Changed::NoSuchOrder => ("no_such_order", "there is no such order".to_owned()),
        Changed::Refused(refused) => (code(&refused), refused.to_string()),
    };
    if global.json {
        output::json(&json!({"of": order_id, "refused": code, "reason": why}))?;
    } else {
        let (order_id, why) = (output::plain(order_id), output::plain(&why));
        outln!("{order_id} is not {what}: {why}");
    }
    Ok(false)
}

fn code(refused: &Refused) -> &'static str {
    match refused {
        Refused::Status(..) => "status",
        Refused::RefundOnItsWay => "refund_on_its_way",
        Refused::Invalid { .. } => "invalid",
    }
}

async fn shown(global: &Global, store: &Store<DynamoEngine>, order_id: &str) -> Result<bool> {
    let order = known(store, order_id).await?;
    get::show(global, store, order).await
}
