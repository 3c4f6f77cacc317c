//! The gateway through the adapter that the functions use: what is charged under faults, who is believed, and what
//! comes back by webhook.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use domain::{Fault, Money};
use jiff::Timestamp;
use ordermill::gateway::{Behaviour, Server, Share};
use payments::contract::{
    ChargeChanged, ChargeStatus, IDEMPOTENCY_KEY, LedgerEntry, Movement, Problem, ProblemCode,
    SIGNATURE,
};
use payments::{Answer, Charge, Gateway, Http, Patient, Refund, Refunded, SigningKey, Voidable};
use rust_decimal::Decimal;
use tokio::task::{JoinSet, LocalSet};

use crate::support::listening;
use crate::support::wait::until;

fn key() -> SigningKey {
    SigningKey::new("a secret of the tests")
}

fn share(text: &str) -> Share {
    text.parse().expect("a share")
}

fn usd(cents: i64) -> Money {
    let currency = "USD".parse().expect("a currency");
    Money::new(Decimal::new(cents, 2), currency).expect("an amount")
}

async fn serving(behaviour: Behaviour, webhook: Option<&str>) -> Server {
    let (listener, _) = listening().await;
    let server = Server::start(listener, key(), behaviour, webhook).await;
    server.expect("a gateway")
}

fn http(server: &Server) -> Http<SigningKey> {
    Http::new(&server.url(), key()).expect("an adapter")
}

/// Asked until there is an answer, as a message that comes back does: one run of patience may be too short.
async fn until_answered<T>(ask: impl AsyncFn() -> Result<T, Fault>) -> T {
    for _ in 0..20 {
        match ask().await {
            Ok(answer) => return answer,
            Err(Fault::Transient(_)) => {}
            Err(fault) => panic!("{fault}"),
        }
    }
    panic!("there was never an answer");
}

/// By charge: captured, voided, refunded, each as often as it happened.
fn movements(entries: &[LedgerEntry]) -> BTreeMap<String, Vec<(Movement, Decimal)>> {
    let mut movements: BTreeMap<String, Vec<(Movement, Decimal)>> = BTreeMap::new();
    for entry in entries {
        let of_charge = movements.entry(entry.charge.clone()).or_default();
        of_charge.push((entry.kind, entry.amount));
    }
    movements
}

/// Whatever is lost on the way, each key is captured once, by as much as was asked for.
#[tokio::test]
async fn faults_on_the_way_charge_nobody_twice() {
    let server = serving(
        Behaviour {
            decline: share("0.1"),
            drop: share("0.15"),
            error: share("0.2"),
            throttle: share("0.1"),
            ..Behaviour::default()
        },
        None,
    )
    .await;
    let gateway = Arc::new(Patient(http(&server)));
    let (mut asked, here) = (JoinSet::new(), LocalSet::new());
    for number in 0..120i64 {
        // Each key by two at once: a message that was delivered twice.
        for _ in 0..2 {
            let gateway = gateway.clone();
            asked.spawn_local_on(
                async move {
                    // Whatever people use as an order id.
                    let key = format!("ORD {number}/ü%2F?#.");
                    let charge = Charge {
                        key: &key,
                        amount: usd(100 + number),
                    };
                    let answer = until_answered(async || gateway.charge(&charge).await).await;
                    let stands = until_answered(async || gateway.status(&charge).await).await;
                    assert_eq!(stands, Some(answer.clone()));
                    (key, (answer, Decimal::new(100 + number, 2)))
                },
                &here,
            );
        }
    }
    let mut answers = BTreeMap::new();
    here.await;
    while let Some(answer) = asked.join_next().await {
        let (key, answer) = answer.expect("an answer");
        // Both got the same one.
        let other = answers.insert(key, answer.clone());
        assert!(other.is_none_or(|other| other == answer));
    }
    let ledger = http(&server).ledger().await.expect("a ledger");
    let ledger = ledger.expect("one that is shown");
    assert_eq!(ledger, server.entries());
    let movements = movements(&ledger);
    for (key, (answer, amount)) in &answers {
        let expected = match answer {
            Answer::Approved { .. } => Some(vec![(Movement::Capture, *amount)]),
            Answer::Declined => None,
            other => panic!("{key} is {other:?}"),
        };
        assert_eq!(movements.get(key), expected.as_ref(), "{key}");
    }
    let summary = server.stop().await;
    assert_eq!(summary.charges.approved, movements.len() as u64);
    assert_eq!(summary.charges.approved + summary.charges.declined, 120);
    let faults = summary.faults;
    assert!(faults.dropped > 0 && faults.errors > 0 && faults.throttled > 0);
}

