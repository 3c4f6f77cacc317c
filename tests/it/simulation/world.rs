//! Everything there is in a simulation, and how it runs: files arrive, queues are polled, functions are invoked, time goes by.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use aws_lambda_events::apigw::ApiGatewayProxyRequest;
use dispatch::ports::Saga;
use domain::{Batch, Fault};
use edge::Invocation;
use intake::Settings;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use payments::contract::SIGNATURE;
use payments::{Patient, SigningKey};
use serde_json::Value;
use store::memory::MemoryEngine;
use store::{Moment, Store};
use tokio::time::Instant;

use super::chance::Chance;
use super::files::SimFiles;
use super::gateway::SimGateway;
use super::invocation::invoke;
use super::orders::{self, Catalog, OrderFile};
use super::queue::{SimQueue, event};
use super::sabotage::{Sabotage, SimEngine, Wired};
use super::state_machine::{self, Tasks};

/// How long the terms let a payment be pending.
const TIME_LIMIT: SignedDuration = SignedDuration::from_mins(10);

/// After the trouble, everything has to come to rest in this time.
const PEACE: Duration = Duration::from_secs(8 * 3600);

pub struct World {
    pub chance: Rc<Chance>,
    pub engine: SimEngine,
    pub gateway: SimGateway,
    pub sabotage: Option<Sabotage>,
    /// Invocations under way.
    pub running: Cell<usize>,
    pub batches: SimQueue,
    pub imports: SimQueue,
    pub catalogs: SimQueue,
    pub catalog: Catalog,
    pub files: Vec<OrderFile>,
    bucket: SimFiles,
    saga: Value,
    key: SigningKey,
    begun: Instant,
    ahead_s: Cell<i64>,
    uploaded: Cell<bool>,
    over: Cell<bool>,
}

pub fn start() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().expect("an instant")
}

impl World {
    pub fn new(seed: u64, definition: &Value, sabotage: Option<Sabotage>) -> Rc<World> {
        // Patience draws from here.
        fastrand::seed(seed);
        let chance = Rc::new(Chance::new(seed));
        let plan = chance.plan();
        let memory = MemoryEngine::with_faults(chance.draw(), plan.store);
        if let Some(most) = plan.hold_ms {
            memory.hold_items(chance.draw(), most / 4..=most);
        }
        let catalog = orders::catalog(&chance);
        let files = orders::files(&chance, catalog.stocked.len() as u64);
        let queue =
            |name, seconds| SimQueue::new(name, Duration::from_secs(seconds), chance.clone());
        let mut saga = definition.clone();
        if sabotage == Some(Sabotage::CatchesFaults) {
            saga["States"]["pay"]["Catch"] = serde_json::json!([{"Next": "rolls_back"}]);
            saga["States"]["rolls_back"] = serde_json::json!({"Type": "Task", "Resource": "everything is refused", "Next": "settled"});
        }
        Rc::new(World {
            engine: SimEngine { memory, sabotage },
            gateway: SimGateway::new(seed, chance.clone()),
            sabotage,
            running: Cell::new(0),
            batches: queue("batches", 270),
            imports: queue("imports", 300),
            catalogs: queue("catalogs", 300),
            bucket: SimFiles::new(chance.clone()),
            catalog,
            files,
            saga,
            key: SigningKey::new("a key that both sides know"),
            begun: Instant::now(),
            ahead_s: Cell::new(0),
            uploaded: Cell::new(false),
            over: Cell::new(false),
            chance,
        })
    }

    /// What the functions take for the time.
    pub fn now(&self) -> Timestamp {
        let elapsed = SignedDuration::try_from(self.begun.elapsed()).expect("a time");
        let now = start() + elapsed + SignedDuration::from_secs(self.ahead_s.get());
        now.round(jiff::Unit::Millisecond).expect("a time")
    }

    pub fn store(&self) -> Store<SimEngine> {
        Store::new(self.engine.clone(), self.chance.draw())
    }

    fn moment(&self, now: Timestamp) -> Moment {
        Moment {
            now,
            zone: TimeZone::UTC,
        }
    }

    /// Until everything is settled. Returns whether it was.
    pub async fn run(self: &Rc<World>) -> bool {
        let mut tasks = vec![
            tokio::task::spawn_local(self.clone().jumps()),
            tokio::task::spawn_local(self.clone().webhooks()),
            tokio::task::spawn_local(self.clone().expiries()),
            tokio::task::spawn_local(self.clone().uploads()),
        ];
        for _ in 0..2 {
            tasks.push(tokio::task::spawn_local(self.clone().chunks()));
            tasks.push(tokio::task::spawn_local(self.clone().catalogs()));
            tasks.push(tokio::task::spawn_local(self.clone().dispatches()));
        }
        let trouble = self.chance.plan().trouble;
        tokio::time::sleep(trouble).await;
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
        self.engine.memory.set_faults(Default::default());
        let peace = Instant::now();
        let mut at_rest = false;
        while !at_rest && peace.elapsed() < PEACE {
            tokio::time::sleep(Duration::from_secs(5)).await;
            at_rest = self.is_at_rest();
        }
        self.over.set(true);
        for task in tasks {
            task.abort();
        }
        at_rest
    }

