//! The last step of an order that was paid: its stock is sold, and the journal says so.

use domain::{Charged, Fault};
use store::{Engine, Moment, Store};

pub async fn handle<E: Engine>(
    store: &Store<E>,
    batch: Charged,
    moment: &Moment,
) -> Result<(), Fault> {
    store.finalize(&batch, moment).await
}
