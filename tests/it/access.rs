//! Who may call the API: `authorize` over memory, and the records of tokens.

use std::time::Duration;

use authorize::Answer;
use aws_lambda_events::apigw::ApiGatewayCustomAuthorizerRequest;
use domain::access::Token;
use domain::{Fault, Scopes};
use edge::Invocation;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use store::Store;
use store::memory::{Faults, MemoryEngine};
use store::tokens::{Revoked, State, TokenRecord};

use crate::support::{now, read};

/// The token of the sample event.
fn token() -> Token {
    Token::new([0; 32])
}

fn record(token: &Token, expires_at: Option<Timestamp>) -> TokenRecord {
    let scopes: Scopes = "refund read".parse().expect("scopes");
    TokenRecord::new(token, "the shop", scopes, expires_at, now())
}

fn in_hours(hours: i64) -> Timestamp {
    now() + SignedDuration::from_hours(hours)
}

fn request() -> ApiGatewayCustomAuthorizerRequest {
    serde_json::from_slice(&read("events/authorize.json")).expect("a request")
}

async fn asked(
    store: &Store<MemoryEngine>,
    request: ApiGatewayCustomAuthorizerRequest,
    now: Timestamp,
) -> Result<Answer, Fault> {
    let invocation = Invocation {
        now,
        remaining: Duration::from_secs(5),
        draw: 1,
    };
    authorize::handle(store, request, invocation).await
}

/// What the API answers 401 to.
fn unauthorized() -> Result<Answer, Fault> {
    Err(Fault::Refused("Unauthorized".to_owned()))
}

#[tokio::test]
async fn a_token_opens_the_whole_stage_and_says_what_it_allows() {
    let store = Store::new(MemoryEngine::new(), 1);
    let known = record(&token(), Some(in_hours(1)));
    store.put_token(&known).await.expect("on record");
    let answer = asked(&store, request(), now()).await.expect("an answer");
    assert_eq!(
        serde_json::to_value(&answer).expect("json"),
        json!({
            "principalId": format!("token:{}", known.token_id),
            "policyDocument": {
                "Version": "2012-10-17",
                "Statement": [{
                    "Action": ["execute-api:Invoke"],
                    "Effect": "Allow",
                    "Resource": ["arn:aws:execute-api:us-east-1:000000000000:example/api/*"],
                }],
            },
            "context": {"token_id": known.token_id, "name": "the shop", "scopes": "read refund"},
            "usageIdentifierKey": null,
        })
    );
    let mut root = request();
    root.method_arn = Some("arn:aws-cn:execute-api:r:1:example/api/GET/".to_owned());
    let answer = asked(&store, root, now()).await.expect("an answer");
    let resource = &answer.policy_document.statement[0].resource;
    assert_eq!(resource, &["arn:aws-cn:execute-api:r:1:example/api/*"]);
}

#[tokio::test]
async fn who_has_no_token_that_holds_is_unauthorized() {
    let store = Store::new(MemoryEngine::new(), 1);
    assert_eq!(asked(&store, request(), now()).await, unauthorized());
    let known = record(&token(), Some(in_hours(1)));
    store.put_token(&known).await.expect("on record");
    assert!(
        asked(
            &store,
            request(),
            in_hours(1) - SignedDuration::from_millis(1)
        )
        .await
        .is_ok()
    );
    assert_eq!(asked(&store, request(), in_hours(1)).await, unauthorized());

    let other = Token::new([1; 32]);
    store
        .put_token(&record(&other, None))
        .await
        .expect("on record");
    let mut eternal = request();
    eternal.authorization_token = Some(format!("BEARER {}", other.reveal()));
    assert!(
        asked(&store, eternal.clone(), in_hours(1_000_000))
            .await
            .is_ok()
    );
    let revoked = store
        .revoke_token(&record(&other, None).token_id, now())
        .await;
    assert!(matches!(revoked, Ok(Revoked::Done(_))), "{revoked:?}");
    assert_eq!(asked(&store, eternal, now()).await, unauthorized());
    assert!(asked(&store, request(), now()).await.is_ok());
}

