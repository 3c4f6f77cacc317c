use edge::{Error, Process};
use serde_json::Value;
use store::schema::Table;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let process = Process::start()?;
    let store = process.store(&[Table::Orders])?;
    let batches = process.outbox("BATCHES_QUEUE_URL")?;
    process
        .serve(async |_: Value, at| expire::handle(&store, &batches, at).await)
        .await
}
