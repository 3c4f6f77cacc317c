//! The real process of `authorize` against the emulator's table: what the API is told, and what is written down of it.

use std::process::Stdio;
use std::time::Duration;

use domain::Scopes;
use domain::access::Token;
use jiff::Timestamp;
use serde_json::{Value, json};
use store::tokens::{Revoked, TokenRecord};

use crate::support::lambda::{Invocation, binaries};
use crate::support::stack::deployed;
use crate::support::wait;

/// The answer of a process of its own, and all that it logged.
async fn asked(settings: &[(&str, &str)], token: &Token) -> (Value, String) {
    let event = json!({
        "type": "TOKEN",
        "authorizationToken": format!("Bearer {}", token.reveal()),
        "methodArn": "arn:aws:execute-api:us-east-1:000000000000:example/api/GET/orders",
    });
    let path = binaries().join(format!("authorize-{}.log", fastrand::u64(..)));
    let log = std::fs::File::create(&path).expect("a file");
    // Longer than the function has on AWS: a process may take its time to start on a busy machine.
    let limit = Duration::from_mins(1);
    let mut invocation = Invocation::start_logging(
        "authorize",
        settings,
        event.to_string(),
        limit,
        Stdio::from(log),
    )
    .await;
    let answer = invocation.answer(wait::LIMIT).await;
    invocation.kill();
    let log = std::fs::read_to_string(&path).expect("a log");
    std::fs::remove_file(&path).expect("removed");
    let answer = answer.expect("an answer in time");
    (serde_json::from_str(&answer).expect("json"), log)
}

#[tokio::test]
async fn a_process_takes_and_refuses_tokens_and_writes_none_down() {
    let deployed = deployed("access").await;
    let stack = &deployed.stack;
    let store = stack.store().expect("a store");
    let mut bits = [0; 32];
    bits.fill_with(|| fastrand::u8(..));
    let token = Token::new(bits);
    let scopes: Scopes = "operate".parse().expect("a scope");
    let known = TokenRecord::new(&token, "the night shift", scopes, None, Timestamp::now());
    store.put_token(&known).await.expect("on record");
    store.put_token(&known).await.expect("on record already");

    let endpoint = stack.cloud.endpoint.clone().expect("an emulator");
    let settings = [
        ("AWS_ENDPOINT_URL", endpoint.as_str()),
        (
            "TOKENS_TABLE",
            stack.output("TokensTable").expect("a table"),
        ),
        ("RUST_LOG", "trace"),
    ];
    let (answer, log) = asked(&settings, &token).await;
    assert_eq!(answer["context"]["scopes"], "operate", "{answer}");
    assert!(log.contains(&known.token_id), "{log}");
    assert!(log.contains("\"TRACE\""), "the last level is on");
    assert!(!log.contains(token.reveal()), "a token in the log");

    let revoked = store.revoke_token(&known.token_id, Timestamp::now()).await;
    assert!(matches!(revoked, Ok(Revoked::Done(_))), "{revoked:?}");
    let revoked = store.revoke_token(&known.token_id, Timestamp::now()).await;
    assert!(matches!(revoked, Ok(Revoked::Already(_))), "{revoked:?}");
    let (answer, _) = asked(&settings, &token).await;
    assert_eq!(answer["errorMessage"], "Unauthorized", "to the letter");

    // Nobody listens there.
    let mut away = settings;
    away[0].1 = "http://127.0.0.1:9";
    let (answer, _) = asked(&away, &token).await;
    assert_eq!(answer["errorType"], "Transient", "{answer}");
    assert_ne!(answer["errorMessage"], "Unauthorized");
}
