use aws_lambda_events::sqs::SqsEvent;
use chunk::{Lane, Ports};
use domain::limits::SMALL_FILE_BYTES;
use edge::{Error, Process, settings};
use files::S3Files;
use intake::Settings;
use store::schema::Table;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let process = Process::start()?;
    let store = process.store(&[Table::Imports, Table::Tallies])?;
    let files = S3Files {
        client: process.s3(),
    };
    let bulk_arrivals = process.queue("BULK_IMPORTS_QUEUE_URL", "BULK_IMPORTS_DEAD_QUEUE_URL")?;
    let small = Ports {
        store: &store,
        files: &files,
        batches: &process.outbox("BATCHES_QUEUE_URL")?,
        arrivals: &process.queue("IMPORTS_QUEUE_URL", "IMPORTS_DEAD_QUEUE_URL")?,
        lane: Lane::Small {
            bytes: SMALL_FILE_BYTES,
            bulk: &bulk_arrivals,
        },
    };
    let bulk = Ports {
        batches: &process.outbox("BULK_BATCHES_QUEUE_URL")?,
        arrivals: &bulk_arrivals,
        lane: Lane::Bulk,
        ..small
    };
    let intake = Settings {
        default_currency: settings::parsed("DEFAULT_CURRENCY")?,
        total_policy: settings::parsed("TOTAL_POLICY")?,
    };
    process
        .serve(async |event: SqsEvent, at| {
            let is_bulk = bulk_arrivals.is_source_of(&event);
            let ports = if is_bulk { &bulk } else { &small };
            chunk::handle(ports, &intake, event, at).await
        })
        .await
}