/// One attempt each: the connection closes without an answer, and what was asked for is done.
#[tokio::test]
async fn an_answer_that_is_dropped_is_of_something_that_was_done() {
    let behaviour = Behaviour {
        drop: share("1"),
        ..Behaviour::default()
    };
    let server = serving(behaviour, None).await;
    let gateway = http(&server);
    let charge = Charge {
        key: "O-1",
        amount: usd(1000),
    };
    for _ in 0..2 {
        let fault = gateway.charge(&charge).await.expect_err("no answer");
        assert!(fault.to_string().contains("gave no answer"), "{fault}");
    }
    let refund = Refund {
        key: "R-1",
        charge: "O-1",
        amount: usd(400),
    };
    assert!(matches!(
        gateway.refund(&refund).await,
        Err(Fault::Transient(_))
    ));
    let expected = [
        (Movement::Capture, Decimal::new(1000, 2)),
        (Movement::Refund, Decimal::new(400, 2)),
    ];
    assert_eq!(movements(&server.entries())["O-1"], expected);
    assert_eq!(server.summary().faults.dropped, 3);
}

#[tokio::test]
async fn charges_are_voided_and_refunded_by_the_rules() {
    let server = serving(Behaviour::default(), None).await;
    let gateway = http(&server);
    for key in ["O-1", "O-2"] {
        let charge = Charge {
            key,
            amount: usd(1000),
        };
        let answer = gateway.charge(&charge).await.expect("an answer");
        assert!(matches!(answer, Answer::Approved { .. }));
        let stands = gateway.void(key, Voidable::Pending).await;
        assert_eq!(stands.expect("an answer"), answer);
    }
    let voided = gateway.void("O-1", Voidable::Any).await;
    assert_eq!(voided.expect("an answer"), Answer::Voided);
    let refund = async |key, charge, cents| {
        let amount = usd(cents);
        let refund = Refund {
            key,
            charge,
            amount,
        };
        gateway.refund(&refund).await.expect("an answer")
    };
    assert!(matches!(
        refund("R-1", "O-1", 1).await,
        Refunded::Refused { .. }
    ));
    let made = async |cents| {
        let refund = Refund {
            key: "R-2",
            charge: "O-2",
            amount: usd(cents),
        };
        gateway.refund_status(&refund).await
    };
    assert_eq!(made(600).await.expect("an answer"), None);
    let done = refund("R-2", "O-2", 600).await;
    assert!(matches!(done, Refunded::Done { .. }));
    assert_eq!(refund("R-2", "O-2", 600).await, done);
    assert_eq!(made(600).await.expect("an answer"), Some(done));
    assert!(matches!(made(601).await, Err(Fault::Corrupt(_))));
    assert!(matches!(
        refund("R-3", "O-2", 401).await,
        Refunded::Refused { .. }
    ));
    let unknown = Charge {
        key: "O-3",
        amount: usd(1000),
    };
    assert_eq!(gateway.status(&unknown).await.expect("an answer"), None);
    // Another amount under the same key is a mistake of ours, and nothing that time will mend.
    let other = Charge {
        key: "O-2",
        amount: usd(1001),
    };
    assert!(matches!(
        gateway.charge(&other).await,
        Err(Fault::Corrupt(_))
    ));
}

#[tokio::test]
async fn who_has_another_key_is_not_believed() {
    let server = serving(Behaviour::default(), None).await;
    let stranger = Http::new(&server.url(), SigningKey::new("another")).expect("an adapter");
    let charge = Charge {
        key: "O-1",
        amount: usd(1000),
    };
    let fault = stranger.charge(&charge).await.expect_err("a refusal");
    assert!(matches!(fault, Fault::Transient(_)), "{fault}");
    assert!(fault.to_string().contains("401"), "{fault}");
    assert!(stranger.ledger().await.is_err());
    assert!(server.entries().is_empty());
    // Each was tried again, in case the key had changed.
    assert_eq!(server.summary().unbelieved, 4);

    /// Knows the new key once it is told that the old one is not accepted.
    struct Rotated;
    impl payments::Keys for Rotated {
        async fn key(&self, fresh: bool) -> Result<SigningKey, Fault> {
            Ok(if fresh { key() } else { SigningKey::new("old") })
        }
    }
    let rotated = Http::new(&server.url(), Rotated).expect("an adapter");
    assert!(rotated.charge(&charge).await.is_ok());
}

/// Everything that is signed counts: what was recorded cannot be sent as something else.
#[tokio::test]
async fn a_signature_is_of_one_request() {
    let server = serving(Behaviour::default(), None).await;
    let body = r#"{"amount":"10.00","currency":"USD"}"#;
    let signature = key().sign(
        &[b"POST", b"/v1/charges", b"O-1", body.as_bytes()],
        Timestamp::now(),
    );
    let client = crate::support::http();
    let send = async |path: &str, idempotency_key: &str, body: &str| {
        let request = client
            .post(format!("{}{path}", server.url()))
            .header(SIGNATURE, &signature)
            .header(IDEMPOTENCY_KEY, idempotency_key)
            .body(body.to_owned());
        let answer = request.send().await.expect("an answer");
        (
            answer.status().as_u16(),
            answer.bytes().await.expect("a body"),
        )
    };
    for (path, idempotency_key, body) in [
        ("/v1/charges", "O-2", body),
        ("/v1/charges", "", body),
        ("/v1/charges?x", "O-1", body),
        ("/v1/refunds", "O-1", body),
        (
            "/v1/charges",
            "O-1",
            r#"{"amount":"99.00","currency":"USD"}"#,
        ),
        ("/nowhere", "O-1", body),
    ] {
        let (status, problem) = send(path, idempotency_key, body).await;
        let problem: Problem = serde_json::from_slice(&problem).expect("a problem");
        let told = (status, problem.code);
        assert_eq!(told, (401, ProblemCode::BadSignature), "{path}");
    }
    assert_eq!(send("/v1/charges", "%4F%2D1", body).await.0, 200);
    assert_eq!(server.entries().len(), 1);
}

