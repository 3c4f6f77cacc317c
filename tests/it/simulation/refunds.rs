//! What was completed is given back, in full or in part: at the gateway first, and then in one transaction on the order and
//! in the journal. No function does that yet; what reads the journal has to bear it already.

use std::rc::Rc;
use std::time::Duration;

use domain::Money;
use domain::journal::{Change, Entry};
use payments::{Gateway, Refund, Refunded};
use rust_decimal::Decimal;
use store::journal;
use store::ops::{self, Condition, Item, Key, Write};
use store::orders::OrderRecord;
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

async fn refund(world: &World, id: &str, order: &OrderRecord) {
    let cents = order.refundable.mantissa() as u64;
    let part = match world.chance.half() {
        true => order.refundable,
        false => Decimal::new(
            1 + world.chance.below(cents) as i64,
            order.refundable.scale(),
        ),
    };
    let refund = Refund {
        key: id,
        charge: &order.order_id,
        amount: Money::new(part, order.currency).expect("an amount"),
    };
    // Under one key, this can be asked for until there is an answer.
    let answer = loop {
        match world.gateway.refund(&refund).await {
            Ok(answer) => break answer,
            Err(_) => tokio::time::sleep(WAIT).await,
        }
    };
    if let Refunded::Refused { .. } = answer {
        return;
    }
    let entry = entry(world, id, order, part);
    let writes = [
        journal::append(&entry).expect("an entry"),
        taken_back(order, part),
    ];
    let store = world.store();
    // Refused is what was written before: nobody else refunds anything.
    while store.transact(&writes).await.is_err() {
        tokio::time::sleep(WAIT).await;
    }
    world.chance.count("refunded", 1);
}

/// Some of what was ordered comes back, and not always what the money is for.
fn entry(world: &World, id: &str, order: &OrderRecord, part: Decimal) -> Entry {
    let mut change = Change::new(&order.clone().order(), None);
    change.refund_id = Some(id.to_owned());
    change.total = part;
    if part != order.total {
        for (_, units, _) in &mut change.lines {
            *units = world.chance.below(u64::from(*units) + 1) as u32;
        }
        change.lines.retain(|(_, units, _)| *units > 0);
    }
    let zone = &world.calendar.zone;
    Entry::refunded(id, &order.import_id, change, world.now(), zone)
}

fn taken_back(order: &OrderRecord, part: Decimal) -> Write {
    let text = |amount: Decimal| ops::text(amount.to_string());
    Write::Update {
        key: Key::new(Table::Orders, &order.order_id),
        changes: vec![
            ops::Change::Set("refunded", text(order.refunded + part)),
            ops::Change::Set("refundable", text(order.refundable - part)),
        ],
        condition: Condition::All(vec![
            Condition::Is("refunded", text(order.refunded)),
            Condition::Is("refundable", text(order.refundable)),
        ]),
    }
}
