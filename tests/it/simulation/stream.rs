//! The streams of the journal and of imports: each entry that is written, and each end, in one of a few shards, there in
//! sequence. Each is delivered in any cuts, at least once, and some of it long after it was worked off; what is handed on comes
//! from a queue.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::ops::Range;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lambda_events::dynamodb::{self, EventRecord};
use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use domain::{Fault, ids};
use edge::Invocation;
use jiff::Timestamp;
use store::memory::MemoryEngine;
use store::ops::Item;
use store::schema::Table;
use tally::{Entries, Event, Named};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, spawn_local};

use super::auditor::text;
use super::chance::Chance;
use super::invocation::invoke;
use super::queue::SimQueue;
use super::sabotage::Sabotage;
use super::telling;
use super::world::World;

/// A sixth of the time for which the queue hides its messages.
pub const LIMIT: Duration = Duration::from_secs(60);

/// Records of one delivery at most.
const RECORDS: usize = 100;

/// How a stream delivers, in per mille.
#[derive(Debug, Clone, Copy, Default)]
pub struct Delivery {
    /// What is waiting is left to wait for a while.
    pub late: u16,
    /// What was worked off comes again, up to four times.
    pub again: u16,
    /// What failed is given up, and the queue of entries is told from when to when it was.
    pub given_up: u16,
}

/// Whose reader a stream is for: each reads for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To {
    Tally,
    Notify,
    /// Of imports, and only of their ends.
    NotifyOfImports,
}

impl To {
    pub const ALL: [To; 3] = [To::Tally, To::Notify, To::NotifyOfImports];

    /// As the template filters.
    fn is_for(self, table: Table, after: &Item) -> bool {
        match self {
            To::Tally | To::Notify => table == Table::Journal,
            To::NotifyOfImports => {
                let ended = text(after, "stage") == "FAILED" || after.contains_key("completed_at");
                table == Table::Imports && text(after, "listed") == "file" && ended
            }
        }
    }
}

pub struct Stream {
    to: To,
    chance: Rc<Chance>,
    shards: Arc<Mutex<Vec<Vec<EventRecord>>>>,
    arrived: Arc<Notify>,
    /// How much of each shard was worked off.
    done: RefCell<Vec<usize>>,
    /// Cuts that are still to come again.
    owed: Cell<usize>,
}

impl Stream {
    pub fn of(memory: &MemoryEngine, chance: Rc<Chance>, to: To) -> Stream {
        let count = 1 + chance.below(3) as usize;
        let shards = Arc::new(Mutex::new(vec![Vec::new(); count]));
        let arrived = Arc::new(Notify::new());
        let (written, notify) = (shards.clone(), arrived.clone());
        memory.watch(move |key, before, after| {
            if to.is_for(key.table, after) {
                let mut shards = written.lock().expect("the shards");
                let shard = usize::from(ids::bucket(&key.partition, count as u8));
                let mut record = EventRecord::default();
                let name = before.map_or("INSERT", |_| "MODIFY");
                record.event_name = name.to_owned();
                record.change.new_image = after.clone();
                record.change.sequence_number = Some(format!("{:024}", shards[shard].len()));
                shards[shard].push(record);
                notify.notify_waiters();
            }
        });
        Stream {
            to,
            chance,
            shards,
            arrived,
            done: RefCell::new(vec![0; count]),
            owed: Cell::new(0),
        }
    }

    /// Whether everything was delivered as often as it will be.
    pub fn is_drained(&self) -> bool {
        let shards = self.shards.lock().expect("the shards");
        let written: Vec<usize> = shards.iter().map(Vec::len).collect();
        self.owed.get() == 0 && *self.done.borrow() == written
    }

    fn event(&self, shard: usize, cut: Range<usize>) -> dynamodb::Event {
        let mut event = dynamodb::Event::default();
        event.records = self.shards.lock().expect("the shards")[shard][cut].to_vec();
        event
    }

    /// From the first record that was not worked off to the last one that is there.
    fn waiting(&self, shard: usize) -> Range<usize> {
        let written = self.shards.lock().expect("the shards")[shard].len();
        self.done.borrow()[shard]..written
    }

    /// Some of the first ones of these, but not too many.
    fn cut(&self, from: &Range<usize>) -> Range<usize> {
        let most = from.len().min(RECORDS) as u64;
        from.start..from.start + 1 + self.chance.below(most) as usize
    }
}

pub fn start(world: &Rc<World>) -> Vec<JoinHandle<()>> {
    let shards = world.streams.iter().enumerate().flat_map(|(at, stream)| {
        let shards = stream.done.borrow().len();
        (0..shards).map(move |shard| (at, shard))
    });
    shards
        .map(|(at, shard)| spawn_local(read(world.clone(), at, shard)))
        .collect()
}

