//! Orders are shipped, delivered and cancelled: any of them, at any time, also those of which that cannot be; by somebody
//! who dies over it, is asked again, or is two at a time.

use std::rc::Rc;
use std::time::Duration;

use domain::journal::Kind;
use edge::refunds;
use store::Moment;
use store::lifecycle::{Asked, Changed};
use store::schema::Table;

use super::auditor::text;
use super::invocation::invoke;
use super::world::World;

/// Between two attempts.
const WAIT: Duration = Duration::from_secs(10);

pub async fn run(world: Rc<World>) {
    let plan = world.chance.plan();
    world.running.set(world.running.get() + 1);
    for _ in 0..plan.deeds {
        let most = 2 * plan.trouble.as_millis() as u64 / u64::from(plan.deeds);
        tokio::time::sleep(world.chance.up_to_ms(most)).await;
        let kind = Kind::ALL[world.chance.below(3) as usize];
        if let Some(order_id) = drawn(&world, kind) {
            take(&world, kind, order_id).await;
        }
    }
    world.running.set(world.running.get() - 1);
}

/// Mostly one of those of which it can be.
fn drawn(world: &World, kind: Kind) -> Option<String> {
    let before = match kind {
        Kind::Shipped | Kind::Cancelled => "COMPLETED",
        Kind::Delivered => "SHIPPED",
    };
    let any = world.chance.below(6) == 0;
    let orders = world.engine.memory.items(Table::Orders).into_iter();
    let orders: Vec<String> = orders
        .filter(|order| any || text(order, "status") == before)
        .map(|order| text(&order, "order_id"))
        .collect();
    let drawn = world.chance.below(orders.len() as u64) as usize;
    orders.get(drawn).cloned()
}

async fn take(world: &Rc<World>, kind: Kind, order_id: String) {
    let changed = loop {
        let run = |world: Rc<World>, at: edge::Invocation| {
            let order_id = order_id.clone();
            async move {
                let store = world.store();
                let (now, zone) = (at.now, world.calendar.zone.clone());
                let moment = Moment { now, zone };
                let asked = Asked {
                    requested_by: "simulation",
                    reason: at.draw.is_multiple_of(2).then_some("as drawn"),
                };
                Ok(match kind {
                    Kind::Shipped => store.ship_order(&order_id, &asked, &moment).await?,
                    Kind::Delivered => store.deliver_order(&order_id, &asked, &moment).await?,
                    Kind::Cancelled => {
                        let queue = &*world.refunds;
                        let cancelled =
                            refunds::cancel_order(&store, queue, &order_id, &asked, &moment);
                        cancelled.await?.changed
                    }
                })
            }
        };
        match invoke(world, Duration::from_secs(10), run).await {
            Ok(changed) => break changed,
            Err(_) => tokio::time::sleep(WAIT).await,
        }
    };
    let what = match (changed, kind) {
        (Changed::Done(_), Kind::Shipped) => "shipped",
        (Changed::Done(_), Kind::Delivered) => "delivered",
        (Changed::Done(_), Kind::Cancelled) => "cancelled",
        (Changed::Already(_), _) => "deed done twice",
        (Changed::Refused(_), _) => "deed refused",
        (Changed::NoSuchOrder, _) => panic!("{order_id} is there"),
    };
    world.chance.count(what, 1);
}
