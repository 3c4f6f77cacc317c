//! The functions at work: who polls which queue, what runs on a schedule, what comes from outside, and who looks after
//! what failed.

use std::rc::Rc;
use std::time::Duration;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use command::webhooks::{self, Taken};
use dispatch::ports::Saga;
use domain::{Batch, Charged, Fault, Reason, Refused};
use edge::Invocation;
use edge::resend::{self, Claim, NotSent, Resent, Sources};
use jiff::SignedDuration;
use payments::Patient;
use serde_json::Value;
use store::Moment;
use store::contacts::{ContactDate, DatedContact};
use store::failures::State;
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::Instant;

use super::invocation::invoke;
use super::queue::{SimQueue, event};
use super::sabotage::Sabotage;
use super::state_machine::{self, Tasks};
use super::wired::Wired;
use super::world::{GARBAGE, World};
use super::{lanes, refunds, stream, telling};

/// How long the terms let a payment be pending.
const TIME_LIMIT: SignedDuration = SignedDuration::from_mins(10);

/// Starts everything that goes on until the end.
pub fn start(world: &Rc<World>) -> Vec<JoinHandle<()>> {
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    let seconds = Duration::from_secs;
    let mut tasks = vec![
        spawn_local(expiries(world.clone())),
        spawn_local(told(world.clone())),
        spawn_local(operator(world.clone())),
    ];
    for queue in &world.dead {
        tasks.push(spawn_local(poll(
            world.clone(),
            queue.clone(),
            10,
            seconds(20),
            bury,
        )));
    }
    for _ in 0..2 {
        tasks.push(spawn_local(poll(
            world.clone(),
            world.imports.clone(),
            1,
            minutes(5),
            lanes::chunk,
        )));
        tasks.push(spawn_local(poll(
            world.clone(),
            world.bulk_imports.clone(),
            1,
            minutes(5),
            lanes::chunk_bulk,
        )));
        tasks.push(spawn_local(poll(
            world.clone(),
            world.catalogs.clone(),
            1,
            minutes(5),
            catalog,
        )));
        tasks.push(spawn_local(poll(
            world.clone(),
            world.batches.clone(),
            10,
            seconds(45),
            dispatch,
        )));
        tasks.push(spawn_local(poll(
            world.clone(),
            world.bulk_batches.clone(),
            lanes::BULK_AT_ONCE,
            seconds(45),
            lanes::dispatch_bulk,
        )));
        tasks.push(spawn_local(poll(
            world.clone(),
            world.entries.clone(),
            10,
            stream::LIMIT,
            stream::entries,
        )));
        tasks.push(spawn_local(poll(
            world.clone(),
            world.refunds.clone(),
            10,
            seconds(20),
            refund,
        )));
        tasks.push(spawn_local(poll(
            world.clone(),
            world.notices.clone(),
            10,
            stream::LIMIT,
            telling::notices,
        )));
        tasks.push(spawn_local(poll(
            world.clone(),
            world.mail.clone(),
            10,
            seconds(40),
            telling::send,
        )));
    }
    tasks
}

/// A queue's messages go through a function, again and again until they are worked off.
async fn poll<F: Future<Output = Result<SqsBatchResponse, Fault>> + 'static>(
    world: Rc<World>,
    queue: Rc<SimQueue>,
    most: usize,
    limit: Duration,
    function: impl Fn(Rc<World>, SqsEvent, Invocation) -> F,
) {
    loop {
        let mut messages = queue.receive(most);
        if messages.is_empty() {
            queue.wait().await;
            continue;
        }
        let event = event(&messages);
        let run = |world, at| function(world, event.clone(), at);
        if let Ok(response) = invoke(&world, limit, run).await {
            messages.retain(|message| {
                let id = message.message_id.as_deref().unwrap_or_default();
                let mut failed = response.batch_item_failures.iter();
                !failed.any(|failure| failure.item_identifier == id)
            });
            queue.delete(&messages);
        }
        if queue.name == "bulk_batches" {
            tokio::time::sleep(world.bulk_rest).await;
        }
    }
}

async fn catalog(
    world: Rc<World>,
    event: SqsEvent,
    at: Invocation,
) -> Result<SqsBatchResponse, Fault> {
    let ports = catalog::Ports {
        store: &world.store(),
        files: &world.bucket,
        arrivals: &*world.catalogs,
    };
    let currency = "USD".parse().expect("a currency");
    catalog::handle(&ports, currency, event, at).await
}

