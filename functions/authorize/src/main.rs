use edge::{Error, Process};
use store::schema::Table;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let process = Process::start()?;
    let store = process.store(&[Table::Tokens])?;
    process
        .serve(async |request, at| authorize::handle(&store, request, at).await)
        .await
}
