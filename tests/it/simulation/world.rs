//! Everything there is in a simulation, and how it runs: files arrive, queues are polled, functions are invoked, time goes by.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use payments::SigningKey;
use serde_json::Value;
use store::Store;
use store::memory::{Faults, MemoryEngine};
use store::ops::Item;
use store::schema::Table;
use tokio::time::Instant;

use super::auditor::text;
use super::chance::Chance;
use super::files::SimFiles;
use super::gateway::SimGateway;
use super::lanes::Load;
use super::mill;
use super::orders::{self, Catalog, OrderFile};
use super::queue::SimQueue;
use super::sabotage::{Sabotage, SimEngine};
use super::stream::{self, Stream, To};
use super::telling::{self, SimPost};
use super::{deeds, rebuilds, refunds};
use crate::support::calendar::Calendar;

/// A message that nobody can read.
pub const GARBAGE: &str = "garbage";

/// After the trouble, everything has to come to rest in this time.
const PEACE: Duration = Duration::from_secs(8 * 3600);

pub struct World {
    pub chance: Rc<Chance>,
    pub engine: SimEngine,
    pub gateway: SimGateway,
    pub sabotage: Option<Sabotage>,
    /// Invocations under way.
    pub running: Cell<usize>,
    /// Batches of small work, and of large files.
    pub batches: Rc<SimQueue>,
    pub bulk_batches: Rc<SimQueue>,
    /// Every file is announced here. Large ones are passed on.
    pub imports: Rc<SimQueue>,
    pub bulk_imports: Rc<SimQueue>,
    /// A worker of bulk batches rests so long after each message.
    pub bulk_rest: Duration,
    pub catalogs: Rc<SimQueue>,
    /// Entries of the journal that are to be entered in the figures once more.
    pub entries: Rc<SimQueue>,
    /// Refunds that are on record.
    pub refunds: Rc<SimQueue>,
    /// What nobody could be told of at once.
    pub notices: Rc<SimQueue>,
    pub mail: Rc<SimQueue>,
    pub post: SimPost,
    pub streams: [Stream; 3],
    /// Where each queue puts messages aside.
    pub dead: [Rc<SimQueue>; 9],
    pub catalog: Catalog,
    pub files: Vec<OrderFile>,
    pub bucket: SimFiles,
    pub saga: Value,
    pub key: SigningKey,
    pub calendar: Calendar,
    begun: Instant,
    ahead_s: Cell<i64>,
    uploaded: Cell<bool>,
}

impl World {
    pub fn new(seed: u64, definition: &Value, sabotage: Option<Sabotage>, load: Load) -> Rc<World> {
        // Patience draws from here.
        fastrand::seed(seed);
        let chance = Rc::new(Chance::new(seed));
        if load == Load::SinglesBehindALargeFile {
            chance.keep_clocks();
        }
        let plan = chance.plan();
        let memory = MemoryEngine::with_faults(chance.draw(), plan.store);
        if let Some(most) = plan.hold_ms {
            memory.hold_items(chance.draw(), most / 4..=most);
        }
        let catalog = orders::catalog(&chance);
        let files = orders::files(&chance, catalog.stocked.len() as u64, load.rows());
        let queue = |name, seconds, dead| {
            SimQueue::new(name, Duration::from_secs(seconds), chance.clone(), dead)
        };
        let dead = |name| Rc::new(queue(name, 120, None));
        let dead = [
            dead("batches-dead"),
            dead("imports-dead"),
            dead("catalogs-dead"),
            dead("entries-dead"),
            dead("refunds-dead"),
            dead("notices-dead"),
            dead("mail-dead"),
            dead("bulk_batches-dead"),
            dead("bulk_imports-dead"),
        ];
        let aside = |at: usize| Some(dead[at].clone());
        let mut saga = definition.clone();
        if sabotage == Some(Sabotage::CatchesFaults) {
            saga["States"]["pay"]["Retry"] = serde_json::json!([]);
            saga["States"]["pay"]["Catch"] = serde_json::json!([{"Next": "rolls_back"}]);
            saga["States"]["rolls_back"] = serde_json::json!({"Type": "Task", "Resource": "everything is refused", "Next": "settled"});
        }
        let calendar = Calendar::draw(|limit| chance.below(limit));
        let streams = To::ALL.map(|to| Stream::of(&memory, chance.clone(), to));
        Rc::new(World {
            engine: SimEngine::new(memory, sabotage),
            gateway: SimGateway::new(seed, calendar.start, chance.clone()),
            sabotage,
            running: Cell::new(0),
            batches: Rc::new(queue("batches", 270, aside(0))),
            bulk_batches: Rc::new(queue("bulk_batches", 270, aside(7))),
            imports: Rc::new(queue("imports", 300, aside(1))),
            bulk_imports: Rc::new(queue("bulk_imports", 300, aside(8))),
            bulk_rest: load.bulk_rest(plan.trouble),
            catalogs: Rc::new(queue("catalogs", 300, aside(2))),
            entries: Rc::new(queue("entries", 360, aside(3))),
            refunds: Rc::new(queue("refunds", 120, aside(4))),
            notices: Rc::new(queue("notices", 360, aside(5))),
            mail: Rc::new(queue("mail", 240, aside(6))),
            post: SimPost::new(chance.clone()),
            streams,
            dead,
            bucket: SimFiles::new(chance.clone()),
            catalog,
            files,
            saga,
            key: SigningKey::new("a key that both sides know"),
            calendar,
            begun: Instant::now(),
            ahead_s: Cell::new(0),
            uploaded: Cell::new(false),
            chance,
        })
    }

