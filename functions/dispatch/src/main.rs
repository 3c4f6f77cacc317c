use aws_lambda_events::sqs::SqsEvent;
use dispatch::ports::{StateMachine, leave};
use edge::aws::NoHostPrefix;
use edge::{Error, Process, settings};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let process = Process::start()?;
    let sfn = aws_sdk_sfn::config::Builder::from(&process.aws)
        .interceptor(process.counted(leave))
        .interceptor(NoHostPrefix)
        .build();
    let saga = StateMachine {
        client: aws_sdk_sfn::Client::from_conf(sfn),
        arn: settings::required("SAGA_ARN")?,
    };
    let small = process.queue("BATCHES_QUEUE_URL", "BATCHES_DEAD_QUEUE_URL")?;
    let bulk = process.queue("BULK_BATCHES_QUEUE_URL", "BULK_BATCHES_DEAD_QUEUE_URL")?;
    process
        .serve(async |event: SqsEvent, at| {
            let is_bulk = bulk.is_source_of(&event);
            let queue = if is_bulk { &bulk } else { &small };
            dispatch::handle(&saga, queue, event, at).await
        })
        .await
}
