//! What was completed is given back, in full, in part, or by lines: on record first, then at the gateway, and then on the
//! order and in the journal.

use std::rc::Rc;
use std::time::Duration;

use domain::refund::{Wanted, WantedLine};
use edge::refunds;
use rust_decimal::Decimal;
use store::ops::Item;
use store::orders::OrderRecord;
use store::refunds::RefundRequest;
use store::schema::Table;

use super::auditor::{COMPLETED, text};
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
        .filter(|order| COMPLETED.contains(&text(order, "status").as_str()))
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

/// Until there is an answer.
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
        let store = world.store();
        let asked = refunds::request(&store, &*world.refunds, &request, world.now());
        match asked.await {
            // On its way; or others took what was left.
            Ok(_) => return,
            Err(_) => tokio::time::sleep(WAIT).await,
        }
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
                restock: world.chance.half(),
            }])
        }
    }
}

/// Somebody looks after those that the gateway refused: tries them again, or asks for whatever is left of their orders.
pub async fn look_after(world: &World) {
    for refund in world.engine.memory.items(Table::Refunds) {
        if text(&refund, "status") != "FAILED" {
            continue;
        }
        let (store, now) = (world.store(), world.now());
        if world.chance.half() {
            let id = text(&refund, "refund_id");
            // What has no answer is tried again next time.
            let _moved = refunds::retry(&store, &*world.refunds, &id, "simulation", now).await;
            continue;
        }
        let request = RefundRequest {
            key: &format!("rest-{}", world.chance.draw()),
            order_id: &text(&refund, "order_id"),
            wanted: &Wanted::Full,
            reason: "as drawn",
            requested_by: "simulation",
        };
        let _requested = refunds::request(&store, &*world.refunds, &request, now).await;
    }
}
