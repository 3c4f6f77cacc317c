//! Orders that are on record already, looked at again: how far each is decides what is left to do with it.

use domain::{Batch, Fault, Review, Status};
use store::orders::Origin;
use store::{Engine, Store};

/// Puts nothing on record: an order that is not there cannot be looked at again.
pub async fn orders<E: Engine>(
    store: &Store<E>,
    batch: Batch,
    why: Review,
) -> Result<Batch, Fault> {
    let import_id = batch.import_id.clone();
    let mut sorted = Batch {
        orders: Vec::new(),
        ..batch
    };
    for order in batch.orders {
        let row = order.row;
        let origin = Origin {
            import_id: &import_id,
            row,
        };
        let found = store.order(&order.order_id).await?;
        let Some(found) = found.filter(|found| found.is_from(origin)) else {
            return Err(Fault::Corrupt(format!(
                "no order {} of row {row} is on record",
                order.order_id
            )));
        };
        match found.status {
            Status::Reserved | Status::PaymentPending => sorted.orders.push(order),
            Status::Paid => sorted.paid.push(order),
            // A payment may have come for it all the same.
            Status::Failed if found.owes() => sorted.failed.push(order),
            Status::Failed if why == Review::Approved && found.given_back.is_none() => {
                sorted.failed.push(order);
            }
            Status::Failed
            | Status::Completed
            | Status::Shipped
            | Status::Delivered
            | Status::Cancelled => {}
        }
    }
    Ok(sorted)
}
