//! Small work has a lane of its own: what its workers do, an auditor of the order in which work is taken up, and single
//! orders behind a large file.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use chunk::Lane;
use domain::Fault;
use edge::Invocation;
use intake::Settings;
use serde_json::Value;

use super::auditor::{Promise, Violations};
use super::definition;
use super::mill::Execution;
use super::queue::SimQueue;
use super::sabotage::Sabotage;
use super::world::World;

/// Of the files here, which have up to a hundred rows, half are larger.
const SMALL_FILE_BYTES: u64 = 1_200;

pub async fn chunk(
    world: Rc<World>,
    event: SqsEvent,
    at: Invocation,
) -> Result<SqsBatchResponse, Fault> {
    let bytes = match world.sabotage {
        Some(Sabotage::SendsSmallWorkWithBulk) => 0,
        _ => SMALL_FILE_BYTES,
    };
    let lane = Lane::Small {
        bytes,
        bulk: &*world.bulk_imports,
    };
    let lanes = (lane, world.small_batches(), &*world.imports);
    read(&world, lanes, event, at).await
}

pub async fn chunk_bulk(
    world: Rc<World>,
    event: SqsEvent,
    at: Invocation,
) -> Result<SqsBatchResponse, Fault> {
    let lanes = (Lane::Bulk, &*world.bulk_batches, &*world.bulk_imports);
    read(&world, lanes, event, at).await
}

async fn read(
    world: &World,
    (lane, batches, arrivals): (Lane<'_, SimQueue>, &SimQueue, &SimQueue),
    event: SqsEvent,
    at: Invocation,
) -> Result<SqsBatchResponse, Fault> {
    let ports = chunk::Ports {
        store: &world.store(),
        files: &world.bucket,
        batches,
        arrivals,
        lane,
    };
    let settings = Settings {
        default_currency: "USD".parse().expect("a currency"),
        total_policy: Default::default(),
    };
    chunk::handle(&ports, &settings, event, at).await
}

pub async fn dispatch_bulk(
    world: Rc<World>,
    event: SqsEvent,
    at: Invocation,
) -> Result<SqsBatchResponse, Fault> {
    let saga = Execution(world.clone());
    dispatch::handle(&saga, &*world.bulk_batches, event, at).await
}

/// Batches of large files that a worker takes at once: files here have few, and they are to queue up.
pub const BULK_AT_ONCE: usize = 1;

/// What is imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Load {
    /// A few files, as the seed has it.
    Any,
    /// A file that is large for its workers, and single orders behind it.
    SinglesBehindALargeFile,
}

/// Some sixty batches.
const ROWS_OF_A_LARGE_FILE: u64 = 2_400;

const SINGLES: usize = 10;

/// After the trouble, every message is received again in this time, whatever happened to it.
const RECOVERY: Duration = Duration::from_secs(1_200);

impl Load {
    /// In each file.
    pub fn rows(self) -> Option<Vec<u64>> {
        let mut rows = vec![ROWS_OF_A_LARGE_FILE];
        rows.extend([1; SINGLES]);
        (self == Load::SinglesBehindALargeFile).then_some(rows)
    }

