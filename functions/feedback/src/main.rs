use edge::{Error, Process};
use feedback::Ports;
use store::schema::Table;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let process = Process::start()?;
    let ports = Ports {
        store: &process.store(&[Table::Notifications, Table::Suppressions, Table::Tallies])?,
        queue: &process.queue("FEEDBACK_QUEUE_URL", "FEEDBACK_DEAD_QUEUE_URL")?,
    };
    process
        .serve(async |event, at| feedback::handle(&ports, event, at).await)
        .await
}
