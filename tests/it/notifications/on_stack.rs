//! Notifications on the local stack: one record for each event, and one mail for each record that is to be mailed, while the
//! functions that tell and send are killed, and the streams deliver twice.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use domain::journal::Kind as Deed;
use domain::notification::{Kind, Name, Standing};
use domain::preferences::Channel;
use domain::progress::ImportStatus;
use domain::refund::{RefundStatus, Wanted};
use edge::mail;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use ordermill::cloud::Stack;
use ordermill::verify::{self, Books};
use serde_json::{Value, json};
use store::dynamo::DynamoEngine;
use store::notifications::NotificationRecord;
use store::ops::Write;
use store::{Store, journal};

use super::support::{OPERATOR, deployed_to_mail, expected, records};
use crate::lifecycle::support::{done, its_refund};
use crate::refunds::support::{cents, completed, opened};
use crate::support::policies;
use crate::support::stack::{ended, functions, upload};
use crate::support::wait::{self, seen};
use crate::support::{http, read, stock};

const ORDERS: usize = 5_000;
const PRODUCTS: usize = 50;

/// How often each of the functions is killed, at most and at least.
const KILLS: u32 = 8;
const KILLS_AT_LEAST: u32 = 5;

/// How often entries that were told are delivered again while others are told.
const COPIES: u32 = 8;

const SENDER: &str = "orders@shop.example";

#[tokio::test]
async fn every_event_of_5000_orders_is_told_once_though_whoever_tells_and_sends_is_killed() {
    let more = [
        ("OperatorMail", OPERATOR.to_owned()),
        ("MailRate", "1000".to_owned()),
    ];
    let deployed = deployed_to_mail("notices", SENDER, more).await;
    let stack = &deployed.stack;
    let ses = aws_sdk_ses::Client::new(&stack.cloud.aws);
    let store = stack.store().expect("a store");
    let products: Vec<String> = (0..PRODUCTS).map(|sku| format!("N-{sku}")).collect();
    let stocked: Vec<(&str, u64)> = products.iter().map(|sku| (sku.as_str(), 95)).collect();
    stock(&store, &stocked).await;

    let started = Instant::now();
    let import_id = upload(stack, "notices.csv", file(&products).as_bytes()).await;
    let no_file = upload(stack, "none.csv", b"a,b\n1,2\n").await;
    let single = b"order_id,customer_id,product_sku,quantity,unit_price\nS-1,C-0,N-0,1,9.99\n";
    let single = upload(stack, "api/S-1.csv", single).await;
    let work = async {
        let import = ended(&store, &import_id).await;
        let progress = import.progress;
        assert_eq!(progress.completed + progress.failed, ORDERS as u64);
        assert!(progress.failed > 0, "not all stock was sold");
        for (id, status) in [
            (&no_file, ImportStatus::Failed),
            (&single, ImportStatus::Completed),
        ] {
            let import = ended(&store, id).await;
            assert_eq!(import.status(), status, "{:?}", import.record.reason);
        }
        deeds(&store).await;
        let imported = started.elapsed();

        let told = settled(&store).await;
        (told, imported, started.elapsed())
    };
    let ((told, imported, took), chaos) = futures::join!(work, Chaos::new(stack).run());
    for function in ["notify", "send"] {
        let times = chaos.killed.get(function).copied().unwrap_or_default();
        assert!(
            times >= KILLS_AT_LEAST,
            "{function} was killed {times} times only"
        );
    }
    assert!(chaos.copied > 0, "nothing was delivered twice");
    for kind in Kind::ALL {
        let is_of = |record: &&NotificationRecord| record.name().kind == kind;
        assert!(told.values().any(|record| is_of(&record)), "no {kind}");
    }
    let (by_mail, twice) = compared(stack, &told).await;

    // Once more, all of it: nothing is told anew.
    let entries = everything(&store).await;
    for entries in entries.chunks(100) {
        assert!(told_again(stack, entries.to_vec()).await);
    }
    let again = records(&store).await;
    let all: BTreeSet<&String> = told.keys().chain(again.keys()).collect();
    let changed = all.into_iter().filter(|id| told.get(*id) != again.get(*id));
    assert_eq!(changed.collect::<Vec<_>>(), Vec::<&String>::new());
    assert_eq!(compared(stack, &told).await, (by_mail, twice));
    println!(
        "{} told, {by_mail} by mail, {twice} mails a second time; imported after {imported:?}, all told after {took:?}, the rest until {:?}; \
         killed {:?}, {} entries delivered again on the way",
        told.len(),
        started.elapsed(),
        chaos.killed,
        chaos.copied
    );

    let books = Books::load(&store, &TimeZone::UTC).await.expect("books");
    let check = verify::notifications::check(&books, told.values(), Timestamp::MAX);
    assert_eq!(check.drift, Vec::<String>::new());
    assert_eq!(check.checked, told.len() as u64);

    refused(stack, &store, &ses, &told).await;
    policies::check(stack).await;
}

