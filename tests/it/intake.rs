//! `chunk` over memory: what a file becomes, whatever happens to its message, its stream and its process.

mod lanes;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use domain::Fault;
use domain::order::TotalPolicy;
use domain::progress::ImportStatus;
use edge::Invocation;
use edge::messages::LEASE;
use intake::Settings;
use store::Store;
use store::imports::Import;
use store::memory::MemoryEngine;

use crate::support::memory::{Fate, MemoryBatches, MemoryFiles, MemoryInbox, delivered};
use crate::support::{now, read};

struct Bench {
    store: Store<MemoryEngine>,
    files: MemoryFiles,
    batches: MemoryBatches,
    inbox: MemoryInbox,
    deliveries: AtomicUsize,
    /// How long an invocation may take.
    remaining: Duration,
    started: tokio::time::Instant,
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
            batches: MemoryBatches::default(),
            inbox: MemoryInbox::default(),
            deliveries: AtomicUsize::new(0),
            remaining: Duration::from_secs(900),
            started: tokio::time::Instant::now(),
        }
    }

    /// Delivers the message, and says how many failures were reported.
    async fn chunk(&self) -> usize {
        let ports = chunk::Ports {
            store: &self.store,
            files: &self.files,
            batches: &self.batches,
            arrivals: &self.inbox,
            lane: chunk::Lane::Bulk,
        };
        let delivery = self.deliveries.fetch_add(1, Ordering::Relaxed);
        let invocation = Invocation {
            now: now() + self.started.elapsed(),
            remaining: self.remaining,
            draw: delivery as u64,
        };
        let event = delivered("chunk", delivery);
        let answer = chunk::handle(&ports, &settings(), event, invocation).await;
        answer.expect("an answer").batch_item_failures.len()
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

    /// The rows of all batches that were sent. A batch that was sent again has to be the same, and counts once.
    fn rows_sent(&self) -> Vec<u64> {
        let batches = self.batches.batches.lock().expect("a lock");
        let mut once = std::collections::BTreeMap::new();
        for batch in batches.iter() {
            let first = once.entry(&batch.batch_id).or_insert(batch);
            assert_eq!(*first, batch, "{} has two contents", batch.batch_id);
        }
        let rows = once.values().flat_map(|batch| &batch.orders);
        let mut rows: Vec<u64> = rows.map(|order| order.row).collect();
        rows.sort_unstable();
        rows
    }

    fn rejects(&self) -> Vec<u8> {
        let uploads = self.files.uploads.lock().expect("a lock");
        assert!(uploads.len() <= 1);
        uploads.values().next().cloned().unwrap_or_default()
    }
}

fn settings() -> Settings {
    Settings {
        default_currency: "USD".parse().expect("a currency"),
        total_policy: TotalPolicy::Declared,
    }
}

fn orders(rows: usize) -> Vec<u8> {
    let mut file = "order_id,customer_id,sku,quantity,unit_price\n".to_owned();
    for row in 1..=rows {
        // Every hundredth is none.
        let quantity = if row % 100 == 0 { "none" } else { "1" };
        file.push_str(&format!(
            "O-{row},C-{},S-{},{quantity},9.99\n",
            row % 90,
            row % 50
        ));
    }
    file.into_bytes()
}

#[tokio::test]
async fn every_row_is_sent_once_or_rejected_with_its_reason() {
    for piece in [1, 7, 4096, usize::MAX] {
        let bench = Bench::new(&read("events/demo-orders.csv"), piece);
        assert_eq!(bench.chunk().await, 0);
        let import = bench.import().await;
        assert_eq!(
            (import.progress.rows, import.progress.rejected),
            (610, 6),
            "pieces of {piece}"
        );
        assert_eq!(bench.rows_sent().len(), 604, "pieces of {piece}");
        assert_eq!(import.status(), ImportStatus::Processing);
        assert_eq!(String::from_utf8_lossy(&bench.rejects()).lines().count(), 7);
    }
}

#[tokio::test]
async fn rows_that_make_one_order_are_all_accounted_for() {
    let bench = Bench::new(&read("events/orders-line-items.csv"), 10);
    assert_eq!(bench.chunk().await, 0);
    let progress = bench.import().await.progress;
    assert_eq!(
        (progress.rows, progress.rejected, progress.continued),
        (9, 3, 2)
    );
    assert_eq!(bench.rows_sent(), [1, 2, 5, 8]);
    assert_eq!(progress.pending(), Some(4));
}

