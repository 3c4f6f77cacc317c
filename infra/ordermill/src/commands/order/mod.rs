//! `order`: what is known of one order, and what is done with it.

mod deeds;
mod get;
mod trace;

use anyhow::{Result, bail};
use store::Store;
use store::dynamo::DynamoEngine;
use store::orders::OrderRecord;

use crate::cli::Global;
use crate::cli::orders::Order;
use crate::cloud::Stack;
use crate::output;

pub async fn run(global: &Global, stack: &Stack, command: &Order) -> Result<bool> {
    match command {
        Order::Get { order_id } => {
            let store = stack.store()?;
            let order = known(&store, order_id).await?;
            get::show(global, &store, order).await
        }
        Order::Trace { order_id } => trace::run(global, stack, order_id).await,
        Order::Ship(deed) => deeds::ship(global, stack, deed).await,
        Order::Deliver(deed) => deeds::deliver(global, stack, deed).await,
        Order::Cancel { deed, wait } => deeds::cancel(global, stack, deed, wait).await,
    }
}

async fn known(store: &Store<DynamoEngine>, order_id: &str) -> Result<OrderRecord> {
    match store.order(order_id).await? {
        Some(order) => Ok(order),
        None => bail!("there is no order {}", output::plain(order_id)),
    }
}