    /// What the functions take for the time.
    pub fn now(&self) -> Timestamp {
        let elapsed = SignedDuration::try_from(self.begun.elapsed()).expect("a time");
        let now = self.calendar.start + elapsed + SignedDuration::from_secs(self.ahead_s.get());
        now.round(jiff::Unit::Millisecond).expect("a time")
    }

    pub fn store(&self) -> Store<SimEngine> {
        Store::new(self.engine.clone(), self.chance.draw())
    }

    /// Until everything is settled. Returns whether it was.
    pub async fn run(self: &Rc<World>) -> bool {
        telling::addresses(self).await;
        let mut tasks = mill::start(self);
        tasks.extend(stream::start(self));
        tasks.push(tokio::task::spawn_local(self.clone().jumps()));
        tasks.push(tokio::task::spawn_local(self.clone().uploads()));
        tasks.push(tokio::task::spawn_local(rebuilds::run(self.clone())));
        tasks.push(tokio::task::spawn_local(refunds::run(self.clone())));
        for _ in 0..2 {
            tasks.push(tokio::task::spawn_local(deeds::run(self.clone())));
        }
        let outages = tokio::task::spawn_local(self.clone().outages());
        let trouble = self.chance.plan().trouble;
        tokio::time::sleep(trouble).await;
        outages.abort();
        let injected = self.engine.memory.injected();
        self.chance.count(
            "store conflict",
            injected.conflicts + self.engine.memory.conflicts_met(),
        );
        self.chance.count("store throttled", injected.throttles);
        self.chance
            .count("store's answer lost", injected.lost_answers);
        self.chance.count("store read stale", injected.stale_reads);
        self.chance.calm();
        self.engine.no_figures.store(false, Ordering::Relaxed);
        self.engine.memory.set_faults(Default::default());
        let peace = Instant::now();
        let mut at_rest = false;
        // Workers of large files rest after each batch, and copies of batches wait as well.
        let rests = u32::try_from(self.bulk_batches.depth().0).expect("a number of rests");
        let limit = PEACE + self.bulk_rest * rests;
        while !at_rest && peace.elapsed() < limit {
            tokio::time::sleep(Duration::from_secs(30)).await;
            at_rest = self.is_at_rest();
        }
        for task in tasks {
            task.abort();
        }
        at_rest
    }

