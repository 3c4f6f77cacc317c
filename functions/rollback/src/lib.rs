//! The last step of an order whose payment was refused: its stock goes back, and the journal says so.
//!
//! It is reached by a known refusal only. A fault never leads here, for "no answer" may mean "charged".

use domain::{Charged, Fault};
use store::{Engine, Moment, Store};

pub async fn handle<E: Engine>(
    store: &Store<E>,
    batch: Charged,
    moment: &Moment,
) -> Result<(), Fault> {
    store.rollback(&batch, moment).await
}
