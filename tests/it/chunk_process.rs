//! The real process of `chunk` against the emulator's bucket, table and queue, killed and limited as nobody would by hand.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use aws_lambda_events::s3::S3Event;
use domain::Batch;
use serde_json::{Value, json};
use store::Engine;
use store::imports::Import;
use store::ops::{Change, Condition, Key, Write, WriteError, number};
use store::schema::Table;

use crate::support::lambda::{Invocation, peak};
use crate::support::memory::delivered;
use crate::support::stack::{Deployed, deployed};
use crate::support::wait;

/// A file in the bucket that nobody was told of, and a queue of its own for what is read from it.
struct Bench {
    deployed: Deployed,
    queue: String,
    sqs: aws_sdk_sqs::Client,
    event: Value,
    import_id: String,
}

impl Bench {
    async fn new(name: &str, content: Vec<u8>) -> Bench {
        let deployed = deployed(name).await;
        let stack = &deployed.stack;
        let sqs = stack.cloud.sqs();
        let created = sqs.create_queue().queue_name(format!("{name}-own")).send();
        let queue = created.await.expect("a queue").queue_url.expect("a URL");
        let (bucket, key) = (
            stack.output("FilesBucket").expect("a bucket"),
            "own/orders.csv",
        );
        let size = content.len();
        let put = stack.cloud.s3().put_object().bucket(bucket).key(key);
        let put = put.body(content.into()).send().await.expect("uploaded");
        let version = put.version_id.expect("a version");
        let etag = put.e_tag.expect("an etag").replace('"', "");
        let mut event = serde_json::to_value(delivered("chunk", 0)).expect("json");
        let body = event["Records"][0]["body"].as_str().expect("a body");
        let mut body: S3Event = serde_json::from_str(body).expect("an event");
        let record = &mut body.records[0].s3;
        record.bucket.name = Some(bucket.to_owned());
        record.object.key = Some(key.to_owned());
        record.object.version_id = Some(version.clone());
        record.object.e_tag = Some(etag);
        record.object.size = i64::try_from(size).ok();
        let arn = format!("arn:aws:sqs:us-east-1:000000000000:{name}-bulk_imports");
        event["Records"][0]["eventSourceARN"] = json!(arn);
        event["Records"][0]["body"] = json!(serde_json::to_string(&body).expect("json"));
        Bench {
            import_id: domain::ids::import_id(bucket, key, &version),
            deployed,
            queue,
            sqs,
            event,
        }
    }

    async fn deliver(&self, delivery: u32) -> Invocation {
        let stack = &self.deployed.stack;
        let mut event = self.event.clone();
        event["Records"][0]["receiptHandle"] = json!(format!("delivery-{delivery}"));
        let settings = [
            (
                "AWS_ENDPOINT_URL",
                stack.cloud.endpoint.as_deref().expect("an endpoint"),
            ),
            (
                "IMPORTS_TABLE",
                stack.output("ImportsTable").expect("a table"),
            ),
            (
                "TALLIES_TABLE",
                stack.output("TalliesTable").expect("a table"),
            ),
            (
                "BULK_IMPORTS_QUEUE_URL",
                stack.output("BulkImportsQueueUrl").expect("a queue"),
            ),
            ("BULK_BATCHES_QUEUE_URL", &self.queue),
        ];
        Invocation::start(
            "chunk",
            &settings,
            event.to_string(),
            Duration::from_secs(900),
        )
        .await
    }

    async fn import(&self) -> Import {
        let store = self.deployed.stack.store().expect("a store");
        let import = store.import(&self.import_id).await.expect("an answer");
        import.expect("an import")
    }

    /// How many were announced: none, where it died before it said anything.
    async fn rows(&self) -> u64 {
        let store = self.deployed.stack.store().expect("a store");
        let import = store.import(&self.import_id).await.expect("an answer");
        import.map_or(0, |import| import.progress.rows)
    }

    /// Has the lease of a process that died run out now. One that died before it took a lease left nothing.
    async fn end_lease(&self) {
        let store = self.deployed.stack.store().expect("a store");
        let end = Write::Update {
            key: Key::new(Table::Imports, &self.import_id),
            changes: vec![Change::Set("lease_until_ms", number(0))],
            condition: Condition::AtLeast("lease_until_ms", 0),
        };
        let ended = store.engine().write(&end).await;
        assert!(
            matches!(ended, Ok(()) | Err(WriteError::Condition(None))),
            "{ended:?}"
        );
    }

