use edge::{Error, Process};
use store::schema::Table;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let process = Process::start()?;
    let store = process.store(&[Table::Orders])?;
    let keys = process.payment_key()?;
    let batches = process.outbox("BATCHES_QUEUE_URL")?;
    process
        .serve(async |request, at| webhook::handle(&store, &keys, &batches, request, at).await)
        .await
}
