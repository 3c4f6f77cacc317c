//! The first step: puts each order of a batch on record and takes its stock, both in one transaction.
//!
//! Nothing is read while stock lasts. When a transaction is refused, the items that come back with the refusal say
//! what to do instead: an order that is ours already goes on from where it is, one that is another row's is a
//! duplicate, and a product that is short serves the first orders that fit.

mod plan;

use domain::journal::Entry;
use domain::{Batch, Fault, Order, packing};
use plan::{Part, Plan};
use store::{Engine, Moment, Store, journal};

/// Transactions that one part may take until its stock holds still. Each refusal brings fresh figures, so more than
/// a few mean that others keep taking the same stock: the state machine tries again later.
const REFUSALS: usize = 12;

/// Returns the batch with the orders that are to be paid.
pub async fn handle<E: Engine>(
    store: &Store<E>,
    batch: Batch,
    moment: &Moment,
) -> Result<Batch, Fault> {
    batch.check()?;
    let mut reserved: Vec<Order> = Vec::new();
    for part in packing::parts(&batch.orders) {
        reserved.extend(reserve(store, &batch, &batch.orders[part], moment).await?);
    }
    Ok(Batch {
        orders: reserved,
        contacts: Vec::new(),
        ..batch
    })
}

async fn reserve<E: Engine>(
    store: &Store<E>,
    batch: &Batch,
    orders: &[Order],
    moment: &Moment,
) -> Result<Vec<Order>, Fault> {
    let mut part = Part::new(batch, orders);
    for _ in 0..REFUSALS {
        let plan = part.plan(moment)?;
        let refused = if plan.writes.is_empty() {
            None
        } else {
            store.transact(&plan.writes).await?.err()
        };
        match refused {
            None => {
                count_duplicates(store, batch, orders, &plan, moment).await?;
                return Ok(plan.to_pay.into_iter().cloned().collect());
            }
            Some(verdicts) => part.learn(&plan, verdicts)?,
        }
    }
    Err(Fault::Transient(format!(
        "the stock of batch {} did not hold still",
        batch.batch_id
    )))
}

/// Which rows are duplicates is fixed once the part is written, so that one entry under a fixed key counts them once.
async fn count_duplicates<E: Engine>(
    store: &Store<E>,
    batch: &Batch,
    orders: &[Order],
    plan: &Plan<'_>,
    moment: &Moment,
) -> Result<(), Fault> {
    if plan.duplicates > 0 {
        let row = orders.first().map(|order| order.row).unwrap_or_default();
        let entry = Entry::duplicates(
            &batch.batch_id,
            &batch.import_id,
            row,
            plan.duplicates,
            moment.now,
        );
        let _already_counted = store.write(&journal::append(&entry)?).await?;
    }
    Ok(())
}
