//! Refunds on the local stack, through a gateway over HTTP that drops answers, while the function that asks it is killed.

use std::collections::BTreeSet;
use std::time::Instant;

use domain::refund::{RefundStatus, Wanted, WantedLine};
use edge::outbox::SqsOutbox;
use edge::refunds;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use ordermill::gateway::{Behaviour, Server, Share};
use ordermill::verify::{self, Books};
use rust_decimal::Decimal;
use store::Store;
use store::dynamo::DynamoEngine;
use store::refunds::{RefundRequest, Requested};

use crate::support::policies;
use crate::support::stack::{deployed_with, ended, functions, upload};
use crate::support::wait::{seen, until};
use crate::support::{listening, stock};

const ORDERS: u64 = 60;
const REFUNDS: u64 = 200;

/// How often the function is killed at least.
const KILLS: u32 = 5;

fn behaviour() -> Behaviour {
    let share = |text: &str| text.parse::<Share>().expect("a share");
    Behaviour {
        seed: 5,
        drop: share("0.1"),
        error: share("0.1"),
        throttle: share("0.02"),
        latency: "20ms..200ms".parse().expect("a range"),
        ..Behaviour::default()
    }
}

#[tokio::test]
async fn money_goes_back_once_though_answers_are_lost_and_the_function_is_killed() {
    let (listener, url) = listening().await;
    let parameters = [("PaymentGateway", url)];
    let deployed = deployed_with("refunds", &parameters).await;
    let stack = &deployed.stack;
    let key = stack.payment_key().await.expect("a key");
    let gateway = Server::start(listener, key, behaviour(), None).await;
    let gateway = gateway.expect("a gateway");
    let store = stack.store().expect("a store");
    stock(&store, &[("R-1", 1_000), ("R-2", 1_000)]).await;
    let mut file = "order_id,customer_id,product_sku,quantity,unit_price\n".to_owned();
    for row in 0..ORDERS {
        file.push_str(&format!("R-{row},C-{},R-{},5,9.99\n", row % 9, 1 + row % 2));
    }
    let import_id = upload(stack, "refunds.csv", file.as_bytes()).await;
    let import = ended(&store, &import_id).await;
    assert_eq!(import.progress.completed, ORDERS);

    let outbox = stack.outbox("RefundsQueueUrl").expect("a queue");
    let mut ids = BTreeSet::new();
    let (mut refused, mut killed) = (0, 0);
    for number in 0..REFUNDS {
        match asked(&store, &outbox, number).await {
            Requested::New(refund) => assert!(ids.insert(refund.refund_id)),
            Requested::Refused(_) => refused += 1,
            // Every tenth is asked for twice.
            Requested::Replayed(refund) => assert!(ids.contains(&refund.refund_id)),
            other => panic!("{other:?}"),
        }
        if number % 30 == 29 {
            killed += kill(&stack.name);
        }
    }
    assert!(ids.len() > 100, "{} refunds, {refused} refused", ids.len());
    let started = Instant::now();
    until("the end of all refunds", async || {
        let (mut open, mut failed) = (0, 0);
        let each = |refund: store::refunds::RefundRecord| {
            open += u32::from(refund.status.is_open());
            failed += u32::from(refund.status == RefundStatus::Failed);
        };
        store.each_refund(each).await.expect("the refunds");
        assert_eq!(failed, 0);
        if open > 0 && killed < 2 * KILLS {
            killed += kill(&stack.name);
        }
        open == 0
    })
    .await;
    assert!(
        killed >= KILLS,
        "too little was killed to prove anything: {killed}"
    );
    println!(
        "{} refunds, {refused} refused, killed {killed} times, over after {:?}",
        ids.len(),
        started.elapsed()
    );
    balanced(&store, &gateway).await;
    policies::check(stack).await;
}

async fn asked(store: &Store<DynamoEngine>, outbox: &SqsOutbox, number: u64) -> Requested {
    let number = number - u64::from(number % 10 == 9);
    let order = number % ORDERS;
    let wanted = match number % 3 {
        0 => Wanted::Amount(Decimal::new(500 + i64::try_from(number).expect("small"), 2)),
        1 => Wanted::Lines(vec![WantedLine {
            sku: format!("R-{}", 1 + order % 2),
            quantity: 2,
            restock: number.is_multiple_of(2),
        }]),
        _ => Wanted::Full,
    };
    let request = RefundRequest {
        key: &format!("key {number}"),
        order_id: &format!("R-{order}"),
        wanted: &wanted,
        reason: "broken",
        requested_by: "tests",
    };
    let asked = refunds::request(store, outbox, &request, Timestamp::now()).await;
    asked.expect("an answer")
}

/// In the middle of its work, as far as one can tell from outside.
fn kill(stack: &str) -> u32 {
    let processes = functions(stack).into_iter();
    let mut refund = processes.filter(|(name, _)| name == "refund");
    let Some((_, pid)) = refund.next() else {
        return 0;
    };
    let kill = std::process::Command::new("kill")
        .args(["-9", &pid.to_string()])
        .status();
    u32::from(kill.expect("kill").success())
}

/// Our books, the figures, and the gateway's ledger. The figures are behind by a moment.
async fn balanced(store: &Store<DynamoEngine>, gateway: &Server) {
    let read = async || {
        let books = Books::load(store, &TimeZone::UTC).await;
        let books = books.expect("books that can be read");
        let mut report = books.verify(Timestamp::now());
        let ledger = gateway.entries();
        report.add(verify::payments::check(&books, &ledger, Timestamp::MAX));
        report
    };
    let report = seen("the books", read, |report| report.balanced).await;
    println!("{report:#?}");
}
