use edge::{Error, Process};
use serde_json::Value;
use store::schema::Table;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let process = Process::start()?;
    let store = process.store(&[Table::Orders, Table::Refunds])?;
    let batches = process.outbox("BATCHES_QUEUE_URL")?;
    let refunds = process.outbox("REFUNDS_QUEUE_URL")?;
    process
        .serve(async |_: Value, at| {
            // Neither keeps the other from being looked after.
            let (orders, refunds) = tokio::join!(
                expire::handle(&store, &batches, at),
                expire::refunds::send_again(&store, &refunds, at),
            );
            Ok([orders?, refunds?])
        })
        .await
}
