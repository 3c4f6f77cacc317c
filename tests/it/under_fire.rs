//! The real functions on the local stack, paid through a gateway over HTTP, while everything around them fails: processes
//! are killed, messages come twice, the gateway drops connections, decides late and takes money that nobody wants.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use domain::Status;
use domain::progress::{ImportStatus, Progress};
use jiff::tz::TimeZone;
use ordermill::gateway::{Behaviour, Server, Share};
use ordermill::verify::{Books, Report, payments};
use store::Store;
use store::dynamo::DynamoEngine;

use crate::support::policies;
use crate::support::stack::{Deployed, deployed_with, functions, upload};
use crate::support::wait::{self, seen};
use crate::support::{listening, stock};

const ORDERS: usize = 5_000;

fn share(text: &str) -> Share {
    text.parse().expect("a share")
}

/// Some of the pending ones are approved only after they were voided.
fn behaviour() -> Behaviour {
    Behaviour {
        seed: 3,
        decline: share("0.05"),
        pending: share("0.06"),
        pending_for: Duration::from_secs(3),
        pending_decline: share("0.3"),
        late: share("0.004"),
        late_after: Duration::from_secs(5),
        drop: share("0.03"),
        error: share("0.03"),
        throttle: share("0.02"),
        duplicate_webhooks: share("0.3"),
        ..Behaviour::default()
    }
}

#[tokio::test]
async fn nothing_is_lost_and_nobody_is_charged_twice() {
    let (listener, url) = listening().await;
    let parameters = [
        ("PaymentGateway", url),
        ("PaymentTimeLimit", "20s".to_owned()),
    ];
    let deployed = deployed_with("fire", &parameters).await;
    let stack = &deployed.stack;
    let key = stack.payment_key().await.expect("a key");
    let webhook = stack.webhook_url().expect("a URL");
    let gateway = Server::start(listener, key, behaviour(), Some(&webhook));
    let gateway = gateway.await.expect("a gateway");

    let store = stack.store().expect("a store");
    let products: Vec<String> = (0..50).map(|sku| format!("F-{sku}")).collect();
    let stocked: Vec<(&str, u64)> = products.iter().map(|sku| (sku.as_str(), 95)).collect();
    stock(&store, &stocked).await;
    let mut file = "order_id,customer_id,product_sku,quantity,unit_price\n".to_owned();
    for row in 0..ORDERS {
        let sku = &products[row % 50];
        file.push_str(&format!("F-{row},C-{},{sku},1,9.99\n", row % 90));
    }
    let import_id = upload(stack, "fire.csv", file.as_bytes()).await;

    let mut fire = Fire::new(&deployed);
    let started = Instant::now();
    let mut latest = None;
    let mut moved = Instant::now();
    let import = loop {
        if let Some(import) = store.import(&import_id).await.expect("an answer") {
            assert!(import.progress.pending().is_some(), "{:?}", import.progress);
            if import.is_over() {
                break import;
            }
            if latest.as_ref() != Some(&import.progress) {
                latest = Some(import.progress);
                moved = Instant::now();
            }
        }
        assert!(
            moved.elapsed() < wait::LIMIT,
            "stands still at {latest:?}: {:?}",
            fire.killed
        );
        fire.strike().await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert!(
        fire.kills() >= 20,
        "too little was killed to prove anything: {:?}",
        fire.killed
    );
    assert!(
        fire.copied >= 20,
        "only {} messages were sent twice",
        fire.copied
    );
    assert_eq!(import.status(), ImportStatus::Completed, "{import:?}");
    let Progress {
        rows,
        rejected,
        duplicates,
        completed,
        failed,
        ..
    } = import.progress;
    assert_eq!((rows, rejected, duplicates), (ORDERS as u64, 0, 0));
    assert_eq!(completed + failed, ORDERS as u64);

    // Money that comes when nobody waits for it any more goes back.
    let read = async || compared(&store, &gateway).await;
    let (report, _) = seen("the books", read, |(report, late)| {
        report.balanced && *late > 0
    })
    .await;
    println!(
        "{completed} completed and {failed} failed in {:.0} s; killed {:?}, {} messages sent twice\n{:#?}\n{report:#?}",
        started.elapsed().as_secs_f64(),
        fire.killed,
        fire.copied,
        gateway.summary(),
    );
    policies::check(stack).await;
}

/// Our books, the gateway's, and how many late payments were given back.
async fn compared(store: &Store<DynamoEngine>, gateway: &Server) -> (Report, usize) {
    let books = Books::load(store, &TimeZone::UTC)
        .await
        .expect("books that can be read");
    let mut report = books.verify(jiff::Timestamp::now());
    report.add(payments::check(
        &books,
        &gateway.entries(),
        jiff::Timestamp::MAX,
    ));
    let late = books
        .orders
        .values()
        .filter(|order| order.status == Status::Failed && order.given_back.is_some());
    (report, late.count())
}

/// What happens to the stack while it works.
struct Fire<'a> {
    deployed: &'a Deployed,
    sqs: aws_sdk_sqs::Client,
    random: fastrand::Rng,
    looks: BTreeMap<u32, u32>,
    killed: BTreeMap<String, u32>,
    copied: usize,
}

impl Fire<'_> {
    fn new(deployed: &Deployed) -> Fire<'_> {
        Fire {
            deployed,
            sqs: deployed.stack.cloud.sqs(),
            random: fastrand::Rng::with_seed(7),
            looks: BTreeMap::new(),
            killed: BTreeMap::new(),
            copied: 0,
        }
    }

    fn kills(&self) -> u32 {
        self.killed.values().sum()
    }

    /// Kills a process, and sends a message that waits a second time. Not for ever: the import has to come to an end.
    async fn strike(&mut self) {
        let mut processes = functions(&self.deployed.stack.name);
        // One that dies before it said that it lives costs the queue's own timeout, which is minutes: that is not for here.
        processes.retain(|(name, pid)| {
            let seen = self.looks.entry(*pid).or_default();
            *seen += 1;
            name != "chunk" || *seen > 5
        });
        if self.kills() < 60
            && let Some((name, pid)) = self.random.choice(processes)
        {
            let kill = std::process::Command::new("kill")
                .args(["-9", &pid.to_string()])
                .status();
            *self.killed.entry(name).or_default() += u32::from(kill.expect("kill").success());
        }
        if self.copied < 100 {
            self.copy().await;
        }
    }

    async fn copy(&mut self) {
        let queue = self
            .deployed
            .stack
            .output("BulkBatchesQueueUrl")
            .expect("a queue");
        let waiting = self
            .sqs
            .receive_message()
            .queue_url(queue)
            .visibility_timeout(0);
        let waiting = waiting
            .max_number_of_messages(2)
            .send()
            .await
            .expect("an answer");
        for message in waiting.messages.unwrap_or_default() {
            let copy = self
                .sqs
                .send_message()
                .queue_url(queue)
                .message_group_id("twice");
            let copy = copy.set_message_body(message.body).send().await;
            copy.expect("sent");
            self.copied += 1;
        }
    }
}