    /// How long each of the two workers of large files rests after a batch: so long that batches queue up. Behind a large
    /// file, a third of it takes longer than all trouble: then what is small has to be served by then, whatever goes wrong.
    pub fn bulk_rest(self, trouble: Duration) -> Duration {
        // Two batches are taken in each, and the first one needs no rest.
        let rounds_of_a_third = 9;
        match self {
            Load::Any => Duration::from_secs(2),
            Load::SinglesBehindALargeFile => (trouble + RECOVERY) / rounds_of_a_third,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Size {
    Small,
    Bulk,
}

/// A batch that was taken up for the first time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Served {
    pub import_id: String,
    pub batch_id: String,
    pub size: Size,
}

/// Looks at what the workers take out of the queues. It knows what is small by itself: from the files, and from messages.
pub struct LanesAuditor(Rc<RefCell<Seen>>);

#[derive(Default)]
struct Seen {
    /// By key and by import.
    sizes: BTreeMap<String, Size>,
    served: Vec<Served>,
    violations: Violations,
}

impl LanesAuditor {
    pub fn watch(world: &World) -> LanesAuditor {
        let mut seen = Seen::default();
        for file in &world.files {
            let is_small = file.content.len() as u64 <= SMALL_FILE_BYTES;
            let size = if is_small { Size::Small } else { Size::Bulk };
            let names = [file.key.clone(), file.import_id.clone()];
            seen.sizes.extend(names.map(|name| (name, size)));
        }
        let seen = Rc::new(RefCell::new(seen));
        for queue in world.queues() {
            let seen = seen.clone();
            let watcher = move |queue: &str, taken: &[&str], left: &[&str]| {
                seen.borrow_mut().look(queue, taken, left);
            };
            *queue.watcher.borrow_mut() = Some(Box::new(watcher));
        }
        LanesAuditor(seen)
    }

    pub fn conclude(&self) -> Violations {
        std::mem::take(&mut self.0.borrow_mut().violations)
    }

    pub fn served(&self) -> Vec<Served> {
        std::mem::take(&mut self.0.borrow_mut().served)
    }
}

impl Seen {
    fn look(&mut self, queue: &str, taken: &[&str], left: &[&str]) {
        let of_batches = ["batches", "bulk_batches"].contains(&queue);
        // In `imports`, a large file is taken to be passed on.
        if !of_batches && queue != "bulk_imports" {
            return;
        }
        let taken: Vec<Served> = taken.iter().filter_map(|body| self.work(body)).collect();
        let is_bulk = taken.iter().any(|work| work.size == Size::Bulk);
        let mut left = left.iter().filter_map(|body| self.work(body));
        if is_bulk && let Some(small) = left.find(|work| work.size == Size::Small) {
            let what = format!("{small:?} waits in {queue}, where {taken:?} is taken");
            self.violations
                .push((Promise::SmallWorkWaitsForNoBulk, what));
        }
        if of_batches {
            let new = |work: &Served| !self.served.contains(work);
            let new: Vec<Served> = taken.into_iter().filter(new).collect();
            self.served.extend(new);
        }
    }

    /// Nothing, where nobody can read the message.
    fn work(&self, body: &str) -> Option<Served> {
        let message: Value = serde_json::from_str(body).ok()?;
        let key = message["Records"][0]["s3"]["object"]["key"].as_str();
        let name = key.or(message["import_id"].as_str())?;
        let is_review = !message["review"].is_null();
        let size = self.sizes.get(name).copied()?;
        Some(Served {
            import_id: name.to_owned(),
            batch_id: message["batch_id"].as_str().unwrap_or_default().to_owned(),
            size: if is_review { Size::Small } else { size },
        })
    }
}

/// Of how many batches of the large file, and how many of them were taken up before each single order was.
fn service(seed: u64, sabotage: Option<Sabotage>) -> (usize, Vec<usize>) {
    let load = Load::SinglesBehindALargeFile;
    let run = super::run_with(seed, &definition(), sabotage, load);
    let found = &run.violations;
    // In a lane where one message waits for another, hundreds of reviews take days.
    assert!(
        found.is_empty() || sabotage.is_some(),
        "seed {seed}: {} violations, the last ones {:#?}",
        found.len(),
        found.iter().rev().take(10).collect::<Vec<_>>()
    );
    let (mut before, mut bulk) = (BTreeMap::new(), BTreeSet::new());
    for work in run.served {
        match work.size {
            Size::Bulk => {
                bulk.insert(work.batch_id);
            }
            Size::Small => {
                before.entry(work.import_id).or_insert(bulk.len());
            }
        }
    }
    // Reviews of the large file are small, too.
    before.retain(|import, _| !bulk.iter().any(|batch| batch.starts_with(import)));
    (bulk.len(), before.into_values().collect())
}

/// Whatever goes wrong meanwhile: all trouble is over before a third of the large file is taken up.
#[test]
fn single_orders_behind_a_large_file_are_served_before_its_end() {
    for seed in 0..6 {
        let (bulk, before) = service(seed, None);
        println!("seed {seed}: before the single orders, {before:?} of {bulk} batches were taken");
        assert!(bulk >= 55 && before.len() >= SINGLES / 2, "seed {seed}");
        assert!(before.iter().all(|taken| taken * 3 < bulk), "seed {seed}");
    }
}

#[test]
fn single_orders_in_the_lane_of_a_large_file_wait_for_it() {
    for seed in 0..3 {
        let (bulk, before) = service(seed, Some(Sabotage::SendsSmallWorkWithBulk));
        println!("seed {seed}: before the single orders, {before:?} of {bulk} batches were taken");
        assert!(before.iter().any(|taken| taken * 3 >= bulk), "seed {seed}");
    }
}