    fn is_at_rest(&self) -> bool {
        let queues = [&self.batches, &self.imports, &self.catalogs];
        self.uploaded.get()
            && self.running.get() == 0
            && queues.iter().all(|queue| queue.is_empty())
            && self.gateway.is_quiet()
            && self
                .engine
                .memory
                .items(store::schema::Table::Orders)
                .iter()
                .all(|order| {
                    let status = order.get("status");
                    !["RESERVED", "PAYMENT_PENDING", "PAID"]
                        .iter()
                        .any(|open| status == Some(&store::ops::text(*open)))
                })
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

    /// A queue's messages go through a function, again and again until they are worked off.
    async fn poll(
        self: &Rc<World>,
        queue: impl Fn(&World) -> &SimQueue,
        most: usize,
        limit: Duration,
        run: impl AsyncFn(
            &Rc<World>,
            aws_lambda_events::sqs::SqsEvent,
            Duration,
        ) -> Result<aws_lambda_events::sqs::SqsBatchResponse, String>,
    ) {
        while !self.over.get() {
            let messages = queue(self).receive(most);
            if messages.is_empty() {
                let soon = Instant::now() + Duration::from_secs(2);
                let next = queue(self).next().map_or(soon, |next| next.min(soon));
                tokio::time::sleep_until(next.max(Instant::now() + Duration::from_millis(20)))
                    .await;
                continue;
            }
            if let Ok(response) = run(self, event(&messages), limit).await {
                let failed: Vec<&str> = response
                    .batch_item_failures
                    .iter()
                    .map(|failure| failure.item_identifier.as_str())
                    .collect();
                let done: Vec<_> = messages
                    .into_iter()
                    .filter(|message| {
                        !failed.contains(&message.message_id.as_deref().unwrap_or_default())
                    })
                    .collect();
                queue(self).delete(&done);
            }
        }
    }

    async fn chunks(self: Rc<World>) {
        let run = async |world: &Rc<World>, event: aws_lambda_events::sqs::SqsEvent, limit| {
            invoke(world, limit, |world, at| {
                let event = event.clone();
                async move {
                    let ports = chunk::Ports {
                        store: &world.store(),
                        files: &world.bucket,
                        batches: &world.batches,
                        arrivals: &world.imports,
                    };
                    let settings = Settings {
                        default_currency: "USD".parse().expect("a currency"),
                        total_policy: Default::default(),
                    };
                    chunk::handle(&ports, &settings, event, at).await
                }
            })
            .await
        };
        self.poll(|world| &world.imports, 1, Duration::from_secs(300), run)
            .await;
    }

    async fn catalogs(self: Rc<World>) {
        let run = async |world: &Rc<World>, event: aws_lambda_events::sqs::SqsEvent, limit| {
            invoke(world, limit, |world, at| {
                let event = event.clone();
                async move {
                    let ports = catalog::Ports {
                        store: &world.store(),
                        files: &world.bucket,
                        arrivals: &world.catalogs,
                    };
                    catalog::handle(&ports, "USD".parse().expect("a currency"), event, at).await
                }
            })
            .await
        };
        self.poll(|world| &world.catalogs, 1, Duration::from_secs(300), run)
            .await;
    }

    async fn dispatches(self: Rc<World>) {
        let run = async |world: &Rc<World>, event: aws_lambda_events::sqs::SqsEvent, limit| {
            invoke(world, limit, |world, at| {
                let event = event.clone();
                async move {
                    dispatch::handle(
                        &world.store(),
                        &Execution(world.clone()),
                        &world.batches,
                        event,
                        at,
                    )
                    .await
                }
            })
            .await
        };
        self.poll(|world| &world.batches, 10, Duration::from_secs(45), run)
            .await;
    }

    async fn expiries(self: Rc<World>) {
        if self.sabotage == Some(Sabotage::NeverExpires) {
            return;
        }
        loop {
            tokio::time::sleep(Duration::from_secs(60)).await;
            // One that fails is not repeated.
            let _sent = invoke(&self, Duration::from_secs(50), |world, at| async move {
                expire::handle(&world.store(), &world.batches, at).await
            })
            .await;
        }
    }

    /// The bank decides, and the gateway tells: until it is answered.
    async fn webhooks(self: Rc<World>) {
        loop {
            tokio::time::sleep(Duration::from_millis(500)).await;
            self.gateway.decide();
            let now = Instant::now();
            let mut due = Vec::new();
            self.gateway.outbox.borrow_mut().retain(|webhook| {
                let is_due = webhook.due <= now;
                if is_due {
                    due.push(webhook.clone());
                }
                !is_due
            });
            for mut webhook in due {
                // On its way again before it is tried: who looks whether all is quiet must see it.
                webhook.attempts += 1;
                let wait = Duration::from_secs(1 << webhook.attempts.min(8));
                let body = serde_json::to_string(&webhook.changed).expect("json");
                let signature = self.key.sign(&[body.as_bytes()], self.gateway.now());
                let again = super::gateway::Webhook {
                    due: Instant::now() + wait,
                    ..webhook
                };
                let world = self.clone();
                self.running.set(self.running.get() + 1);
                tokio::task::spawn_local(async move {
                    let answer = world.tell(body, signature).await;
                    // A gateway gives up one day, and not on money it took.
                    if answer.is_none_or(|status| status / 100 != 2)
                        && (again.precious || again.attempts < 12)
                    {
                        world.gateway.outbox.borrow_mut().push(again);
                    }
                    world.running.set(world.running.get() - 1);
                });
            }
        }
    }

    async fn tell(self: &Rc<World>, body: String, signature: String) -> Option<i64> {
        let answer = invoke(self, Duration::from_secs(20), |world, at| {
            let mut request = ApiGatewayProxyRequest::default();
            request
                .headers
                .insert(SIGNATURE, signature.parse().expect("a header"));
            request.body = Some(body.clone());
            async move { webhook::handle(&world.store(), &world.key, &world.batches, request, at).await }
        });
        answer.await.ok().map(|answer| answer.status_code)
    }
}

/// An execution of the saga: it goes on when nobody waits for it any more.
struct Execution(Rc<World>);

impl Saga for Execution {
    async fn run(&self, batch: &Batch) -> Result<(), Fault> {
        let input = serde_json::to_value(batch).expect("json");
        let world = self.0.clone();
        let execution = tokio::task::spawn_local(async move {
            world.running.set(world.running.get() + 1);
            let ended =
                state_machine::execute(&world.saga, &Steps(world.clone()), &world.chance, input)
                    .await;
            world.running.set(world.running.get() - 1);
            ended
        });
        let ended = execution.await.expect("an execution that does not panic");
        if self.0.sabotage == Some(Sabotage::AcknowledgesFailures) {
            return Ok(());
        }
        ended.map_err(state_machine::fault)
    }
}

struct Steps(Rc<World>);

impl Tasks for Steps {
    async fn run(&self, resource: &str, input: Value) -> Result<Value, String> {
        let resource = resource.to_owned();
        invoke(&self.0, Duration::from_secs(20), |world, at| {
            let (resource, input) = (resource.clone(), input.clone());
            async move { world.step(&resource, input, at).await }
        })
        .await
    }
}

impl World {
    async fn step(&self, resource: &str, input: Value, at: Invocation) -> Result<Value, Fault> {
        let (store, moment) = (self.store(), self.moment(at.now));
        let json = |error: serde_json::Error| Fault::Malformed(error.to_string());
        match resource {
            "${ReserveArn}" => {
                let batch = serde_json::from_value(input).map_err(json)?;
                serde_json::to_value(reserve::handle(&store, batch, &moment).await?).map_err(json)
            }
            "${PayArn}" => {
                let batch = serde_json::from_value(input).map_err(json)?;
                let terms = pay::Terms {
                    now: at.now,
                    time_limit: TIME_LIMIT,
                };
                let wired = Wired {
                    gateway: &self.gateway,
                    sabotage: self.sabotage,
                    draw: at.draw,
                };
                serde_json::to_value(pay::handle(&store, &Patient(wired), batch, terms).await?)
                    .map_err(json)
            }
            "${FinalizeArn}" => {
                finalize::handle(
                    &store,
                    serde_json::from_value(input).map_err(json)?,
                    &moment,
                )
                .await?;
                Ok(Value::Null)
            }
            "${RollbackArn}" => {
                rollback::handle(
                    &store,
                    serde_json::from_value(input).map_err(json)?,
                    &moment,
                )
                .await?;
                Ok(Value::Null)
            }
            "everything is refused" => {
                let batch: Batch = serde_json::from_value(input).map_err(json)?;
                let reason = domain::Reason::PaymentDeclined;
                let refused = batch
                    .orders
                    .into_iter()
                    .map(|order| domain::Refused { order, reason });
                let charged = domain::Charged {
                    batch_id: batch.batch_id,
                    import_id: batch.import_id,
                    paid: Vec::new(),
                    refused: refused.collect(),
                };
                rollback::handle(&store, charged, &moment).await?;
                Ok(Value::Null)
            }
            other => panic!("no function for {other}"),
        }
    }
}
