//! Notifications on the local stack: one record for each event, and one mail for each record that is to be mailed, while the
//! functions that tell and send are killed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use domain::notification::{Name, Standing};
use domain::preferences::Channel;
use edge::mail;
use edge::outbox::SqsOutbox;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use ordermill::cloud::Stack;
use ordermill::verify::{self, Books};
use serde_json::Value;
use store::Store;
use store::dynamo::DynamoEngine;

use super::support::{expected, records};
use crate::support::stack::{deployed_with, ended, functions, upload};
use crate::support::stock;

const ORDERS: u64 = 300;

/// How often each of the functions is killed.
const KILLS: u32 = 3;

pub const SENDER: &str = "orders@shop.example";

#[tokio::test]
async fn every_event_is_told_once_though_whoever_tells_and_sends_is_killed() {
    let parameters = [
        ("MailSender", SENDER.to_owned()),
        ("MailRate", "200".to_owned()),
    ];
    let deployed = deployed_with("notices", &parameters).await;
    let stack = &deployed.stack;
    let ses = aws_sdk_ses::Client::new(&stack.cloud.aws);
    let verified = ses.verify_email_identity().email_address(SENDER).send();
    verified.await.expect("a verified sender");
    let store = stack.store().expect("a store");
    stock(&store, &[("N-1", 1_000)]).await;
    let mut file =
        "order_id,customer_id,customer_email,product_sku,quantity,unit_price\n".to_owned();
    for row in 0..ORDERS {
        // Every third customer has no address.
        let customer = row % 30;
        let email = match customer % 3 {
            0 => String::new(),
            _ => format!("c{customer}@customers.example"),
        };
        file.push_str(&format!("N-{row},C-{customer},{email},N-1,5,9.99\n"));
    }
    let import_id = upload(stack, "notices.csv", file.as_bytes()).await;
    let kills = tokio::spawn(kill(stack.name.clone()));
    let import = ended(&store, &import_id, 200, Duration::from_millis(200)).await;
    assert_eq!(import.progress.completed + import.progress.failed, ORDERS);
    assert!(import.progress.failed > 0, "not all stock was sold");

    let started = Instant::now();
    let told = settled(&store).await;
    let took = started.elapsed();
    let killed = kills.await.expect("kills");
    for function in ["notify", "send"] {
        let times = killed.get(function).copied().unwrap_or_default();
        assert!(times >= KILLS, "{function} was killed {times} times only");
    }
    let mails = mailbox(stack, &told).await;
    let mut twice = 0;
    for (id, record) in &told {
        let (mails, attempts) = (mails.get(id).copied().unwrap_or_default(), record.attempts);
        match record.channel {
            Channel::Log => assert_eq!(mails, 0, "{record:?}"),
            Channel::Email => {
                assert!((1..=attempts).contains(&mails), "{mails} mails: {record:?}");
                twice += mails - 1;
            }
        }
        assert_eq!(record.status, Standing::Sent, "{record:?}");
    }
    let by_mail = told.values().filter(|one| one.channel == Channel::Email);
    let by_mail = by_mail.count() as u64;
    assert_eq!(by_mail, ORDERS * 2 / 3);
    println!(
        "{by_mail} by mail, {twice} of them twice, the last one {took:?} after the import; killed {killed:?}"
    );

    let books = Books::load(&store, &TimeZone::UTC).await.expect("books");
    let check = verify::notifications::check(&books, told.values(), Timestamp::MAX);
    assert_eq!(check.drift, Vec::<String>::new());
    assert_eq!(check.checked, ORDERS);

    refused(stack, &store, &ses, &told).await;
}

type Told = BTreeMap<String, store::notifications::NotificationRecord>;

