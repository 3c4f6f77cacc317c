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
    let queue = process.queue("BATCHES_QUEUE_URL", "BATCHES_DEAD_QUEUE_URL")?;
    process
        .serve(async |event, at| dispatch::handle(&saga, &queue, event, at).await)
        .await
}