async fn dispatch(
    world: Rc<World>,
    event: SqsEvent,
    at: Invocation,
) -> Result<SqsBatchResponse, Fault> {
    let saga = Execution(world.clone());
    dispatch::handle(&saga, &*world.batches, event, at).await
}

async fn bury(
    world: Rc<World>,
    event: SqsEvent,
    at: Invocation,
) -> Result<SqsBatchResponse, Fault> {
    bury::handle(&world.store(), event, at).await
}

async fn refund(
    world: Rc<World>,
    event: SqsEvent,
    at: Invocation,
) -> Result<SqsBatchResponse, Fault> {
    let wired = Wired {
        gateway: &world.gateway,
        sabotage: world.sabotage,
        draw: at.draw,
    };
    let ports = refund::Ports {
        store: &world.store(),
        gateway: &Patient(wired),
        queue: &*world.refunds,
        zone: &world.calendar.zone,
    };
    refund::handle(&ports, event, at).await
}

async fn expiries(world: Rc<World>) {
    while world.sabotage != Some(Sabotage::NeverExpires) {
        tokio::time::sleep(Duration::from_secs(60)).await;
        // One that fails is not repeated.
        let _sent = invoke(&world, Duration::from_secs(50), |world, at| async move {
            expire::handle(&world.store(), world.small_batches(), at).await
        })
        .await;
        let _sent = invoke(&world, Duration::from_secs(50), |world, at| async move {
            expire::refunds::send_again(&world.store(), &*world.refunds, at).await
        })
        .await;
    }
}

/// Somebody who looks at what failed now and then, and sends it again, sometimes twice; garbage is discarded.
async fn operator(world: Rc<World>) {
    loop {
        tokio::time::sleep(Duration::from_secs(200)).await;
        refunds::look_after(&world).await;
        for queue in world.queues().map(|queue| queue.name) {
            let Ok(failures) = world.store().failures_of(queue).await else {
                continue;
            };
            for listed in failures {
                let id = listed.failure_id.as_str();
                let (store, now) = (world.store(), world.now());
                let Ok(Some(record)) = store.failure(id).await else {
                    continue;
                };
                if record.payload == GARBAGE {
                    let _discarded = store.discard_failure(id, "tests", now).await;
                    continue;
                }
                // Nobody knows whether one that is being retried for so long was sent.
                let again = listed.state == State::Retrying;
                if listed.state == State::Open || again {
                    world.chance.count("failure retried", 1);
                    let token = world.chance.draw().to_string();
                    let claim = Claim {
                        token: &token,
                        again,
                        by: "tests",
                    };
                    let one = resend::retry(&store, &*world, id, claim, now);
                    let token = world.chance.draw().to_string();
                    let claim = Claim {
                        token: &token,
                        again,
                        by: "tests",
                    };
                    let other = resend::retry(&store, &*world, id, claim, now);
                    // What is not known to be sent is there again next time.
                    let _both = match world.chance.half() {
                        true => tokio::join!(one, other).0,
                        false => one.await,
                    };
                }
            }
        }
    }
}

impl Sources for World {
    fn has(&self, _queue: &str) -> bool {
        true
    }

    async fn send(&self, message: Resent) -> Result<(), NotSent> {
        let mut queues = self.queues().into_iter();
        let queue = queues.find(|queue| queue.name == message.queue);
        queue.expect("a queue of ours").resend(message).await
    }
}

/// The bank decides, and the gateway tells: until it is answered.
async fn told(world: Rc<World>) {
    loop {
        tokio::time::sleep(Duration::from_secs(2)).await;
        world.gateway.decide();
        for mut webhook in world.gateway.due() {
            webhook.attempts += 1;
            let wait = Duration::from_secs(1 << webhook.attempts.min(8));
            let body = serde_json::to_string(&webhook.changed).expect("json");
            let world = world.clone();
            world.running.set(world.running.get() + 1);
            spawn_local(async move {
                let answer = tell(&world, body).await;
                // A gateway gives up one day, and not on money that it took.
                let taken = answer.is_some_and(Taken::is_taken);
                if !taken && (webhook.precious || webhook.attempts < 12) {
                    webhook.due = Instant::now() + wait;
                    world.gateway.outbox.borrow_mut().push(webhook);
                }
                world.running.set(world.running.get() - 1);
            });
        }
    }
}

async fn tell(world: &Rc<World>, body: String) -> Option<Taken> {
    let signature = world.key.sign(&[body.as_bytes()], world.gateway.now());
    let told = invoke(world, Duration::from_secs(20), |world, at| {
        let (signature, body) = (signature.clone(), body.clone());
        async move {
            let parts = (Some(signature.as_str()), body.as_bytes());
            webhooks::take(
                &world.store(),
                &world.key,
                world.small_batches(),
                parts,
                at.now,
            )
            .await
        }
    });
    told.await.ok()
}