/// Everything that is told, when nothing is pending any more.
async fn settled(store: &Store<DynamoEngine>) -> Told {
    let started = Instant::now();
    let wanted: BTreeSet<String> = expected(store).await.into_iter().collect();
    loop {
        let told = records(store).await;
        let pending = told
            .values()
            .filter(|record| record.status == Standing::Pending)
            .count();
        if pending == 0 && told.keys().eq(&wanted) {
            return told;
        }
        let (count, waited) = (told.len(), started.elapsed());
        assert!(
            waited < Duration::from_secs(300),
            "{count} of {} are told, {pending} pending",
            wanted.len()
        );
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Everything that the emulator's mail service was given.
pub async fn messages(stack: &Stack) -> Value {
    let endpoint = stack.cloud.endpoint.as_deref().unwrap_or_default();
    let url = format!("{}/_ministack/ses/messages", endpoint.trim_end_matches('/'));
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let answer = reqwest::get(url).await.expect("an answer");
    let text = answer.text().await.expect("a text");
    serde_json::from_str(&text).expect("json")
}

/// Mails that went out, by the notification that they say to be.
async fn mailbox(stack: &Stack, told: &Told) -> BTreeMap<String, u32> {
    let document = messages(stack).await;
    let mut found = BTreeMap::new();
    for mail in mails(&document) {
        let body = mail["BodyText"].as_str().unwrap_or_default();
        let id = body.lines().find(|line| line.starts_with("nt_"));
        let id = id.unwrap_or_else(|| panic!("a mail of nothing: {mail}"));
        let Some(record) = told.get(id) else {
            continue;
        };
        let order_id = &record.order_id;
        assert!(body.contains(order_id.as_str()), "{mail}");
        let html = mail["BodyHtml"].as_str().unwrap_or_default();
        assert!(html.contains("<html") && html.contains(id), "{mail}");
        assert_eq!(mail["Source"], SENDER);
        let customer = record.change.customer_id.trim_start_matches("C-");
        assert_eq!(mail["To"][0], format!("c{customer}@customers.example"));
        *found.entry(id.to_owned()).or_default() += 1;
    }
    found
}

/// Wherever they stand in the document.
pub fn mails(document: &Value) -> Vec<&Value> {
    match document {
        Value::Object(fields) if fields.contains_key("MessageId") => vec![document],
        Value::Object(fields) => fields.values().flat_map(mails).collect(),
        Value::Array(items) => items.iter().flat_map(mails).collect(),
        _ => Vec::new(),
    }
}

/// Kills each function while it is at work, as far as one can tell from outside.
async fn kill(stack: String) -> BTreeMap<String, u32> {
    let mut killed: BTreeMap<String, u32> = BTreeMap::new();
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(200) {
        tokio::time::sleep(Duration::from_millis(150)).await;
        for (name, pid) in functions(&stack) {
            let times = killed.entry(name.clone()).or_default();
            if !["notify", "send"].contains(&name.as_str()) || *times >= KILLS {
                continue;
            }
            let kill = std::process::Command::new("kill")
                .args(["-9", &pid.to_string()])
                .status();
            *times += u32::from(kill.expect("kill").success());
        }
        let done = |name| killed.get(name).is_some_and(|times| *times >= KILLS);
        if done("notify") && done("send") {
            break;
        }
    }
    killed
}

/// A sender that is not verified any more: the mail fails, once, in the service's words.
async fn refused(
    stack: &Stack,
    store: &Store<DynamoEngine>,
    ses: &aws_sdk_ses::Client,
    told: &Told,
) {
    let gone = ses.delete_identity().identity(SENDER).send();
    gone.await.expect("no verified sender");
    let mailed = told
        .values()
        .find(|record| record.channel == Channel::Email)
        .expect("a mail");
    let name: Name = mailed.name();
    let outbox = SqsOutbox {
        client: aws_sdk_sqs::Client::new(&stack.cloud.aws),
        url: stack.output("MailQueueUrl").expect("a queue").to_owned(),
    };
    let resent = mail::resend(store, &outbox, &name, true, "tests", Timestamp::now()).await;
    resent.expect("an answer");
    let started = Instant::now();
    loop {
        let record = store.notification(&name).await.expect("an answer");
        let record = record.expect("a notification");
        if record.status == Standing::Failed {
            let why = record.failure.unwrap_or_default();
            assert!(why.starts_with("MessageRejected: "), "{why}");
            assert_eq!(record.attempts, mailed.attempts + 1);
            return;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "{record:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
