//! `chunk` over memory: what a file becomes, whatever happens to its event and its stream.

use aws_lambda_events::s3::S3Event;
use domain::order::TotalPolicy;
use domain::progress::ImportStatus;
use edge::Invocation;
use intake::Settings;
use store::Store;
use store::imports::Import;
use store::memory::MemoryEngine;

use crate::support::memory::{MemoryFiles, MemoryQueue};
use crate::support::{now, read};

struct Bench {
    store: Store<MemoryEngine>,
    files: MemoryFiles,
    queue: MemoryQueue,
    event: S3Event,
}

impl Bench {
    fn new(content: &[u8], piece: usize) -> Bench {
        Bench {
            store: Store::new(MemoryEngine::new(), 1),
            files: MemoryFiles {
                content: content.to_vec(),
                piece,
                ..MemoryFiles::default()
            },
            queue: MemoryQueue::default(),
            event: serde_json::from_slice(&read("events/chunk.json")).expect("an S3 event"),
        }
    }

    async fn chunk(&self) -> Result<(), domain::Fault> {
        let settings = Settings {
            default_currency: "USD".parse().expect("a currency"),
            total_policy: TotalPolicy::Declared,
        };
        let invocation = Invocation {
            now: now(),
            remaining: std::time::Duration::from_secs(60),
        };
        chunk::handle(
            &self.store,
            &self.files,
            &self.queue,
            &settings,
            self.event.clone(),
            invocation,
        )
        .await
    }

    async fn import(&self) -> Import {
        let mut ids = Vec::new();
        self.store
            .each_import(|import| ids.push(import.import_id))
            .await
            .expect("imports");
        assert_eq!(ids.len(), 1);
        self.store
            .import(&ids[0])
            .await
            .expect("an answer")
            .expect("an import")
    }

    fn rows_sent(&self) -> Vec<u64> {
        let batches = self.queue.batches.lock().expect("a lock");
        let mut rows: Vec<u64> = batches
            .iter()
            .flat_map(|batch| batch.orders.iter().map(|order| order.row))
            .collect();
        rows.sort_unstable();
        rows
    }
}

#[tokio::test]
async fn every_row_is_sent_once_or_rejected_with_its_reason() {
    for piece in [1, 7, 4096, usize::MAX] {
        let bench = Bench::new(&read("events/demo-orders.csv"), piece);
        bench.chunk().await.expect("read");
        let import = bench.import().await;
        assert_eq!(
            (import.progress.rows, import.progress.rejected),
            (610, 6),
            "pieces of {piece}"
        );
        assert_eq!(bench.rows_sent().len(), 604, "pieces of {piece}");
        assert_eq!(import.status(), ImportStatus::Processing);
        let rejects = bench
            .files
            .rejects
            .lock()
            .expect("a lock")
            .clone()
            .expect("a file of rejects");
        assert_eq!(String::from_utf8_lossy(&rejects).lines().count(), 7);
    }
}

#[tokio::test]
async fn a_repeated_event_sends_nothing_again() {
    let bench = Bench::new(&read("events/orders-c1.csv"), 100);
    bench.chunk().await.expect("read");
    let rows = bench.rows_sent();
    bench.chunk().await.expect("found to be read");
    assert_eq!(bench.rows_sent(), rows);
}

#[tokio::test]
async fn a_stream_that_breaks_is_read_again_into_the_same_batches() {
    let mut bench = Bench::new(&read("events/demo-orders.csv"), 1_000);
    bench.files.breaks_after = Some(40);
    assert!(matches!(
        bench.chunk().await,
        Err(domain::Fault::Transient(_))
    ));
    bench.files.breaks_after = None;
    bench.chunk().await.expect("read");
    let mut rows = bench.rows_sent();
    rows.dedup();
    assert_eq!(rows.len(), 604);
    let batches = bench.queue.batches.lock().expect("a lock");
    for batch in batches.iter() {
        let same = batches
            .iter()
            .filter(|other| other.batch_id == batch.batch_id);
        assert!(
            same.into_iter().all(|other| other == batch),
            "{} was sent with two contents",
            batch.batch_id
        );
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_taken_ends_failed_with_nothing_sent() {
    let cases: [(&[u8], &str); 5] = [
        (b"", "empty"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0", "CSV"),
        (b"order_id,customer_id\nO-1,C-1\n", "column"),
        (b"order_id,customer_id,total,items\n", "rows"),
        (b"Dear colleagues,\nplease find attached\n", "column"),
    ];
    for (content, expected) in cases {
        let bench = Bench::new(content, 5);
        bench
            .chunk()
            .await
            .expect("an import that failed is an answer");
        let import = bench.import().await;
        let reason = import.record.reason.clone().unwrap_or_default();
        assert_eq!(import.status(), ImportStatus::Failed, "{reason}");
        assert!(
            reason.to_lowercase().contains(&expected.to_lowercase()),
            "{reason:?} does not speak of {expected}"
        );
        assert!(bench.rows_sent().is_empty());
    }
}