#[tokio::test]
async fn a_repeated_message_sends_nothing_again() {
    let bench = Bench::new(&read("events/orders-c1.csv"), 100);
    assert_eq!(bench.chunk().await, 0);
    let sent = bench.batches.batches.lock().expect("a lock").len();
    assert_eq!(bench.chunk().await, 0);
    assert_eq!(bench.batches.batches.lock().expect("a lock").len(), sent);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_breaks_is_gone_on_with_from_the_last_checkpoint() {
    let file = orders(20_000);
    let mut bench = Bench::new(&file, 10_000);
    bench.files.breaks_after = Some(file.len() / 10_000 / 2);
    assert_eq!(bench.chunk().await, 1);
    tokio::time::sleep(LEASE * 2).await;
    bench.files.breaks_after = None;
    assert_eq!(bench.chunk().await, 0);
    let import = bench.import().await;
    assert_eq!(import.status(), ImportStatus::Processing);
    assert_eq!(
        (import.progress.rows, import.progress.rejected),
        (20_000, 200)
    );
    assert_eq!(bench.rows_sent().len(), 19_800);
    // Once for the orders, and once for the rejects: what was read before the break was not read again.
    let read = bench.files.read.load(Ordering::Relaxed);
    assert!(read < file.len() * 9 / 4, "{read} of {} bytes", file.len());
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_time_is_up_hands_over_to_the_next_one() {
    let mut bench = Bench::new(&orders(20_000), 10_000);
    // Each window takes a minute to be sent.
    bench.batches.takes_ms = 60_000;
    bench.remaining = Duration::from_secs(300);
    let mut runs = 1;
    while bench.chunk().await > 0 {
        let holds = bench.inbox.holds.lock().expect("a lock");
        assert_eq!(holds.last().expect("a hold").time, Duration::ZERO);
        runs += 1;
        assert!(runs < 20);
    }
    assert!(runs > 1, "{runs} runs");
    assert_eq!(bench.rows_sent().len(), 19_800);
    let import = bench.import().await;
    assert_eq!(import.status(), ImportStatus::Processing);
    assert_eq!(
        String::from_utf8_lossy(&bench.rejects()).lines().count(),
        201
    );
}

/// Runs that are dropped at any moment, some of them while another one begins: as with `kill -9`, nothing is cleaned up.
#[tokio::test(start_paused = true)]
async fn runs_that_die_at_any_moment_send_every_row_once() {
    let file = orders(20_000);
    for seed in 0..10 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut bench = Bench::new(&file, 20_000);
        bench.batches.takes_ms = 150;
        let mut deaths = 0;
        loop {
            let life = Duration::from_millis(random.u64(1..400));
            match tokio::time::timeout(life, bench.chunk()).await {
                Ok(0) => break,
                Ok(_) => {}
                Err(_) => deaths += 1,
            }
            // Sometimes the message is there before the lease has run out.
            tokio::time::sleep(random.choice([LEASE / 2, LEASE * 2]).expect("one")).await;
        }
        assert!(deaths > 0, "seed {seed}");
        let progress = bench.import().await.progress;
        assert_eq!(
            (progress.rows, progress.rejected),
            (20_000, 200),
            "seed {seed}"
        );
        assert_eq!(bench.rows_sent().len(), 19_800, "seed {seed}");
        assert_eq!(
            String::from_utf8_lossy(&bench.rejects()).lines().count(),
            201
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_run_leaves_the_file_to_the_one_that_reads_it() {
    let mut bench = Bench::new(&orders(5_000), 10_000);
    bench.batches.takes_ms = 20_000;
    // The second comes while the first is in the middle, and long after a lease that nobody had kept.
    let second = async {
        tokio::time::sleep(LEASE * 2).await;
        bench.chunk().await
    };
    let (first, second) = tokio::join!(bench.chunk(), second);
    assert_eq!((first, second), (0, 1));
    let holds = bench.inbox.holds.lock().expect("a lock").clone();
    let mut given_back = holds
        .iter()
        .rev()
        .filter(|hold| hold.receipt == "receipt-1");
    assert_eq!(given_back.next().expect("a hold").time, LEASE);
    let sent = bench.batches.batches.lock().expect("a lock").len();
    let batches: std::collections::BTreeSet<String> = {
        let batches = bench.batches.batches.lock().expect("a lock");
        batches.iter().map(|batch| batch.batch_id.clone()).collect()
    };
    assert_eq!(batches.len(), sent, "a batch was sent twice");
    assert_eq!(bench.rows_sent().len(), 4_950);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_lost_its_lease_changes_nothing_more() {
    let mut bench = Bench::new(&orders(5_000), 10_000);
    bench.batches.takes_ms = 1_000;
    // The first one is stopped, as a process can be, and goes on after another one has taken over.
    let mut first = Box::pin(bench.chunk());
    assert!(
        tokio::time::timeout(Duration::from_millis(500), &mut first)
            .await
            .is_err()
    );
    tokio::time::advance(LEASE * 2).await;
    assert_eq!(bench.chunk().await, 0);
    let import = bench.import().await;
    first.await;
    assert_eq!(bench.import().await, import);
    assert_eq!(bench.rows_sent().len(), 4_950);
}

#[tokio::test(start_paused = true)]
async fn an_object_that_changed_fails_the_import_rather_than_mixing_two_files() {
    // At once, or when half of it was read, some rows of which were rejected.
    let cases = [(Fate::IsReplaced, "replaced"), (Fate::Goes, "gone")];
    for ((fate, reason), later) in cases
        .into_iter()
        .flat_map(|case| [(case, false), (case, true)])
    {
        let mut bench = Bench::new(&orders(5_000), 10_000);
        if later {
            bench.files.breaks_after = Some(10);
            assert_eq!(bench.chunk().await, 1);
            assert!(bench.import().await.progress.rejected > 0);
            tokio::time::advance(LEASE * 2).await;
        }
        bench.files.fate = fate;
        assert_eq!(bench.chunk().await, 0);
        let import = bench.import().await;
        assert_eq!(import.status(), ImportStatus::Failed);
        let said = import.record.reason.unwrap_or_default();
        assert!(said.contains(reason), "{said}");
    }
}

#[tokio::test]
async fn the_same_rows_without_ids_are_the_same_orders_under_any_name() {
    let ids = async |content: &[u8]| {
        let bench = Bench::new(content, 50);
        assert_eq!(bench.chunk().await, 0);
        let batches = bench.batches.batches.lock().expect("a lock");
        let orders = batches.iter().flat_map(|batch| &batch.orders);
        orders
            .map(|order| order.order_id.clone())
            .collect::<Vec<_>>()
    };
    let file = read("events/orders-without-id.csv");
    let first = ids(&file).await;
    assert_eq!(first.len(), 3);
    assert_eq!(ids(&file).await, first);
    let tomorrow = [
        &file[..],
        b"mara@example.com,Mara,Kettle 1 l,54.00,1,2026-03-03\n",
    ]
    .concat();
    assert!(ids(&tomorrow).await.iter().all(|id| !first.contains(id)));
}

#[tokio::test]
async fn a_file_that_cannot_be_taken_ends_failed_with_nothing_sent() {
    let cases: [(&[u8], &str); 6] = [
        (b"", "empty"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0", "text"),
        (b"order_id,customer_id\nO-1,C-1\n", "column"),
        (b"order_id,customer_id,total,items\n", "rows"),
        (b"Dear colleagues,\nplease find attached\n", "column"),
        (b"\x1f\x8b\x08nothing", "gzip"),
    ];
    for (content, expected) in cases {
        let bench = Bench::new(content, 5);
        assert_eq!(bench.chunk().await, 0);
        let import = bench.import().await;
        let reason = import.record.reason.clone().unwrap_or_default();
        assert_eq!(import.status(), ImportStatus::Failed, "{reason}");
        assert!(
            reason.to_lowercase().contains(expected),
            "{reason:?} does not speak of {expected}"
        );
        assert!(bench.rows_sent().is_empty());
    }
}

#[tokio::test]
async fn a_file_that_is_damaged_in_the_middle_says_how_far_it_was_taken() {
    use std::io::Write;
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(&orders(5_000)).expect("memory");
    let file = writer.finish().expect("memory");
    let bench = Bench::new(&file[..file.len() / 2], 1_000);
    assert_eq!(bench.chunk().await, 0);
    let import = bench.import().await;
    assert_eq!(import.status(), ImportStatus::Failed);
    let progress = import.progress;
    let reason = import.record.reason.unwrap_or_default();
    let taken = format!("{} rows before that were taken", progress.rows);
    assert!(progress.rows > 1_000 && reason.contains(&taken), "{reason}");
    let sent = bench.rows_sent().len() as u64;
    assert_eq!(sent + progress.rejected, progress.rows);
    assert_eq!(
        String::from_utf8_lossy(&bench.rejects()).lines().count() as u64,
        progress.rejected + 1
    );
}

#[tokio::test]
async fn a_message_that_is_no_event_is_put_aside() {
    let bench = Bench::new(b"", 1);
    let ports = chunk::Ports {
        store: &bench.store,
        files: &bench.files,
        batches: &bench.batches,
        arrivals: &bench.inbox,
        lane: chunk::Lane::Bulk,
    };
    let mut event = delivered("chunk", 0);
    event.records[0].body = Some("hello".to_owned());
    let invocation = Invocation {
        now: now(),
        remaining: bench.remaining,
        draw: 1,
    };
    let answer = chunk::handle(&ports, &settings(), event, invocation).await;
    assert!(answer.expect("an answer").batch_item_failures.is_empty());
    let buried = bench.inbox.buried.lock().expect("a lock");
    assert!(matches!(buried[..], [Fault::Malformed(_)]));
}
