use edge::{Error, Process};
use store::schema::Table;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let process = Process::start()?;
    let store = process.store(&[Table::Failures])?;
    process
        .serve(async |event, at| bury::handle(&store, event, at).await)
        .await
}