/// Goes on from where it failed, with another cut.
async fn read(world: Rc<World>, at: usize, shard: usize) {
    let (stream, chance) = (&world.streams[at], &world.chance);
    loop {
        let arrived = stream.arrived.notified();
        let waiting = stream.waiting(shard);
        if waiting.is_empty() {
            arrived.await;
            tokio::time::sleep(chance.up_to_ms(1_000)).await;
            continue;
        }
        if chance.hits(chance.plan().stream.late, "stream late") {
            tokio::time::sleep(chance.up_to_ms(120_000)).await;
        }
        let cut = stream.cut(&stream.waiting(shard));
        match deliver(&world, at, shard, cut.clone()).await {
            None if chance.hits(chance.plan().stream.given_up, "stream gave up") => {
                let queue = match stream.to {
                    To::Tally => &world.entries,
                    To::Notify | To::NotifyOfImports => &world.notices,
                };
                queue.push(given_up(&stream.event(shard, cut.clone())));
                stream.done.borrow_mut()[shard] = cut.end;
            }
            None => tokio::time::sleep(chance.up_to_ms(10_000)).await,
            Some(end) => {
                stream.done.borrow_mut()[shard] = end;
                deliver_again(&world, at, shard, cut.start..end);
            }
        }
    }
}

/// What the service says of records that it does not deliver any more.
fn given_up(event: &dynamodb::Event) -> String {
    let dates = event.records.iter().map(|record| {
        let dates = ["at", "completed_at", "read_at"];
        let mut dates = dates
            .map(|name| text(&record.change.new_image, name))
            .into_iter();
        dates.find(|date| !date.is_empty()).expect("a date")
    });
    let dates: BTreeSet<Timestamp> = dates.map(|at| at.parse().expect("an instant")).collect();
    serde_json::json!({"DDBStreamBatchInfo": {
        "approximateArrivalOfFirstRecord": dates.first(),
        "approximateArrivalOfLastRecord": dates.last(),
    }})
    .to_string()
}

/// Up to which record the cut was worked off, where anything is known of it.
async fn deliver(world: &Rc<World>, at: usize, shard: usize, cut: Range<usize>) -> Option<usize> {
    let stream = &world.streams[at];
    let (event, to) = (stream.event(shard, cut.clone()), stream.to);
    let run = |world, at| {
        let event = Event::Stream(event.clone());
        async move {
            match to {
                To::Tally => tally(world, event, at).await,
                To::Notify | To::NotifyOfImports => telling::notify(world, event, at).await,
            }
        }
    };
    let response = invoke(world, LIMIT, run).await.ok()?;
    let failed = response.batch_item_failures.iter();
    let first = failed.filter_map(|failure| failure.item_identifier.parse().ok());
    Some(first.min().unwrap_or(cut.end))
}

/// At any later time, in other cuts, beside what comes then: whoever reads a stream may start anew.
fn deliver_again(world: &Rc<World>, at: usize, shard: usize, done: Range<usize>) {
    let chance = &world.chance;
    if done.is_empty() || !chance.hits(chance.plan().stream.again, "stream came again") {
        return;
    }
    for _ in 0..1 + chance.below(4) {
        let world = world.clone();
        let wait = [1_000, 60_000, 1_800_000][chance.below(3) as usize];
        let wait = chance.up_to_ms(wait);
        world.streams[at].owed.update(|owed| owed + 1);
        let mut rest = done.clone();
        spawn_local(async move {
            tokio::time::sleep(wait).await;
            while !rest.is_empty() {
                let cut = world.streams[at].cut(&rest);
                rest.start = cut.end;
                // It was worked off before: nobody waits for this.
                let _answer = deliver(&world, at, shard, cut).await;
            }
            world.streams[at].owed.update(|owed| owed - 1);
        });
    }
}

/// What the stream did not get done.
pub async fn entries(
    world: Rc<World>,
    event: SqsEvent,
    at: Invocation,
) -> Result<SqsBatchResponse, Fault> {
    tally(world, Event::Entries(event), at).await
}

async fn tally(world: Rc<World>, event: Event, at: Invocation) -> Result<SqsBatchResponse, Fault> {
    let ports = tally::Ports {
        store: &world.store(),
        queue: &*world.entries,
        entries: &Handed(&world),
        zone: &world.calendar.zone,
    };
    tally::handle(&ports, event, at).await
}

/// The way into the queue, broken or not.
struct Handed<'a>(&'a World);

impl Entries for Handed<'_> {
    async fn send(&self, entries: Vec<Named>) -> Result<(), Fault> {
        self.0
            .chance
            .count("entry handed to the queue", entries.len() as u64);
        if self.0.sabotage == Some(Sabotage::DropsEntries) {
            return Ok(());
        }
        let bodies = entries.iter().map(Named::body);
        let bodies = bodies.collect::<Result<Vec<_>, Fault>>()?;
        let queue: &SimQueue = &self.0.entries;
        queue.send_all(bodies).await
    }
}