/// One customer in four has an address.
fn file(products: &[String]) -> String {
    let mut file =
        "order_id,customer_id,customer_email,product_sku,quantity,unit_price\n".to_owned();
    for row in 0..ORDERS {
        let (customer, sku) = (row % 60, &products[row % PRODUCTS]);
        let email = match customer % 4 {
            0 => format!("c{customer}@customers.example"),
            _ => String::new(),
        };
        file.push_str(&format!("N-{row},C-{customer},{email},{sku},1,9.99\n"));
    }
    file
}

/// Some orders are shipped, some of those delivered, some cancelled, and some refunded. Nothing is on its way any more then: a
/// refund that ends later would be one more thing to tell.
async fn deeds(store: &Store<DynamoEngine>) {
    let ids: Vec<String> = (0..200).map(|row| format!("N-{row}")).collect();
    let orders = store.orders(&ids).await.expect("orders");
    let completed_ones = orders.into_iter().flatten();
    let completed_ones = completed_ones.filter(|order| order.failure.is_none());
    let mut cancelled = Vec::new();
    for (at, order) in completed_ones.take(60).enumerate() {
        let id = order.order_id.as_str();
        match at % 3 {
            0 => {
                done(store, Deed::Shipped, id).await;
                done(store, Deed::Delivered, id).await;
            }
            1 => cancelled.push(done(store, Deed::Cancelled, id).await.order_id),
            _ => {
                let wanted = Wanted::Amount(cents(100));
                let refund_id = opened(store, id, id, &wanted).await;
                completed(store, &refund_id).await;
            }
        }
    }
    // Nobody sent their messages: `expire` does.
    for id in &cancelled {
        let read = async || its_refund(store, id).await;
        seen(id, read, |refund| refund.status == RefundStatus::Completed).await;
    }
}

type Told = BTreeMap<String, NotificationRecord>;

