//! The first step: stores each order of a batch and reserves its stock, both in one transaction.
//!
//! Nothing is read while stock lasts. When a transaction is refused, the items that come back with the refusal say
//! what to do instead: an order of this very row goes on from where it is, an order of another row makes this one a
//! duplicate or a conflict, and a product that is short serves the first orders that fit.
//!
//! Contact data is stored before the first journal entry of its order, so that a notification finds the address: with the
//! order if it fails here, and else before this step returns.

mod contacts;
mod plan;
mod price;
mod review;

use contacts::Contacts;
use domain::journal::Entry;
use domain::{Batch, Fault, packing};
use plan::{Part, Repeat, Written};
use store::ops::Verdict;
use store::{Engine, Moment, Store, journal};

/// Refusals that one part may take until its stock holds still. Each refusal brings fresh figures, so more than
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
        earlier_contacts: Vec::new(),
        ..batch.clone()
    };
    let contacts = Contacts::of(&batch);
    let priced = price::orders(store, &batch).await?;
    for part in packing::parts(&batch.orders) {
        let part = part
            .into_iter()
            .map(|order| priced[order].clone())
            .collect();
        let mut part = Part::new(&batch, part);
        let written = reserve(store, &mut part, &contacts, moment).await?;
        store
            .save_contacts(&contacts.of_rows(&written.own_rows))
            .await?;
        count_repeats(store, &batch, &written.repeats, moment).await?;
        reserved.orders.extend(written.to_pay);
        reserved.seen |= written.seen;
        reserved.paid.extend(written.paid);
        reserved.failed.extend(written.failed);
    }
    reserved.orders.sort_by_key(|order| order.row);
    reserved.paid.sort_by_key(|order| order.row);
    Ok(reserved)
}

/// Writes the orders that can be served, and then those that fail at once, with their contact data and their entry.
async fn reserve<E: Engine>(
    store: &Store<E>,
    part: &mut Part<'_>,
    contacts: &Contacts<'_>,
    moment: &Moment,
) -> Result<Written, Fault> {
    let mut refusals = 0;
    while refusals < REFUSALS {
        let plan = part.plan()?;
        let mut transaction = if !plan.served.is_empty() {
            plan.reservation(moment)?
        } else if !plan.refused.is_empty() {
            let rows = plan.refused.iter().map(|(order, _)| order.row).collect();
            let stated = contacts.of_rows(&rows);
            plan.refusal(store.contact_writes(&stated).await?, moment)?
        } else {
            return Ok(plan.written());
        };
        let subjects = std::mem::take(&mut transaction.subjects);
        match store.transact(&transaction.writes).await? {
            Ok(()) => part.was_written(transaction),
            Err(verdicts) => {
                refusals += 1;
                part.learn(subjects, verdicts)?;
            }
        }
    }
    Err(Fault::Transient(format!(
        "the stock of batch {} did not hold still",
        part.batch_id()
    )))
}

/// Which rows repeat an existing order is fixed once their orders are there. Each has an entry of its own: those that are
/// written already are left out until the rest goes through.
async fn count_repeats<E: Engine>(
    store: &Store<E>,
    batch: &Batch,
    repeats: &[Repeat],
    moment: &Moment,
) -> Result<(), Fault> {
    let entry = |repeat: &Repeat| {
        let (import_id, now) = (&batch.import_id, moment.now);
        journal::append(&match repeat {
            Repeat::Duplicate(order) => Entry::duplicate(import_id, order, now),
            Repeat::Conflict(order) => Entry::conflict(import_id, order, now),
        })
    };
    let mut open = repeats
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
