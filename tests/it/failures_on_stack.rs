//! What failed, on the local stack: from its queue to the record, and by the command back to the queue.

use aws_sdk_sqs::types::MessageAttributeValue;
use domain::progress::Progress;
use ordermill::cloud::Stack;
use store::failures::{Changed, State};

use edge::resend::{self, Claim};
use jiff::Timestamp;

use crate::support::policies;
use crate::support::stack::{deployed, failed, retry};
use crate::support::wait::seen;
use crate::support::{batch, drift, order, stock, verify};

async fn send(stack: &Stack, queue: &str, body: &str) {
    let sqs = stack.cloud.sqs();
    sqs.send_message()
        .queue_url(stack.output(queue).expect("a queue"))
        .message_group_id("im_failed")
        .message_body(body)
        .send()
        .await
        .expect("sent");
}

#[tokio::test]
async fn what_fails_is_kept_retried_and_kept_again() {
    let deployed = deployed("failed").await;
    let stack = &deployed.stack;
    let store = stack.store().expect("a store");
    send(stack, "BatchesQueueUrl", "not a batch, and never will be").await;
    let first = failed(&store, |failed| failed.len() == 1).await.remove(0);
    assert_eq!(
        (first.state, first.fault.as_str(), first.attempts),
        (State::Open, "Malformed", 1)
    );
    assert!(first.reason.starts_with("not a batch"), "{}", first.reason);
    let kept = store.failure(&first.failure_id).await.expect("an answer");
    let kept = kept.expect("a failure");
    assert_eq!(kept.payload, "not a batch, and never will be");
    assert_eq!(kept.group.as_deref(), Some("im_failed"));

    let answer = retry(stack, &store, &first.failure_id).await;
    assert!(matches!(answer, Changed::Done(_)), "{answer:?}");
    let second = failed(&store, |failed| failed[0].attempts == 2).await;
    assert_eq!(second.len(), 1, "one message, one record: {second:#?}");
    assert_eq!(
        (&second[0].failure_id, second[0].first_at, second[0].state),
        (&first.failure_id, first.first_at, State::Open)
    );
    let kept = store.failure(&first.failure_id).await.expect("an answer");
    let kept = kept.expect("a failure");
    assert_eq!(
        kept.group.as_deref(),
        Some("im_failed"),
        "through both queues"
    );
    policies::check(stack).await;
}

#[tokio::test]
async fn a_good_batch_that_was_put_aside_settles_when_it_is_retried() {
    let deployed = deployed("put-aside").await;
    let stack = &deployed.stack;
    let store = stack.store().expect("a store");
    stock(&store, &[("A", 100)]).await;
    let orders = (1..=10).map(|row| order(row, &format!("B-{row}"), &[("A", 1)]));
    let batch = batch("im_aside", 0, orders.collect());
    let body = serde_json::to_string(&batch).expect("json");
    send(stack, "BatchesDeadQueueUrl", &body).await;
    let listed = failed(&store, |failed| failed.len() == 1).await;
    assert_eq!(listed[0].fault, "Transient");
    // Twice, as a person might who sees nothing happen: the second time is refused.
    let first = retry(stack, &store, &listed[0].failure_id).await;
    assert!(matches!(first, Changed::Done(_)), "{first:?}");
    let sources = stack.sources();
    for again in [false, true] {
        let claim = Claim {
            token: "once more",
            again,
            by: "tests",
        };
        let now = Timestamp::now();
        let answer = resend::retry(&store, &sources, &listed[0].failure_id, claim, now).await;
        let done = matches!(answer, Ok(Changed::Done(_)));
        assert_eq!(done, again, "{answer:?}");
    }
    let read = async || store.settled("im_aside").await.expect("an answer");
    let are_settled = |progress: &Progress| progress.completed + progress.failed == 10;
    let settled = seen("ten orders", read, are_settled).await;
    assert_eq!(settled.duplicates, 0);
    let listed = failed(&store, |failed| failed[0].state == State::Retried).await;
    assert_eq!((listed.len(), listed[0].attempts), (1, 1));
    let report = verify(&store).await;
    assert!(drift(&report).is_empty(), "{report:#?}");
    policies::check(stack).await;
}

/// Bytes of the longest reason that a function could give: the queue takes it all the same.
#[tokio::test]
async fn whatever_the_reason_says_the_queue_takes_it() {
    let deployed = deployed("reasons").await;
    let stack = &deployed.stack;
    let store = stack.store().expect("a store");
    let queue = edge::messages::SqsQueue {
        client: stack.cloud.sqs(),
        url: stack.output("BatchesQueueUrl").expect("a queue").to_owned(),
        dead_url: stack
            .output("BatchesDeadQueueUrl")
            .expect("a queue")
            .to_owned(),
    };
    let mut message = aws_lambda_events::sqs::SqsMessage::default();
    message.message_id = Some("m-1".to_owned());
    message.body = Some("x".repeat(domain::limits::BYTES_PER_MESSAGE));
    let reason = format!("\u{0}\u{1b}[2J{}", "ü".repeat(100_000));
    let fault = domain::Fault::Corrupt(reason);
    edge::messages::Queue::bury(&queue, &message, &fault)
        .await
        .expect("put aside");
    let listed = failed(&store, |failed| failed.len() == 1).await;
    assert_eq!(listed[0].fault, "Corrupt");
    assert!(listed[0].reason.len() <= domain::limits::REASON_BYTES);
    let attribute = MessageAttributeValue::builder()
        .data_type("String")
        .string_value("fl_of_nobody")
        .build()
        .expect("an attribute");
    let sqs = stack.cloud.sqs();
    sqs.send_message()
        .queue_url(&queue.url)
        .message_attributes("failure", attribute)
        .message_body("garbage that claims to be a retry")
        .send()
        .await
        .expect("sent");
    failed(&store, |failed| failed.len() == 2).await;
    policies::check(stack).await;
}