    /// What is in the queue, by batch. A batch that was sent twice has to be the same both times.
    async fn batches(&self) -> (BTreeMap<String, Batch>, usize) {
        let (mut batches, mut messages) = (BTreeMap::new(), 0);
        loop {
            let receive = self.sqs.receive_message().queue_url(&self.queue);
            let receive = receive.max_number_of_messages(10).visibility_timeout(600);
            let received = receive.send().await.expect("an answer");
            let received = received.messages.unwrap_or_default();
            if received.is_empty() {
                return (batches, messages);
            }
            messages += received.len();
            for message in received {
                let body = message.body.expect("a body");
                let batch: Batch = serde_json::from_str(&body).expect("a batch");
                let first = batches
                    .entry(batch.batch_id.clone())
                    .or_insert(batch.clone());
                assert_eq!(*first, batch);
            }
        }
    }
}

#[tokio::test]
async fn killing_it_ten_times_in_a_large_file_sends_every_row_once() {
    const ROWS: u64 = 200_000;
    const KILLS: u32 = 10;
    let mut file = "order_id,customer_id,sku,quantity,unit_price\n".to_owned();
    for row in 1..=ROWS {
        let quantity = if row % 1_000 == 0 { "none" } else { "1" };
        file.push_str(&format!(
            "O-{row},C-{},S-{},{quantity},9.99\n",
            row % 900,
            row % 500
        ));
    }
    let bench = Bench::new("kill-chunk", file.into_bytes()).await;
    let mut random = fastrand::Rng::with_seed(11);
    let mut rows_at_death = Vec::new();
    for kill in 0..KILLS {
        let invocation = bench.deliver(kill).await;
        // At any moment of its part of the file, from before the first row on.
        let part = ROWS / u64::from(KILLS + 2);
        let moment = u64::from(kill) * part + random.u64(0..part);
        let started = Instant::now();
        while kill > 0 && bench.rows().await < moment {
            assert!(started.elapsed() < wait::LIMIT, "{rows_at_death:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(Duration::from_millis(random.u64(0..60))).await;
        invocation.kill();
        rows_at_death.push(bench.rows().await);
        // What is left of the dead one is its lease.
        bench.end_lease().await;
    }
    let mut invocation = bench.deliver(KILLS).await;
    let answer = invocation.answer(wait::LIMIT).await;
    invocation.kill();
    assert_eq!(answer.as_deref(), Some(r#"{"batchItemFailures":[]}"#));
    assert!(
        rows_at_death.iter().all(|rows| *rows < ROWS),
        "{rows_at_death:?}"
    );
    let progress = bench.import().await.progress;
    assert_eq!((progress.rows, progress.rejected), (ROWS, ROWS / 1_000));
    let (batches, messages) = bench.batches().await;
    let orders = batches.values().flat_map(|batch| &batch.orders);
    let mut rows: Vec<u64> = orders.map(|order| order.row).collect();
    rows.sort_unstable();
    let expected: Vec<u64> = (1..=ROWS).filter(|row| row % 1_000 != 0).collect();
    assert!(
        rows == expected,
        "{} rows in {} batches",
        rows.len(),
        batches.len()
    );
    println!(
        "killed at rows {rows_at_death:?}; {messages} messages for {} batches",
        batches.len()
    );
}

/// A gigabyte, in a process that gets 256 MB of address space and no more:
/// `cargo test --release -p it measure_one_gigabyte -- --ignored --nocapture`
#[tokio::test]
#[ignore = "a measurement"]
async fn measure_one_gigabyte() {
    const BYTES: usize = 1_000_000_000;
    let mut file =
        "order_id,customer_id,customer_name,sku,quantity,unit_price,currency\n".to_owned();
    let mut rows = 0u64;
    while file.len() < BYTES {
        rows += 1;
        let quantity = if rows.is_multiple_of(100) {
            "none"
        } else {
            "2"
        };
        file.push_str(&format!(
            "ORDER-2026-{rows:010},CUSTOMER-{:06},A name of usual length,SKU-{:04},{quantity},19.99,USD\n",
            rows % 90_000,
            rows % 500
        ));
    }
    let bench = Bench::new("gigabyte", file.into_bytes()).await;
    let mut invocation = bench.deliver(0).await;
    let limit = std::process::Command::new("prlimit")
        .args([
            "--as=268435456",
            "--pid",
            &invocation.process.id().to_string(),
        ])
        .status();
    assert!(limit.expect("prlimit").success());
    let started = Instant::now();
    let mut peak_mb = 0.0;
    let answer = loop {
        let answer = invocation.answer(Duration::from_millis(200)).await;
        let seen = peak(invocation.process.id());
        peak_mb = f64::max(peak_mb, seen);
        if answer.is_some() || seen == 0.0 {
            break answer;
        }
    };
    let seconds = started.elapsed().as_secs_f64();
    invocation.kill();
    assert_eq!(answer.as_deref(), Some(r#"{"batchItemFailures":[]}"#));
    let progress = bench.import().await.progress;
    assert_eq!((progress.rows, progress.rejected), (rows, rows / 100));
    println!(
        "{rows} rows, {} rejected, in {seconds:.0} s; {peak_mb:.1} MB at most",
        rows / 100
    );
}