type Inbox = Arc<Mutex<Vec<(bool, ChargeChanged)>>>;

/// Refuses each event the first time it comes, so that it has to come again.
async fn receive(State(inbox): State<Inbox>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let signature = headers.get(SIGNATURE);
    let signature = signature.and_then(|signature| signature.to_str().ok());
    let checked = key().check(signature, &[&body], Timestamp::now());
    let Ok(event) = serde_json::from_slice::<ChargeChanged>(&body) else {
        return StatusCode::BAD_REQUEST;
    };
    let mut inbox = inbox.lock().expect("the inbox");
    let known = inbox.iter().any(|(_, other)| *other == event);
    inbox.push((checked.is_ok(), event));
    match known {
        true => StatusCode::NO_CONTENT,
        false => StatusCode::SERVICE_UNAVAILABLE,
    }
}

async fn receiver() -> (String, Inbox) {
    let inbox = Inbox::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a port");
    let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
    let app = Router::new()
        .route("/hook", post(receive))
        .with_state(inbox.clone());
    tokio::spawn(async { axum::serve(listener, app).await });
    (url, inbox)
}

#[tokio::test]
async fn what_was_pending_is_told_by_signed_webhooks_until_they_are_accepted() {
    let (url, inbox) = receiver().await;
    let behaviour = Behaviour {
        pending: share("1"),
        pending_for: Duration::from_millis(20),
        pending_decline: share("0.5"),
        duplicate_webhooks: share("0.5"),
        ..Behaviour::default()
    };
    let server = serving(behaviour, Some(&url)).await;
    let gateway = http(&server);
    for number in 0..20 {
        let charge = Charge {
            key: &format!("O-{number}"),
            amount: usd(1000),
        };
        let answer = gateway.charge(&charge).await.expect("an answer");
        assert!(matches!(answer, Answer::Pending { .. }), "{answer:?}");
    }
    until("twenty events, and copies of some", async || {
        server.summary().webhooks.delivered > 20
    })
    .await;
    // One refused and one accepted of each, and one more of those that are sent twice.
    until("each event more than once", async || {
        let inbox = inbox.lock().expect("the inbox");
        let keys: BTreeSet<_> = inbox.iter().map(|(_, event)| &event.key).collect();
        keys.len() == 20 && inbox.len() > 2 * keys.len()
    })
    .await;
    let events = inbox.lock().expect("the inbox").clone();
    assert!(events.iter().all(|(signed, _)| *signed));
    for (_, event) in &events {
        let ChargeChanged { key, status, .. } = event;
        let amount = usd(1000);
        let stands = gateway.status(&Charge { key, amount }).await;
        let stands = stands.expect("an answer");
        let expected = match status {
            ChargeStatus::Declined => Some(Answer::Declined),
            _ => stands.clone().filter(|_| *status == ChargeStatus::Approved),
        };
        assert_eq!(stands, expected, "{event:?}");
    }
    let ids: BTreeSet<_> = events.iter().map(|(_, event)| &event.event_id).collect();
    assert_eq!(ids.len(), 20, "an event keeps its id");
}

#[tokio::test]
async fn a_bank_that_says_yes_after_all_is_told_of_and_its_charge_can_be_voided() {
    let (url, inbox) = receiver().await;
    let behaviour = Behaviour {
        late: share("1"),
        late_after: Duration::from_millis(300),
        ..Behaviour::default()
    };
    let server = serving(behaviour, Some(&url)).await;
    let gateway = http(&server);
    let charge = Charge {
        key: "O-1",
        amount: usd(1000),
    };
    let answer = gateway.charge(&charge).await.expect("an answer");
    assert!(matches!(answer, Answer::Pending { .. }));
    let voided = gateway.void("O-1", Voidable::Pending).await;
    assert_eq!(voided.expect("an answer"), Answer::Voided);
    // It may have come already, on a busy machine.
    let mut entries = server.entries().into_iter();
    assert!(entries.all(|entry| entry.kind == Movement::Capture));
    until("the yes", async || {
        inbox
            .lock()
            .expect("the inbox")
            .iter()
            .any(|(_, event)| event.status == ChargeStatus::Approved)
    })
    .await;
    let voided = gateway.void("O-1", Voidable::Any).await;
    assert_eq!(voided.expect("an answer"), Answer::Voided);
    let amount = Decimal::new(1000, 2);
    let expected = [(Movement::Capture, amount), (Movement::Void, amount)];
    assert_eq!(movements(&server.entries())["O-1"], expected);
}
