use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    ordermill::run().await
}
