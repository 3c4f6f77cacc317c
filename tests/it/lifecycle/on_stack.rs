//! The same on the local stack: orders are shipped, delivered and cancelled, each by two at once, while the function that
//! asks the gateway is killed.

use std::time::{Duration, Instant};

use domain::journal::Kind;
use domain::refund::{PaymentStatus, Wanted, WantedLine};
use edge::outbox::SqsOutbox;
use edge::refunds;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use ordermill::verify::Books;
use store::dynamo::DynamoEngine;
use store::lifecycle::Changed;
use store::refunds::{RefundRequest, Requested};
use store::timeline::What;
use store::{Moment, Store};

use super::support::ADA;
use crate::support::policies;
use crate::support::stack::{deployed_with, ended, functions, upload};
use crate::support::{stock, wait};

const ORDERS: u64 = 30;

#[tokio::test]
async fn orders_go_their_way_though_the_function_is_killed() {
    let parameters = [("PaymentApprovalRate", "1".to_owned())];
    let deployed = deployed_with("lifecycle", &parameters).await;
    let stack = &deployed.stack;
    let (store, rival) = (stack.store(), stack.store());
    let (store, rival) = (store.expect("a store"), rival.expect("a store"));
    stock(&store, &[("Y-0", 1_000), ("Y-1", 1_000)]).await;
    let mut file = "order_id,customer_id,product_sku,quantity,unit_price\n".to_owned();
    for row in 0..ORDERS {
        file.push_str(&format!("Y-{row},C-{},Y-{},5,9.99\n", row % 7, row % 2));
    }
    let import_id = upload(stack, "lifecycle.csv", file.as_bytes()).await;
    let import = ended(&store, &import_id).await;
    assert_eq!(import.progress.completed, ORDERS);

    let outbox = stack.outbox("RefundsQueueUrl").expect("a queue");
    // One of them gave something back before.
    let before = returned(&store, &outbox).await;
    until(&store, "a refund that ends", async || {
        let refund = store.refund(&before).await.expect("an answer");
        refund.is_some_and(|refund| !refund.status.is_open())
    })
    .await;
    for row in 0..ORDERS {
        let id = format!("Y-{row}");
        let kinds: &[Kind] = match row % 3 {
            0 => &[Kind::Cancelled],
            1 => &[Kind::Shipped],
            _ => &[Kind::Shipped, Kind::Delivered],
        };
        for kind in kinds {
            let one = taken(&store, &outbox, *kind, &id);
            let both = tokio::join!(one, taken(&rival, &outbox, *kind, &id));
            let done = [&both.0, &both.1];
            let done = done.iter().filter(|one| matches!(one, Changed::Done(_)));
            assert_eq!(done.count(), 1, "{both:?}");
        }
        if row % 6 == 0 {
            kill(&stack.name);
        }
    }
    until(&store, "books that balance", async || {
        let mut open = 0;
        let each =
            |refund: store::refunds::RefundRecord| open += u32::from(refund.status.is_open());
        store.each_refund(each).await.expect("the refunds");
        let books = Books::load(&store, &TimeZone::UTC).await;
        let books = books.expect("books that can be read");
        open == 0 && books.verify(Timestamp::now()).balanced
    })
    .await;
    let story = store.timeline("Y-0", &TimeZone::UTC).await;
    let story = story.expect("an answer").expect("an order");
    assert_eq!(story.payment_status, Some(PaymentStatus::Refunded));
    let told = story.events.iter().filter(|event| event.entry.is_some());
    let told: Vec<What> = told.map(|event| event.what).collect();
    let refunded = What::RefundCompleted;
    assert_eq!(told, [What::Completed, refunded, What::Cancelled, refunded]);
    assert_eq!(story.events[0].what, What::Imported);
    policies::check(stack).await;
}

async fn returned(store: &Store<DynamoEngine>, outbox: &SqsOutbox) -> String {
    let wanted = Wanted::Lines(vec![WantedLine {
        sku: "Y-0".to_owned(),
        quantity: 2,
        restock: true,
    }]);
    let request = RefundRequest {
        key: "before",
        order_id: "Y-0",
        wanted: &wanted,
        reason: "broken",
        requested_by: "tests",
    };
    match refunds::request(store, outbox, &request, Timestamp::now()).await {
        Ok(Requested::New(refund)) => refund.refund_id,
        other => panic!("{other:?}"),
    }
}

async fn taken(store: &Store<DynamoEngine>, outbox: &SqsOutbox, kind: Kind, id: &str) -> Changed {
    let moment = Moment {
        now: Timestamp::now(),
        zone: TimeZone::UTC,
    };
    let answer = match kind {
        Kind::Shipped => store.ship_order(id, &ADA, &moment).await,
        Kind::Delivered => store.deliver_order(id, &ADA, &moment).await,
        Kind::Cancelled => {
            let cancelled = refunds::cancel_order(store, outbox, id, &ADA, &moment).await;
            cancelled.map(|cancelled| cancelled.changed)
        }
    };
    answer.expect("an answer")
}

/// Whoever asks the gateway, if anybody does at this moment.
fn kill(stack: &str) {
    let processes = functions(stack).into_iter();
    for (_, pid) in processes.filter(|(name, _)| name == "refund") {
        let kill = std::process::Command::new("kill")
            .args(["-9", &pid.to_string()])
            .status();
        kill.expect("kill");
    }
}

async fn until(store: &Store<DynamoEngine>, what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !is_so().await {
        if started.elapsed() > wait::LIMIT {
            let books = Books::load(store, &TimeZone::UTC).await;
            let report = books.map(|books| books.verify(Timestamp::now()));
            panic!("no {what}: {report:#?}");
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
