//! Both lanes on the local stack: a single order is settled while the batches of a large file wait.

use domain::limits::SMALL_FILE_BYTES;
use edge::queues::{self, Named, Pulse, Queues};
use ordermill::cloud::Stack;
use store::failures::Changed;

use crate::support::stack::{deployed, ended, failed_of, retry, upload};
use crate::support::wait::seen;
use crate::support::{drift, policies, stock, verify};

const ROWS: u64 = 3_200;

fn file(prefix: &str, rows: u64) -> Vec<u8> {
    let mut file = "order_id,customer_id,sku,quantity,unit_price\n".to_owned();
    for row in 1..=rows {
        file.push_str(&format!("{prefix}-{row},C-{},A,1,9.99\n", row % 90));
    }
    file.into_bytes()
}

/// The queue of the large file's batches, as operators pause it.
async fn bulk_batches(stack: &Stack) -> Queues {
    let described = stack.cloud.cloudformation().describe_stack_resource();
    let described = described.stack_name(&stack.name);
    let described = described.logical_resource_id("DispatchBulkBatches");
    let mapping = described.send().await.expect("a mapping");
    let mapping = mapping.stack_resource_detail;
    let mapping = mapping.and_then(|mapping| mapping.physical_resource_id);
    Queues {
        lambda: aws_sdk_lambda::Client::new(&stack.cloud.aws),
        queues: vec![Named {
            name: "bulk_batches",
            url: stack
                .output("BulkBatchesQueueUrl")
                .expect("a queue")
                .to_owned(),
            mapping: mapping.expect("an id"),
        }],
    }
}

#[tokio::test]
async fn a_single_order_is_settled_while_the_batches_of_a_large_file_wait() {
    let deployed = deployed("lanes").await;
    let stack = &deployed.stack;
    let store = stack.store().expect("a store");
    stock(&store, &[("A", 10_000)]).await;
    let bulk = bulk_batches(stack).await;
    let paused = bulk.set("bulk_batches", false).await.expect("an answer");
    assert_ne!(paused, Some(Pulse::Working));

    let large = file("L", ROWS);
    assert!(large.len() as u64 > SMALL_FILE_BYTES);
    let large = upload(stack, "large.csv", &large).await;
    let sqs = stack.cloud.sqs();
    let waiting = async || {
        let counted = queues::count(&sqs, &bulk.queues[0].url).await;
        counted.expect("a count").0
    };
    let all = |batches: &u64| *batches >= ROWS / 40;
    seen("the batches of the large file", &waiting, all).await;
    let single = upload(stack, "single.csv", &file("S", 1)).await;
    let single = ended(&store, &single).await.progress;
    assert_eq!((single.rows, single.completed + single.failed), (1, 1));
    let progress = store.import(&large).await.expect("an answer");
    let progress = progress.expect("an import").progress;
    assert_eq!(progress.completed + progress.failed, 0);
    assert!(waiting().await >= ROWS / 40);

    let working = bulk.set("bulk_batches", true).await.expect("an answer");
    assert_ne!(working, Some(Pulse::Paused));
    let progress = ended(&store, &large).await.progress;
    assert_eq!(progress.completed + progress.failed, ROWS);
    let report = verify(&store).await;
    assert!(drift(&report).is_empty(), "{report:#?}");
    policies::check(stack).await;
}

#[tokio::test]
async fn what_fails_in_the_lane_of_large_files_goes_back_there() {
    let deployed = deployed("lanes-failed").await;
    let stack = &deployed.stack;
    let store = stack.store().expect("a store");
    for (name, output) in [
        ("bulk_batches", "BulkBatchesQueueUrl"),
        ("bulk_imports", "BulkImportsQueueUrl"),
    ] {
        let sqs = stack.cloud.sqs();
        let sent = sqs
            .send_message()
            .queue_url(stack.output(output).expect("a queue"))
            .message_body("nothing that anybody reads")
            .send();
        sent.await.expect("sent");
        let failed = failed_of(&store, name, |failed| failed.len() == 1).await;
        let answer = retry(stack, &store, &failed[0].failure_id).await;
        assert!(matches!(answer, Changed::Done(_)), "{name}: {answer:?}");
        let again = failed_of(&store, name, |failed| failed[0].attempts == 2).await;
        assert_eq!(again.len(), 1, "{name}: one message, one record");
    }
    policies::check(stack).await;
}
