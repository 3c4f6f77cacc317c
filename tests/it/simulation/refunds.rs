//! What was completed is given back, in full, in part, or by lines: on record first, then at the gateway, and then on the
//! order and in the journal.

use std::rc::Rc;
use std::time::Duration;

use domain::Fault;
use domain::refund::{Wanted, WantedLine};
use payments::{Gateway, Refund, Refunded};
use rust_decimal::Decimal;
use store::Moment;
use store::ops::Item;
use store::orders::OrderRecord;
use store::refunds::{RefundRequest, Requested};
use store::schema::Table;

use super::auditor::text;
use super::world::World;

/// Between two attempts.
const WAIT: Duration = Duration::from_secs(10);

pub async fn run(world: Rc<World>) {
    let plan = world.chance.plan();
    world.running.set(world.running.get() + 1);
    for number in 0..plan.refunds {
        // Most is completed in the beginning, and some long after all trouble.
        let most = 2 * plan.trouble.as_millis() as u64 / u64::from(plan.refunds);
        tokio::time::sleep(world.chance.up_to_ms(most)).await;
        if let Some(id) = completed(&world) {
            refund(&world, &format!("re-{number}"), &read(&world, &id).await).await;
        }
    }
    world.running.set(world.running.get() - 1);
}

/// Any of those of which something can go back.
fn completed(world: &World) -> Option<String> {
    let orders = world.engine.memory.items(Table::Orders).into_iter();
    let orders: Vec<Item> = orders
        .filter(|order| text(order, "status") == "COMPLETED")
        .filter(|order| text(order, "refundable").parse() != Ok(Decimal::ZERO))
        .collect();
    let drawn = world.chance.below(orders.len() as u64) as usize;
    orders.get(drawn).map(|order| text(order, "order_id"))
}

async fn read(world: &World, id: &str) -> OrderRecord {
    loop {
        if let Ok(Some(order)) = world.store().order(id).await {
            return order;
        }
        tokio::time::sleep(WAIT).await;
    }
}

/// As the function does it, and until it has ended: whoever is refused by the gateway keeps what was paid.
async fn refund(world: &World, key: &str, order: &OrderRecord) {
    let wanted = wanted(world, order);
    let request = RefundRequest {
        key,
        order_id: &order.order_id,
        wanted: &wanted,
        reason: "as drawn",
        requested_by: "simulation",
    };
    loop {
        match world.store().request_refund(&request, world.now()).await {
            Ok(Requested::New(_) | Requested::Replayed(_)) => break,
            // Others took what was left.
            Ok(_) => return,
            Err(_) => tokio::time::sleep(WAIT).await,
        }
    }
    while ended(world, &request.refund_id()).await.is_err() {
        tokio::time::sleep(WAIT).await;
    }
}

/// All of it, a part of it, or some of what was ordered.
fn wanted(world: &World, order: &OrderRecord) -> Wanted {
    let cents = order.refundable.mantissa() as u64;
    match world.chance.below(3) {
        0 => Wanted::Full,
        1 => Wanted::Amount(Decimal::new(
            1 + world.chance.below(cents) as i64,
            order.refundable.scale(),
        )),
        _ => {
            let line = &order.lines[world.chance.below(order.lines.len() as u64) as usize];
            Wanted::Lines(vec![WantedLine {
                sku: line.sku.clone(),
                quantity: 1 + world.chance.below(u64::from(line.quantity)) as u32,
                restock: false,
            }])
        }
    }
}

async fn ended(world: &World, id: &str) -> Result<(), Fault> {
    let store = world.store();
    let found = store.begin_refund(id, world.now()).await?;
    let found = found.expect("a refund that is on record");
    if !found.status.is_open() {
        return Ok(());
    }
    let asked = Refund {
        key: id,
        charge: &found.order_id,
        amount: found.money()?,
    };
    match world.gateway.refund(&asked).await? {
        Refunded::Done { refund } => {
            let moment = Moment {
                now: world.now(),
                zone: world.calendar.zone.clone(),
            };
            store.complete_refund(&found, &refund, &moment).await?;
            world.chance.count("refunded", 1);
        }
        Refunded::Refused { why } => {
            store.fail_refund(&found, &why, world.now()).await?;
        }
    }
    Ok(())
}
