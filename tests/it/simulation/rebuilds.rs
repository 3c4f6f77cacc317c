//! Somebody builds figures anew, or the counters of notifications: in the middle of everything, twice at once, and not always to the end.

use std::rc::Rc;
use std::time::Duration;

use domain::Fault;
use jiff::SignedDuration;
use store::tallies::Scope;

use super::invocation::invoke;
use super::world::World;

/// As patient as a person with a command.
const LIMIT: Duration = Duration::from_secs(900);

/// The last one is carried through when nothing goes wrong any more, in half of the runs.
pub async fn run(world: Rc<World>) {
    let chance = world.chance.clone();
    let plan = chance.plan();
    if plan.rebuilds == 0 {
        return;
    }
    world.running.set(world.running.get() + 1);
    for _ in 0..plan.rebuilds {
        let most = plan.trouble.as_millis() as u64 / u64::from(plan.rebuilds);
        tokio::time::sleep(chance.up_to_ms(most)).await;
        let scope = scope(&world);
        let built = invoke(&world, LIMIT, |world, _| rebuild(world, scope)).await;
        let outcome = match built {
            Ok(()) => "figures built anew",
            Err(_) => "rebuild given up",
        };
        chance.count(outcome, 1);
        if chance.half() {
            let counted = invoke(&world, LIMIT, |world, _| recount(world)).await;
            let outcome = match counted {
                Ok(()) => "notifications recounted",
                Err(_) => "recount given up",
            };
            chance.count(outcome, 1);
        }
    }
    tokio::time::sleep(chance.up_to_ms(600_000)).await;
    world.peace().await;
    if chance.half() {
        let scope = scope(&world);
        // Others may still be under way that begin later, and then this one is given up.
        while rebuild(world.clone(), scope).await.is_err() {
            tokio::time::sleep(Duration::from_secs(10)).await;
        }
        chance.count("figures built anew in peace", 1);
    }
    world.running.set(world.running.get() - 1);
}

fn scope(world: &World) -> Scope {
    let zone = world.calendar.zone.clone();
    let day = |at: jiff::Timestamp| Scope::Day(at.to_zoned(zone.clone()).date());
    match world.chance.below(4) {
        0 => day(world.calendar.start),
        1 => day(world.now() + SignedDuration::from_hours(1)),
        _ => Scope::Everything,
    }
}

async fn recount(world: Rc<World>) -> Result<(), Fault> {
    world.store().recount_notifications(|_| ()).await.map(drop)
}

async fn rebuild(world: Rc<World>, scope: Scope) -> Result<(), Fault> {
    let (store, zone) = (world.store(), &world.calendar.zone);
    let built = store.rebuild(scope, zone, || world.now(), |_| ()).await?;
    match built.wrong.is_empty() {
        true => Ok(()),
        // Everything in the journal is ours, and can be entered.
        false => Err(Fault::Corrupt(format!("{:?}", built.wrong))),
    }
}
