//! How long an answer takes, beside that of a function that asks nobody.

use std::path::Path;
use std::time::{Duration, Instant};

use ordermill::cloud::Stack;
use ordermill::local::{self, Workspace};
use serde_json::json;

use super::{Caller, imported, token};
use crate::support::stack::deployed;

const WARM: usize = 20;
const TIMED: usize = 200;

/// The median, and what one in a hundred takes longer than.
type Times = (Duration, Duration);

/// Of answers that come one after the other, from functions that are warm.
async fn timed(ask: impl AsyncFn(usize)) -> Times {
    for number in 0..WARM {
        ask(number).await;
    }
    let mut times = Vec::new();
    for number in WARM..WARM + TIMED {
        let begun = Instant::now();
        ask(number).await;
        times.push(begun.elapsed());
    }
    times.sort();
    (times[TIMED / 2], times[TIMED * 99 / 100])
}

/// In milliseconds, and as a multiple of what an echo of the same method takes.
fn show(what: &str, (p50, p99): Times, echo: Times) {
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    let (one, other) = (ms(p50) / ms(echo.0), ms(p99) / ms(echo.1));
    let (p50, p99) = (ms(p50), ms(p99));
    println!("| {what} | {p50:.1} ms | {one:.2} | {p99:.1} ms | {other:.2} |");
}

/// The function, behind a gateway of its own.
async fn echo(stack: &Stack) -> Stack {
    let (_, architecture) = &local::parameters(1)[0];
    let template = format!(
        r#"
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Resources:
  Api:
    Type: AWS::Serverless::Api
    Properties: {{Name: echo, StageName: api}}
  Echo:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: echo
      Runtime: provided.al2023
      Handler: bootstrap
      Architectures: [{architecture}]
      MemorySize: 512
      Timeout: 29
      CodeUri: target/lambda/echo/
      Events:
        Get: {{Type: Api, Properties: {{RestApiId: !Ref Api, Path: /echo, Method: GET}}}}
        Post: {{Type: Api, Properties: {{RestApiId: !Ref Api, Path: /echo, Method: POST}}}}
Outputs:
  ApiUrl: {{Value: !Sub "https://${{Api}}.execute-api.${{AWS::Region}}.${{AWS::URLSuffix}}/api"}}
"#
    );
    let workspace = Workspace::at(Path::new(env!("CARGO_MANIFEST_DIR"))).expect("a checkout");
    let echo = workspace.deploy_other(&stack.cloud, "echo", &template, &["echo"]);
    echo.await.expect("an echo that deploys")
}

#[tokio::test]
#[ignore = "a measurement"]
async fn measure_the_latency() {
    let deployed = deployed("latency").await;
    let stack = &deployed.stack;
    let store = stack.store().expect("a store");
    imported(stack, &store).await;
    let mut completed = None;
    let mut look = |order: store::orders::OrderRecord| {
        if order.status == domain::Status::Completed && completed.is_none() {
            completed = Some((order.order_id, order.customer_id));
        }
    };
    store.each_order(&mut look).await.expect("the orders");
    let (order_id, customer_id) = completed.expect("an order");
    let (token, _) = token(&store, "admin", None).await;
    let caller = Caller::new(stack, Some(&token));
    let get = async |path: &str| {
        let (status, body) = caller.ask("GET", path).await;
        assert!(status.is_success(), "{status}: {body}");
    };
    let said = json!({"amount": "0.01", "reason": "a measurement"});
    let bare = Caller::new(&echo(stack).await, None);
    let echo = timed(async |_| assert_eq!(bare.ask("GET", "/echo").await.0, 200)).await;
    let posted = timed(async |_| {
        let (status, body) = bare.post("/echo", "k", &said).await;
        assert!(status.is_success() && body == said, "{status}: {body}");
    });
    let posted = posted.await;
    println!("| | p50 | | p99 | |\n|---|---|---|---|---|");
    show("an echo, of `GET`", echo, echo);
    // The same way and an authorizer, and a function that says no at its end.
    let refused = timed(async |_| assert_eq!(caller.ask("GET", "/nothing").await.0, 404));
    show("a token, and no route", refused.await, echo);
    let order = format!("/orders/{order_id}");
    let rank = format!("/leaderboard/customers/{customer_id}/rank");
    for (what, path) in [
        ("an order with its story", order.as_str()),
        ("KPIs of today", "/kpis/daily"),
        ("top ten customers", "/leaderboard/customers"),
        ("rank of a customer", rank.as_str()),
    ] {
        show(what, timed(async |_| get(path).await).await, echo);
    }
    show("an echo, of `POST`", posted, posted);
    let refunds = format!("/orders/{order_id}/refunds");
    let refund = timed(async |number| {
        let key = format!("key {number}");
        let (status, body) = caller.post(&refunds, &key, &said).await;
        assert!(status.is_success() || status == 409, "{status}: {body}");
    });
    let what = "a refund is asked for, and is worked on meanwhile";
    show(what, refund.await, posted);
}
