//! Which files are small work, and what becomes of the others.

use chunk::Lane;
use domain::limits::{ORDERS_PER_WINDOW, SMALL_FILE_BYTES};
use serde_json::Value;

use super::*;

/// What became of a message in the lane of small files.
struct Small {
    failures: usize,
    inbox: MemoryInbox,
    bulk: MemoryInbox,
}

/// Announces the file of the bench as one of so many bytes.
async fn in_the_small_lane(bench: &Bench, bytes: u64, bulk: MemoryInbox) -> Small {
    let inbox = MemoryInbox::default();
    let ports = chunk::Ports {
        store: &bench.store,
        files: &bench.files,
        batches: &bench.batches,
        arrivals: &inbox,
        lane: Lane::Small {
            bytes: SMALL_FILE_BYTES,
            bulk: &bulk,
        },
    };
    let mut event = delivered("chunk", 0);
    let body = event.records[0].body.take().expect("a body");
    let mut body: Value = serde_json::from_str(&body).expect("json");
    body["Records"][0]["s3"]["object"]["size"] = bytes.into();
    event.records[0].body = Some(body.to_string());
    let invocation = Invocation {
        now: now(),
        remaining: bench.remaining,
        draw: 77,
    };
    let answer = chunk::handle(&ports, &settings(), event, invocation).await;
    let failures = answer.expect("an answer").batch_item_failures.len();
    Small {
        failures,
        inbox,
        bulk,
    }
}

impl Small {
    fn passed_on(&self) -> usize {
        assert_eq!(*self.inbox.buried.lock().expect("a lock"), []);
        self.bulk.taken_over.lock().expect("a lock").len()
    }
}

async fn imports(bench: &Bench) -> usize {
    let mut count = 0;
    let each = bench.store.each_import(|_| count += 1);
    each.await.expect("imports");
    count
}

#[tokio::test]
async fn a_small_file_is_read_where_it_is_announced() {
    let bench = Bench::new(&orders(200), 4096);
    let small = in_the_small_lane(&bench, SMALL_FILE_BYTES, MemoryInbox::default()).await;
    assert_eq!((small.failures, small.passed_on()), (0, 0));
    assert_eq!(bench.rows_sent().len(), 198);
    assert_eq!(bench.import().await.progress.rows, 200);
}

#[tokio::test]
async fn a_large_file_is_passed_on_unread() {
    let bench = Bench::new(&orders(200), 4096);
    let small = in_the_small_lane(&bench, SMALL_FILE_BYTES + 1, MemoryInbox::default()).await;
    assert_eq!((small.failures, small.passed_on()), (0, 1));
    assert_eq!((imports(&bench).await, bench.rows_sent()), (0, vec![]));
    let taken_over = small.bulk.taken_over.lock().expect("a lock");
    let sizes = files::arrivals(&taken_over[0]).expect("an event");
    assert_eq!(sizes[0].size, SMALL_FILE_BYTES + 1);
}

/// What is announced is the size of the compressed file.
#[tokio::test]
async fn a_compressed_file_with_a_window_of_orders_is_passed_on_before_any_is_sent() {
    use std::io::Write;
    let rows = 3 * ORDERS_PER_WINDOW;
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    writer.write_all(&orders(rows)).expect("memory");
    let file = writer.finish().expect("memory");
    let bytes = file.len() as u64;
    assert!(bytes < SMALL_FILE_BYTES, "{bytes}");
    let bench = Bench::new(&file, 4096);
    let small = in_the_small_lane(&bench, bytes, MemoryInbox::default()).await;
    assert_eq!((small.failures, small.passed_on()), (0, 1));
    assert_eq!(bench.rows_sent(), Vec::<u64>::new());
    assert_eq!(bench.import().await.progress.rows, 0);
    // Nobody holds the file: the next run reads it at once.
    assert_eq!(bench.chunk().await, 0);
    assert_eq!(bench.rows_sent().len(), rows - rows / 100);
    let progress = bench.import().await.progress;
    assert_eq!(progress.rows, rows as u64);
}

/// A run that dies between sending and acknowledging passes the file on once more.
#[tokio::test]
async fn a_file_that_was_passed_on_twice_is_read_once() {
    let bench = Bench::new(&orders(2_500), 4096);
    for _ in 0..2 {
        let bulk = MemoryInbox::default();
        let small = in_the_small_lane(&bench, SMALL_FILE_BYTES + 1, bulk).await;
        assert_eq!((small.failures, small.passed_on()), (0, 1));
    }
    // Both copies are received at the same time: one run holds the file, and the other one comes back.
    let (one, other) = tokio::join!(bench.chunk(), bench.chunk());
    assert_eq!(one + other, 1);
    assert_eq!(bench.chunk().await, 0);
    let messages = bench.batches.batches.lock().expect("a lock").len();
    let sent = bench.rows_sent();
    assert_eq!(sent.len(), 2_475);
    let batches = bench.batches.batches.lock().expect("a lock");
    let mut once: Vec<_> = batches.iter().map(|batch| &batch.batch_id).collect();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), messages);
}

#[tokio::test]
async fn a_file_that_cannot_be_passed_on_comes_back() {
    let bench = Bench::new(&orders(200), 4096);
    let away = MemoryInbox {
        is_away: true,
        ..MemoryInbox::default()
    };
    let small = in_the_small_lane(&bench, SMALL_FILE_BYTES + 1, away).await;
    assert_eq!((small.failures, small.passed_on()), (1, 0));
    assert_eq!(small.inbox.holds.lock().expect("a lock").len(), 1);
}