/// An execution of the saga: it goes on when nobody waits for it any more.
pub struct Execution(pub Rc<World>);

impl Saga for Execution {
    async fn run(&self, batch: &Batch) -> Result<(), Fault> {
        let world = self.0.clone();
        let mut batch = batch.clone();
        let contacts = broken_contacts(&world, &mut batch).await?;
        let input = serde_json::to_value(&batch).expect("json");
        let execution = spawn_local(async move {
            world.running.set(world.running.get() + 1);
            let steps = Steps(world.clone());
            let ended = state_machine::execute(&world.saga, &steps, &world.chance, input).await;
            world.running.set(world.running.get() - 1);
            ended
        });
        let ended = execution.await.expect("an execution that does not panic");
        self.0.store().save_contacts(&contacts).await?;
        if self.0.sabotage == Some(Sabotage::AcknowledgesFailures) {
            return Ok(());
        }
        ended.map_err(state_machine::fault)
    }
}

/// Contact data in the hands of a broken build. Returns what is to be stored after the saga.
async fn broken_contacts(world: &World, batch: &mut Batch) -> Result<Vec<DatedContact>, Fault> {
    let dated = |batch: &Batch| {
        let stated = batch.earlier_contacts.iter().chain(&batch.contacts);
        let dated = stated.map(|stated| DatedContact {
            contact: stated.contact.clone(),
            date: ContactDate::new(
                batch.uploaded_at.unwrap_or_default(),
                &batch.import_id,
                stated.rows.last().copied().unwrap_or_default(),
            ),
        });
        dated.collect::<Vec<_>>()
    };
    match world.sabotage {
        Some(Sabotage::StoresContactsOfAllRows) => {
            world.store().save_contacts(&dated(batch)).await?;
        }
        Some(Sabotage::ForgetsUploadTimes) => batch.uploaded_at = None,
        Some(Sabotage::StoresContactsLate) => {
            let late = dated(batch);
            batch.contacts.clear();
            batch.earlier_contacts.clear();
            return Ok(late);
        }
        _ => {}
    }
    Ok(Vec::new())
}

struct Steps(Rc<World>);

impl Tasks for Steps {
    async fn run(&self, resource: &str, input: Value) -> Result<Value, String> {
        let limit = Duration::from_secs(20);
        let run = |world, at| step(world, resource.to_owned(), input.clone(), at);
        invoke(&self.0, limit, run).await
    }
}

async fn step(
    world: Rc<World>,
    resource: String,
    input: Value,
    at: Invocation,
) -> Result<Value, Fault> {
    let store = world.store();
    let (now, zone) = (at.now, world.calendar.zone.clone());
    let moment = Moment { now, zone };
    match resource.as_str() {
        "${ReserveArn}" => to_json(reserve::handle(&store, from_json(input)?, &moment).await?),
        "${PayArn}" => {
            let time_limit = TIME_LIMIT;
            let terms = pay::Terms {
                now,
                time_limit,
                remaining: at.remaining,
            };
            let wired = Wired {
                gateway: &world.gateway,
                sabotage: world.sabotage,
                draw: at.draw,
            };
            to_json(pay::handle(&store, &Patient(wired), from_json(input)?, terms).await?)
        }
        "${FinalizeArn}" => to_json(finalize::handle(&store, from_json(input)?, &moment).await?),
        "${RollbackArn}" => to_json(rollback::handle(&store, from_json(input)?, &moment).await?),
        // Not in our definition, but in a broken one.
        "everything is refused" => {
            let batch: Batch = from_json(input)?;
            let reason = Reason::PaymentDeclined;
            let refused = batch
                .orders
                .into_iter()
                .map(|order| Refused { order, reason });
            let charged = Charged {
                batch_id: batch.batch_id,
                import_id: batch.import_id,
                paid: Vec::new(),
                refused: refused.collect(),
                open: None,
            };
            to_json(rollback::handle(&store, charged, &moment).await?)
        }
        other => panic!("no function for {other}"),
    }
}

fn from_json<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, Fault> {
    serde_json::from_value(value).map_err(|error| Fault::Malformed(error.to_string()))
}

fn to_json(value: impl serde::Serialize) -> Result<Value, Fault> {
    serde_json::to_value(value).map_err(|error| Fault::Malformed(error.to_string()))
}
