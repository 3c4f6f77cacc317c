use edge::{Error, Process, settings};
use pay::Terms;
use store::schema::Table;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let process = Process::start()?;
    let store = process.store(&[Table::Orders])?;
    let gateway = process.payment_gateway()?;
    let time_limit = settings::parsed("PAYMENT_TIME_LIMIT")?;
    process
        .serve(async |batch, at| {
            let terms = Terms {
                now: at.now,
                time_limit,
                remaining: at.remaining,
            };
            pay::handle(&store, &gateway, batch, terms).await
        })
        .await
}