/// Everything that is told, when nothing is pending any more.
async fn settled(store: &Store<DynamoEngine>) -> Told {
    let started = Instant::now();
    loop {
        let wanted: BTreeSet<String> = expected(store).await.into_iter().collect();
        let told = records(store).await;
        let pending = told
            .values()
            .filter(|record| record.status == Standing::Pending)
            .count();
        if pending == 0 && told.keys().eq(&wanted) {
            return told;
        }
        let count = told.len();
        assert!(
            started.elapsed() < wait::LIMIT,
            "{count} of {} are told, {pending} pending",
            wanted.len()
        );
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
}

/// Every record is sent, and the mails are those that the records say. How many records went out by mail, and how many mails
/// there are beyond the first of each.
async fn compared(stack: &Stack, told: &Told) -> (usize, u32) {
    let mails = mailbox(stack, told).await;
    let (mut by_mail, mut twice) = (0, 0);
    for (id, record) in told {
        let (mails, attempts) = (mails.get(id).copied().unwrap_or_default(), record.attempts);
        match record.channel {
            Channel::Log => assert_eq!(mails, 0, "{record:?}"),
            Channel::Email => {
                assert!((1..=attempts).contains(&mails), "{mails} mails: {record:?}");
                by_mail += 1;
                twice += mails - 1;
            }
        }
        assert_eq!(record.status, Standing::Sent, "{record:?}");
    }
    (by_mail, twice)
}

/// Everything that the emulator's mail service was given.
pub async fn messages(stack: &Stack) -> Value {
    let endpoint = stack.cloud.endpoint.as_deref().unwrap_or_default();
    let url = format!("{}/_ministack/ses/messages", endpoint.trim_end_matches('/'));
    let answer = http().get(url).send().await.expect("an answer");
    let text = answer.text().await.expect("a text");
    serde_json::from_str(&text).expect("json")
}

/// Mails that went out, by the notification that they say to be.
async fn mailbox(stack: &Stack, told: &Told) -> BTreeMap<String, u32> {
    let document = messages(stack).await;
    let mut found = BTreeMap::new();
    // Other stacks have other senders.
    for mail in mails(&document)
        .into_iter()
        .filter(|mail| mail["Source"] == SENDER)
    {
        let body = mail["BodyText"].as_str().unwrap_or_default();
        let id = body.lines().find(|line| line.starts_with("nt_"));
        let id = id.unwrap_or_else(|| panic!("a mail of nothing: {mail}"));
        let record = told.get(id);
        let record = record.unwrap_or_else(|| panic!("a mail that nobody put on record: {mail}"));
        assert!(body.contains(record.order_id.as_str()), "{mail}");
        let html = mail["BodyHtml"].as_str().unwrap_or_default();
        assert!(html.contains("<html") && html.contains(id), "{mail}");
        let address = match record.customer_id() {
            Some(id) => format!("c{}@customers.example", id.trim_start_matches("C-")),
            None => OPERATOR.to_owned(),
        };
        assert_eq!(mail["To"], json!([address]));
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

/// What the streams bring of all that is told: entries of the journal, and imports that are over.
async fn everything(store: &Store<DynamoEngine>) -> Vec<Value> {
    let mut images = Vec::new();
    let each = |entry: Result<_, _>| {
        let written = journal::append(&entry.expect("an entry")).expect("an item");
        let Write::Put { item, .. } = written else {
            panic!("an entry is put: {written:?}");
        };
        images.push(serde_json::to_value(item).expect("json"));
    };
    store.each_entry(each).await.expect("the journal");
    let each = |import: store::imports::ImportRecord| {
        if import.running.is_none() {
            images.push(json!({"import_id": {"S": import.import_id}, "stage": {"S": "SENT"}}));
        }
    };
    store.each_import(each).await.expect("the imports");
    images
}

/// One invocation of `notify` more, by a stream that brings these: whether it came to its end.
async fn told_again(stack: &Stack, images: Vec<Value>) -> bool {
    let sample: Value = serde_json::from_slice(&read("events/notify.json")).expect("json");
    let records = images.into_iter().map(|image| {
        let mut record = sample["Records"][0].clone();
        record["dynamodb"]["NewImage"] = image;
        record
    });
    let event = json!({"Records": records.collect::<Vec<Value>>()});
    let endpoint = stack.cloud.endpoint.as_deref().unwrap_or_default();
    let url = format!(
        "{}/2015-03-31/functions/{}-notify/invocations",
        endpoint.trim_end_matches('/'),
        stack.name
    );
    let answer = http().post(url).body(event.to_string()).send().await;
    let answer = answer.expect("an answer");
    let failed = answer.headers().contains_key("x-amz-function-error");
    answer.status().is_success() && !failed
}

/// What happens while orders are told of.
struct Chaos<'a> {
    stack: &'a Stack,
    random: fastrand::Rng,
    killed: BTreeMap<String, u32>,
    copied: usize,
}

impl Chaos<'_> {
    fn new(stack: &Stack) -> Chaos<'_> {
        Chaos {
            stack,
            random: fastrand::Rng::with_seed(11),
            killed: BTreeMap::new(),
            copied: 0,
        }
    }

    /// Kills whoever tells and whoever sends, now and then, and has the stream deliver again what it delivered.
    async fn run(mut self) -> Self {
        let started = Instant::now();
        let store = self.stack.store().expect("a store");
        let mut copies = 0;
        while started.elapsed() < wait::LIMIT {
            let pause = self.random.u64(500..3_000);
            tokio::time::sleep(Duration::from_millis(pause)).await;
            self.kill();
            if copies < COPIES {
                let mut images = everything(&store).await;
                self.random.shuffle(&mut images);
                images.truncate(20);
                copies += u32::from(!images.is_empty());
                self.copied += images.len();
                // Each of them twice at once.
                told_again(self.stack, [images.clone(), images].concat()).await;
            }
            let done = |name| self.killed.get(name).is_some_and(|times| *times >= KILLS);
            if copies == COPIES && done("notify") && done("send") {
                break;
            }
        }
        self
    }

    fn kill(&mut self) {
        for (name, pid) in functions(&self.stack.name) {
            let times = self.killed.entry(name.clone()).or_default();
            if !["notify", "send"].contains(&name.as_str()) || *times >= KILLS {
                continue;
            }
            let kill = std::process::Command::new("kill")
                .args(["-9", &pid.to_string()])
                .status();
            *times += u32::from(kill.expect("kill").success());
        }
    }
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
    let outbox = stack.outbox("MailQueueUrl").expect("a queue");
    let resent = mail::resend(store, &outbox, &name, true, "tests", Timestamp::now()).await;
    resent.expect("an answer");
    let read = async || {
        let record = store.notification(&name).await.expect("an answer");
        record.expect("a notification")
    };
    let has_failed = |record: &NotificationRecord| record.status == Standing::Failed;
    let record = seen("a mail that is refused", read, has_failed).await;
    let why = record.failure.unwrap_or_default();
    assert!(why.starts_with("MessageRejected: "), "{why}");
    assert_eq!(record.attempts, mailed.attempts + 1);
}
