//! The first step: puts each order of a batch on record and takes its stock, both in one transaction.
//!
//! Nothing is read while stock lasts. When a transaction is refused, the items that come back with the refusal say
//! what to do instead: an order that is ours already goes on from where it is, one that is another row's is a
//! duplicate, and a product that is short serves the first orders that fit.

mod plan;
mod price;
mod review;

use domain::journal::Entry;
use domain::{Batch, Fault, Order, packing};
use plan::{Part, Written};
use store::ops::Verdict;
use store::{Engine, Moment, Store, journal};

/// Transactions that one part may take until its stock holds still. Each refusal brings fresh figures, so more than
/// a few mean that others keep taking the same stock: the state machine tries again later.
const REFUSALS: usize = 12;

/// Returns the batch with the orders that are to be charged, and those that were charged before.
pub async fn handle<E: Engine>(
    store: &Store<E>,
    batch: Batch,
    moment: &Moment,
) -> Result<Batch, Fault> {
    batch.check()?;
    if let Some(why) = batch.review {
        return review::orders(store, batch, why).await;
    }
    let mut reserved = Batch {
        orders: Vec::new(),
        paid: Vec::new(),
        contacts: Vec::new(),
        ..batch.clone()
    };
    let priced = price::orders(store, &batch).await?;
    for part in packing::parts(&batch.orders) {
        let part = part
            .into_iter()
            .map(|order| priced[order].clone())
            .collect();
        let mut part = Part::new(&batch, part);
        let written = reserve(store, &mut part, &batch.batch_id, moment).await?;
        count_duplicates(store, &batch, &written.duplicates, moment).await?;
        reserved.orders.extend(written.to_pay);
        reserved.seen |= written.seen;
        reserved.paid.extend(written.paid);
        reserved.failed.extend(written.failed);
    }
    reserved.orders.sort_by_key(|order| order.row);
    reserved.paid.sort_by_key(|order| order.row);
    Ok(reserved)
}

async fn reserve<E: Engine>(
    store: &Store<E>,
    part: &mut Part<'_>,
    batch_id: &str,
    moment: &Moment,
) -> Result<Written, Fault> {
    for _ in 0..REFUSALS {
        let plan = part.plan(moment)?;
        if plan.writes.is_empty() {
            return Ok(plan.written());
        }
        match store.transact(&plan.writes).await? {
            Ok(()) => return Ok(plan.written()),
            Err(verdicts) => {
                let subjects = plan.subjects;
                part.learn(subjects, verdicts)?;
            }
        }
    }
    Err(Fault::Transient(format!(
        "the stock of batch {batch_id} did not hold still"
    )))
}

/// Which rows are duplicates is fixed once their orders are there, and each has an entry of its own: those that are
/// written already are left out until the rest goes through.
async fn count_duplicates<E: Engine>(
    store: &Store<E>,
    batch: &Batch,
    duplicates: &[Order],
    moment: &Moment,
) -> Result<(), Fault> {
    let entry =
        |order: &Order| journal::append(&Entry::duplicate(&batch.import_id, order, moment.now));
    let mut open = duplicates
        .iter()
        .map(entry)
        .collect::<Result<Vec<_>, Fault>>()?;
    while !open.is_empty() {
        let Err(verdicts) = store.transact(&open).await? else {
            break;
        };
        let mut verdicts = verdicts.into_iter();
        open.retain(|_| !matches!(verdicts.next(), Some(Verdict::Condition(_))));
    }
    Ok(())
}
