//! The whole, on the local stack: files go in, and the books balance, whatever is repeated, wrong or killed.

use crate::contract;
use crate::support::policies;
use crate::support::stack::{deployed, ended, failed, upload};
use crate::support::wait::seen;
use crate::support::{batch, file, order, read, stock, verify};
use domain::catalog::Policy;
use domain::progress::{ImportStatus, Progress};
use domain::{Reason, ids};
use jiff::tz::TimeZone;
use ordermill::cloud::Stack;
use ordermill::commands::catalog;
use ordermill::verify::Books;

async fn catalog(stack: &Stack) {
    let loaded = catalog::load(stack, &file("events/demo-catalog.csv"), Policy::Set).await;
    let loaded = loaded.expect("a catalog that loads");
    assert_eq!((loaded.status(), loaded.rejected), ("LOADED", 0));
}

#[tokio::test]
async fn the_service_keeps_the_contract() {
    let deployed = deployed("contract").await;
    let store = deployed.stack.store().expect("a store");
    let run = ids::short_hash(&[&std::process::id().to_string()]);
    contract::contract(store.engine(), &run[..6]).await;
}

#[tokio::test]
async fn a_file_becomes_settled_orders_and_the_same_file_duplicates() {
    let deployed = deployed("demo").await;
    let store = deployed.stack.store().expect("a store");
    catalog(&deployed.stack).await;
    let content = read("events/demo-orders.csv");
    let import_id = upload(&deployed.stack, "demo orders (1)+ä.csv", &content).await;
    let first = ended(&store, &import_id).await;
    assert_eq!(first.status(), ImportStatus::Completed, "{first:?}");
    let Progress {
        rows,
        rejected,
        duplicates,
        conflicts,
        completed,
        failed,
        ..
    } = first.progress;
    assert_eq!(
        (rows, rejected, duplicates, conflicts, completed + failed),
        (610, 6, 2, 2, 600)
    );

    let books = Books::load(&store, &TimeZone::UTC).await.expect("books");
    let reasons = books.reasons(&import_id);
    assert_eq!(
        reasons.keys().copied().collect::<Vec<_>>(),
        [
            Reason::OutOfStock,
            Reason::UnknownProduct,
            Reason::PaymentDeclined
        ]
    );
    assert_eq!(reasons.values().sum::<u64>(), failed);
    assert_eq!(
        store
            .customer("C-0077")
            .await
            .expect("an answer")
            .and_then(|contact| contact.name)
            .as_deref(),
        Some("Frances Allen")
    );

    let again = ended(
        &store,
        &upload(&deployed.stack, "again.csv", &content).await,
    )
    .await;
    assert_eq!(
        again.progress,
        Progress {
            rows: 610,
            rejected: 6,
            duplicates: 602,
            conflicts: 2,
            ..Progress::default()
        }
    );
    let report = verify(&store).await;
    assert!(report.balanced, "{report:#?}");
    policies::check(&deployed.stack).await;
}

#[tokio::test]
async fn files_that_are_none_end_failed_and_the_rest_goes_on() {
    let deployed = deployed("trouble").await;
    let store = deployed.stack.store().expect("a store");
    catalog(&deployed.stack).await;
    let files: [(&str, &[u8]); 3] = [
        ("picture.csv", b"\x89PNG\r\n\x1a\n\0\0"),
        ("empty.csv", b""),
        ("columns.csv", b"order_id,customer_id\nO-1,C-1\n"),
    ];
    for (name, content) in files {
        let import = ended(&store, &upload(&deployed.stack, name, content).await).await;
        assert_eq!(
            (import.status(), import.progress.rows),
            (ImportStatus::Failed, 0),
            "{name}"
        );
        assert!(import.record.reason.is_some(), "{name}");
    }
    for name in [
        "events/orders-c1.csv",
        "events/orders-c2.csv",
        "events/orders-with-rejects.csv",
    ] {
        let import = ended(
            &store,
            &upload(&deployed.stack, &name.replace('/', "-"), &read(name)).await,
        )
        .await;
        assert_eq!(
            import.status(),
            ImportStatus::Completed,
            "{name}: {import:?}"
        );
    }
    let report = verify(&store).await;
    assert!(report.balanced, "{report:#?}");
    policies::check(&deployed.stack).await;
}

#[tokio::test]
async fn a_batch_that_is_sent_often_counts_once() {
    let deployed = deployed("repeated").await;
    let store = deployed.stack.store().expect("a store");
    stock(&store, &[("A", 1_000)]).await;
    // An import that chunk knows nothing of: only the messages matter here.
    let batch = batch(
        "im_sent",
        0,
        (1..=40)
            .map(|row| order(row, &format!("S-{row}"), &[("A", 1)]))
            .collect(),
    );
    let body = serde_json::to_string(&batch).expect("json");
    let sqs = deployed.stack.cloud.sqs();
    let queue = deployed.stack.output("BatchesQueueUrl").expect("a queue");
    for _ in 0..12 {
        sqs.send_message()
            .queue_url(queue)
            .message_group_id("im_sent")
            .message_body(&body)
            .send()
            .await
            .expect("sent");
    }
    sqs.send_message()
        .queue_url(queue)
        .message_group_id("im_sent")
        .message_body("not a batch")
        .send()
        .await
        .expect("sent");
    let read = async || {
        let settled = store.settled("im_sent").await.expect("an answer");
        (settled, depth(&sqs, queue).await)
    };
    let (settled, _) = seen("forty orders, and no message", read, |(settled, depth)| {
        settled.completed + settled.failed == 40 && *depth == 0
    })
    .await;
    assert_eq!(
        (settled.completed + settled.failed, settled.duplicates),
        (40, 0)
    );
    let report = verify(&store).await;
    assert!(crate::support::drift(&report).is_empty(), "{report:#?}");
    // What can never be read went to where people see it, rather than round in circles.
    let failed = failed(&store, |failed| failed.len() == 1).await;
    assert_eq!(
        (failed[0].fault.as_str(), failed[0].attempts),
        ("Malformed", 1)
    );
    policies::check(&deployed.stack).await;
}

async fn depth(sqs: &aws_sdk_sqs::Client, queue: &str) -> u64 {
    let visible = depth_of(sqs, queue, "ApproximateNumberOfMessages").await;
    visible + depth_of(sqs, queue, "ApproximateNumberOfMessagesNotVisible").await
}

async fn depth_of(sqs: &aws_sdk_sqs::Client, queue: &str, attribute: &str) -> u64 {
    let answer = sqs
        .get_queue_attributes()
        .queue_url(queue)
        .attribute_names(attribute.into())
        .send()
        .await
        .expect("an answer");
    let attributes = answer.attributes.unwrap_or_default();
    attributes
        .get(&attribute.into())
        .and_then(|count| count.parse().ok())
        .unwrap_or_default()
}
