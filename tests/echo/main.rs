//! A function that says what it is told, and asks nobody: the measure of what a gateway and a process cost by themselves.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let echo = async |event: LambdaEvent<Value>| {
        // As our functions do. The emulator waits for what is written, and for a while where nothing is.
        println!("echoed");
        let said = event.payload["body"].as_str().unwrap_or("{}").to_owned();
        let headers = json!({"content-type": "application/json"});
        Ok::<_, Error>(json!({"statusCode": 200, "headers": headers, "body": said}))
    };
    run(service_fn(echo)).await
}
