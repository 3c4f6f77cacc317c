use edge::{Error, Process, settings};
use store::Moment;
use store::schema::Table;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let process = Process::start()?;
    let store = process.store(&[
        Table::Orders,
        Table::Products,
        Table::Journal,
        Table::Customers,
    ])?;
    let zone = settings::business_time_zone()?;
    process
        .serve(async |batch, at| {
            reserve::handle(
                &store,
                batch,
                &Moment {
                    now: at.now,
                    zone: zone.clone(),
                },
            )
            .await
        })
        .await
}
