use chunk::Ports;
use edge::{Error, Process, settings};
use files::S3Files;
use intake::Settings;
use store::schema::Table;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let process = Process::start()?;
    let ports = Ports {
        store: &process.store(&[Table::Imports, Table::Tallies])?,
        files: &S3Files {
            client: process.s3(),
        },
        batches: &process.outbox("BATCHES_QUEUE_URL")?,
        arrivals: &process.queue("IMPORTS_QUEUE_URL", "IMPORTS_DEAD_QUEUE_URL")?,
    };
    let intake = Settings {
        default_currency: settings::parsed("DEFAULT_CURRENCY")?,
        total_policy: settings::parsed("TOTAL_POLICY")?,
    };
    process
        .serve(async |event, at| chunk::handle(&ports, &intake, event, at).await)
        .await
}
