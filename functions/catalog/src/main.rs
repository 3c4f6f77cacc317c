use catalog::Ports;
use edge::{Error, Process, settings};
use files::S3Files;
use store::schema::Table;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let process = Process::start()?;
    let ports = Ports {
        store: &process.store(&[Table::Catalogs, Table::Products])?,
        files: &S3Files {
            client: process.s3(),
        },
        arrivals: &process.queue("CATALOGS_QUEUE_URL", "CATALOGS_DEAD_QUEUE_URL")?,
    };
    let currency = settings::parsed("DEFAULT_CURRENCY")?;
    process
        .serve(async |event, at| catalog::handle(&ports, currency, event, at).await)
        .await
}
