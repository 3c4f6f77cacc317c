use edge::{Error, Process, settings};
use refund::Ports;
use store::schema::Table;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let process = Process::start()?;
    let tables = [
        Table::Refunds,
        Table::Orders,
        Table::Products,
        Table::Journal,
    ];
    let ports = Ports {
        store: &process.store(&tables)?,
        gateway: &process.payment_gateway()?,
        queue: &process.queue("REFUNDS_QUEUE_URL", "REFUNDS_DEAD_QUEUE_URL")?,
        zone: &settings::business_time_zone()?,
    };
    process
        .serve(async |event, at| refund::handle(&ports, event, at).await)
        .await
}
