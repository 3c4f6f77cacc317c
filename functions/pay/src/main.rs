use edge::{Error, Process, settings};
use pay::gateway::Simulated;
use store::schema::Table;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let process = Process::start()?;
    let store = process.store(&[Table::Orders])?;
    let gateway = Simulated::new(settings::parsed("PAYMENT_APPROVAL_RATE")?);
    process
        .serve(async |batch, at| pay::handle(&store, &gateway, batch, at.now).await)
        .await
}