/// No answer of the table is neither a no, which would tell people that their token is bad, nor a yes.
#[tokio::test(start_paused = true)]
async fn a_table_that_is_away_is_a_fault_and_junk_does_not_ask_it() {
    let engine = MemoryEngine::new();
    let store = Store::new(engine.clone(), 1);
    store
        .put_token(&record(&token(), None))
        .await
        .expect("on record");
    engine.set_faults(Faults {
        throttle: 1_000,
        ..Faults::default()
    });
    let answer = asked(&store, request(), now()).await;
    assert!(matches!(answer, Err(Fault::Transient(_))), "{answer:?}");
    let text = token().reveal().to_owned();
    for junk in [
        None,
        Some(String::new()),
        Some(text.clone()),
        Some(format!("Basic {text}")),
        Some(format!("Bearer {}", &text[..40])),
        Some("Bearer eyJhbGciOiJIUzI1NiJ9.e30.x".to_owned()),
    ] {
        let mut request = request();
        request.authorization_token = junk;
        assert_eq!(asked(&store, request, now()).await, unauthorized());
    }
    engine.set_faults(Faults::default());
    for nowhere in [
        "",
        "arn:aws:execute-api:r:1:example",
        "example//GET/",
        "example/api",
    ] {
        let mut request = request();
        request.method_arn = Some(nowhere.to_owned());
        let answer = asked(&store, request, now()).await;
        assert!(matches!(answer, Err(Fault::Malformed(_))), "{answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_is_made_once_and_revoked_once_whatever_is_lost() {
    for seed in 0..20 {
        let engine = MemoryEngine::new();
        let (store, calm) = (
            Store::new(engine.clone(), seed),
            Store::new(engine.clone(), 99),
        );
        engine.set_faults(Faults {
            conflict: 200,
            throttle: 200,
            lost_answer: 300,
            stale: 0,
        });
        let (one, other) = (Token::new([1; 32]), Token::new([2; 32]));
        let known = record(&one, Some(in_hours(1)));
        while store.put_token(&known).await.is_err() {}
        while store.put_token(&record(&other, None)).await.is_err() {}
        let id = known.token_id.as_str();
        let revoked = async |at| loop {
            if let Ok(revoked) = store.revoke_token(id, at).await {
                return revoked;
            }
        };
        let gone = TokenRecord {
            revoked_at: Some(in_hours(2)),
            ..known.clone()
        };
        assert_eq!(
            revoked(in_hours(2)).await,
            Revoked::Done(Box::new(gone.clone()))
        );
        assert_eq!(
            revoked(in_hours(3)).await,
            Revoked::Already(Box::new(gone.clone()))
        );
        engine.set_faults(Faults::default());
        assert_eq!(
            calm.revoke_token("tk_unknown", now()).await,
            Ok(Revoked::Unknown)
        );
        let mut listed = calm.tokens().await.expect("tokens");
        listed.sort_by_key(|token| token.token_hash != gone.token_hash);
        assert_eq!(listed, [gone.clone(), record(&other, None)]);
        assert_eq!(gone.state(in_hours(2)), State::Revoked);
        assert_eq!(known.state(in_hours(2)), State::Expired);
        assert_eq!(known.state(now()), State::Active);
    }
}

/// Bits that come twice were not drawn at random, and must open no door twice.
#[tokio::test]
async fn a_token_that_was_drawn_before_is_refused() {
    let store = Store::new(MemoryEngine::new(), 1);
    store
        .put_token(&record(&token(), None))
        .await
        .expect("on record");
    let mut again = record(&token(), None);
    again.name = "another shop".to_owned();
    let put = store.put_token(&again).await;
    assert!(matches!(put, Err(Fault::Corrupt(_))), "{put:?}");
}
