use chunk::ports::{S3Files, SqsQueue};
use edge::aws::CountCalls;
use edge::{Error, Process, settings};
use intake::Settings;
use store::schema::Table;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let process = Process::start()?;
    let store = process.store(&[Table::Imports])?;
    let calls = || CountCalls(process.meter.clone());
    // An emulator serves all buckets under one host.
    let path_style = edge::aws::endpoint().is_some();
    let s3 = aws_sdk_s3::config::Builder::from(&process.aws)
        .interceptor(calls())
        .force_path_style(path_style)
        .build();
    let files = S3Files {
        client: aws_sdk_s3::Client::from_conf(s3),
    };
    let sqs = aws_sdk_sqs::config::Builder::from(&process.aws)
        .interceptor(calls())
        .build();
    let queue = SqsQueue {
        client: aws_sdk_sqs::Client::from_conf(sqs),
        url: settings::required("BATCHES_QUEUE_URL")?,
    };
    let intake = Settings {
        default_currency: settings::parsed("DEFAULT_CURRENCY")?,
        total_policy: settings::parsed("TOTAL_POLICY")?,
    };
    process
        .serve(async |event, at| chunk::handle(&store, &files, &queue, &intake, event, at).await)
        .await
}
