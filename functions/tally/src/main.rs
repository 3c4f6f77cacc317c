use edge::{Error, Process, settings};
use store::schema::Table;
use tally::Ports;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let process = Process::start()?;
    let ports = Ports {
        store: &process.store(&[Table::Journal, Table::Tallies, Table::Imports])?,
        queue: &process.queue("ENTRIES_QUEUE_URL", "ENTRIES_DEAD_QUEUE_URL")?,
        entries: &process.outbox("ENTRIES_QUEUE_URL")?,
        zone: &settings::business_time_zone()?,
    };
    process
        .serve(async |event, at| tally::handle(&ports, event, at).await)
        .await
}