    /// When nothing goes wrong any more.
    pub async fn peace(&self) {
        while !self.chance.plan().trouble.is_zero() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// Where batches of small work go.
    pub fn small_batches(&self) -> &SimQueue {
        match self.sabotage {
            Some(Sabotage::SendsSmallWorkWithBulk) => &self.bulk_batches,
            _ => &self.batches,
        }
    }

    pub fn queues(&self) -> [&Rc<SimQueue>; 9] {
        let World {
            batches,
            bulk_batches,
            imports,
            bulk_imports,
            catalogs,
            entries,
            refunds,
            notices,
            mail,
            ..
        } = self;
        [
            batches,
            bulk_batches,
            imports,
            bulk_imports,
            catalogs,
            entries,
            refunds,
            notices,
            mail,
        ]
    }

    fn is_at_rest(&self) -> bool {
        self.unrest().is_empty()
    }

    /// What is still on its way.
    pub fn unrest(&self) -> Vec<String> {
        let open = |table, states: &[&str], name| {
            let items = self.engine.memory.items(table);
            let state = |item: &Item| text(item, name);
            items
                .iter()
                .any(|item| states.contains(&state(item).as_str()))
        };
        let queues = self.queues().into_iter().chain(&self.dead);
        let waiting = queues.filter(|queue| !queue.is_empty());
        let told = |queue: &Rc<SimQueue>| {
            let (messages, received) = queue.depth();
            format!(
                "{messages} in {}, received up to {received} times",
                queue.name
            )
        };
        let mut unrest: Vec<String> = waiting.map(told).collect();
        let orders = ["RESERVED", "PAYMENT_PENDING", "PAID"];
        for (what, is_open) in [
            ("uploads", !self.uploaded.get()),
            ("invocations", self.running.get() > 0),
            ("streams", !self.streams.iter().all(Stream::is_drained)),
            ("the gateway", !self.gateway.is_quiet()),
            ("orders", open(Table::Orders, &orders, "status")),
            (
                "refunds",
                open(Table::Refunds, &["PENDING", "PROCESSING"], "status"),
            ),
            (
                "notifications",
                open(Table::Notifications, &["pending"], "status"),
            ),
            (
                "failures",
                open(Table::Failures, &["OPEN", "RETRYING"], "state"),
            ),
        ] {
            unrest.extend(is_open.then(|| what.to_owned()));
        }
        unrest
    }

    async fn uploads(self: Rc<World>) {
        let catalog = self.bucket.put(
            "catalog/products.csv",
            &self.catalog.first,
            self.gateway.now(),
        );
        self.catalogs.push(catalog);
        if self.chance.below(5) > 0 {
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
        for file in &self.files {
            if self.chance.below(4) == 0 {
                self.batches.push(GARBAGE.to_owned());
                self.entries.push(GARBAGE.to_owned());
                self.refunds.push(GARBAGE.to_owned());
                self.notices.push(GARBAGE.to_owned());
                self.mail.push(GARBAGE.to_owned());
            }
            let arrival = self
                .bucket
                .put(&file.key, &file.content, self.gateway.now());
            self.imports.push(arrival);
            tokio::time::sleep(self.chance.up_to_ms(20_000)).await;
        }
        // Later than the first: what is added counts on top of what was set.
        tokio::time::sleep(self.chance.up_to_ms(20_000) + Duration::from_secs(1)).await;
        let added = self.bucket.put(
            "catalog/add/more.csv",
            &self.catalog.added,
            self.gateway.now(),
        );
        self.catalogs.push(added);
        self.uploaded.set(true);
    }

    /// The store, what is written to the figures, or the gateway is away for a while, as a whole.
    async fn outages(self: Rc<World>) {
        let plan = self.chance.plan();
        for _ in 0..plan.outages {
            tokio::time::sleep(self.chance.up_to_ms(60_000)).await;
            match self.chance.below(3) {
                0 => {
                    self.chance.count("store away", 1);
                    let away = Faults {
                        throttle: 1_000,
                        ..plan.store
                    };
                    self.engine.memory.set_faults(away);
                    tokio::time::sleep(self.chance.up_to_ms(90_000)).await;
                    self.engine.memory.set_faults(plan.store);
                }
                1 => {
                    self.chance.count("figures away", 1);
                    self.engine.no_figures.store(true, Ordering::Relaxed);
                    tokio::time::sleep(self.chance.up_to_ms(60_000)).await;
                    self.engine.no_figures.store(false, Ordering::Relaxed);
                }
                _ => {
                    self.chance.count("gateway away", 1);
                    self.chance.no_gateway.set(true);
                    tokio::time::sleep(self.chance.up_to_ms(600_000)).await;
                    self.chance.no_gateway.set(false);
                }
            }
        }
    }

    async fn jumps(self: Rc<World>) {
        let plan = self.chance.plan();
        for _ in 0..plan.jumps {
            tokio::time::sleep(self.chance.up_to_ms(plan.trouble.as_millis() as u64 / 2)).await;
            let ahead = self.chance.below(4 * 3600) as i64 - 2 * 3600;
            self.ahead_s.set(ahead);
            self.chance.count("clock jumped", 1);
        }
        tokio::time::sleep(plan.trouble).await;
        self.ahead_s.set(0);
    }
}
