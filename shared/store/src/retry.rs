//! Patience: faults that pass are retried in place, with jitter and a budget, then handed back as `Transient`.

use std::sync::Mutex;
use std::time::Duration;

use domain::{Backoff, Fault};
use futures::stream::{self, StreamExt, TryStreamExt};

use tokio::time::Instant;

use crate::engine::{Engine, KEYS_PER_REQUEST, UPDATES_PER_REQUEST};
use crate::ops::{Count, Item, Key, Page, Query, TransactError, Verdict, Write, WriteError};
use crate::schema::Table;

/// No wait for another attempt at one request ends later than this after the first: well below any step's timeout, and
/// long enough to get through where dozens want the same product. What lasts longer is for the state machine to retry.
const BUDGET: Duration = Duration::from_secs(4);

/// A transaction has its items in hand for some ten milliseconds. Shorter waits are quicker where all want the same, and
/// cancel twice as many transactions, which are paid for, too.
const BACKOFF: Backoff = Backoff {
    first_ms: 10,
    longest_ms: 300,
};

/// Requests for many keys that are under way together.
const REQUESTS_AT_ONCE: usize = 8;

/// An engine, with patience. The only way in which the rest of the program talks to one.
pub struct Store<E> {
    engine: E,
    random: Mutex<fastrand::Rng>,
}

impl<E: Engine> Store<E> {
    /// The seed decides waits and tokens. Two stores of the same seed must not share tables.
    pub fn new(engine: E, seed: u64) -> Store<E> {
        Store {
            engine,
            random: Mutex::new(fastrand::Rng::with_seed(seed)),
        }
    }

    pub fn engine(&self) -> &E {
        &self.engine
    }

    pub async fn get(&self, key: &Key) -> Result<Option<Item>, Fault> {
        let mut wait = self.wait();
        loop {
            match self.engine.get(key).await {
                Ok(answer) => return Ok(answer),
                Err(fault) => wait.after(fault).await?,
            }
        }
    }

    /// Whether a table answers: by the cheapest read that there is, of nothing.
    pub async fn answers(&self, table: Table) -> Result<(), Fault> {
        let nothing = || "-".to_owned();
        let key = Key {
            table,
            partition: nothing(),
            sort: table.sort().map(|_| nothing()),
        };
        self.get(&key).await.map(drop)
    }

    /// Any number of keys, no key twice.
    pub async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        self.get_all(keys, false).await
    }

    /// The same, strongly consistent.
    pub async fn get_many_now(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        self.get_all(keys, true).await
    }

    async fn get_all(&self, keys: &[Key], now: bool) -> Result<Vec<Option<Item>>, Fault> {
        let mut requests = Vec::new();
        for keys in keys.chunks(KEYS_PER_REQUEST) {
            requests.push(self.get_some(keys, now));
        }
        let requests = stream::iter(requests).buffered(REQUESTS_AT_ONCE);
        let found: Vec<Vec<Option<Item>>> = requests.try_collect().await?;
        Ok(found.concat())
    }

    /// As many as one request may name.
    async fn get_some(&self, keys: &[Key], now: bool) -> Result<Vec<Option<Item>>, Fault> {
        let mut wait = self.wait();
        loop {
            let answer = match now {
                true => self.engine.get_many_now(keys).await,
                false => self.engine.get_many(keys).await,
            };
            match answer {
                Ok(found) => return Ok(found),
                Err(fault) => wait.after(fault).await?,
            }
        }
    }

    /// `Ok(Err(found))` where the condition did not hold.
    ///
    /// When an answer was lost, the retry meets its own write: the caller's condition has to tell that from another's.
    pub async fn write(&self, write: &Write) -> Result<Result<(), Option<Item>>, Fault> {
        let mut wait = self.wait();
        loop {
            match self.engine.write(write).await {
                Ok(()) => return Ok(Ok(())),
                Err(WriteError::Condition(found)) => return Ok(Err(found)),
                Err(WriteError::Fault(fault)) => wait.after(fault).await?,
            }
        }
    }

    /// Conditional updates of single items, or puts of absent ones, each on its own. One answer for each, in their sequence.
    pub async fn update_many(
        &self,
        updates: &[Write],
    ) -> Result<Vec<Result<(), Option<Item>>>, Fault> {
        let mut answers: Vec<Option<Result<(), Option<Item>>>> = vec![None; updates.len()];
        for first in (0..updates.len()).step_by(UPDATES_PER_REQUEST) {
            let last = updates.len().min(first + UPDATES_PER_REQUEST);
            let mut open: Vec<usize> = (first..last).collect();
            let mut wait = self.wait();
            while !open.is_empty() {
                let request: Vec<Write> = open.iter().map(|at| updates[*at].clone()).collect();
                let outcome = match self.engine.update_many(&request).await {
                    Ok(outcome) => outcome,
                    Err(Fault::Transient(why)) => request
                        .iter()
                        .map(|_| Err(WriteError::Fault(Fault::Transient(why.clone()))))
                        .collect(),
                    Err(fault) => return Err(fault),
                };
                let mut again = Vec::new();
                let mut last_fault = None;
                for (at, outcome) in open.into_iter().zip(outcome) {
                    match outcome {
                        Ok(()) => answers[at] = Some(Ok(())),
                        Err(WriteError::Condition(found)) => answers[at] = Some(Err(found)),
                        Err(WriteError::Fault(fault @ Fault::Transient(_))) => {
                            last_fault = Some(fault);
                            again.push(at);
                        }
                        Err(WriteError::Fault(fault)) => return Err(fault),
                    }
                }
                if let Some(fault) = last_fault {
                    wait.pause(fault).await?;
                }
                open = again;
            }
        }
        answers
            .into_iter()
            .map(|answer| {
                answer.ok_or_else(|| {
                    Fault::Corrupt("an update was left without an answer".to_owned())
                })
            })
            .collect()
    }

    /// `Ok(Err(verdicts))` where a condition did not hold. Conflicts, throttles and lost answers are retried under
    /// the same token, so that a transaction that was written after all is not written twice.
    pub async fn transact(&self, writes: &[Write]) -> Result<Result<(), Vec<Verdict>>, Fault> {
        let token = self.draw_token();
        let mut wait = self.wait();
        loop {
            let fault = match self.engine.transact(writes, &token).await {
                Ok(()) => return Ok(Ok(())),
                Err(TransactError::Fault(fault)) => fault,
                Err(TransactError::Cancelled(verdicts)) => {
                    let refused = |verdict: &Verdict| matches!(verdict, Verdict::Condition(_));
                    if verdicts.iter().any(refused) {
                        return Ok(Err(verdicts));
                    }
                    let count = writes.len();
                    let met =
                        format!("a transaction of {count} writes met others that hold its items");
                    Fault::Transient(met)
                }
            };
            wait.after(fault).await?;
        }
    }

    pub async fn query(&self, query: &Query) -> Result<Page, Fault> {
        let mut wait = self.wait();
        loop {
            match self.engine.query(query).await {
                Ok(answer) => return Ok(answer),
                Err(fault) => wait.after(fault).await?,
            }
        }
    }

    /// All pages of a query.
    pub async fn query_all(&self, mut query: Query) -> Result<Vec<Item>, Fault> {
        let mut items = Vec::new();
        loop {
            let page = self.query(&query).await?;
            items.extend(page.items);
            match page.next {
                Some(next) => query.start = Some(next),
                None => return Ok(items),
            }
        }
    }

    pub async fn count(&self, query: &Query) -> Result<Count, Fault> {
        let mut wait = self.wait();
        loop {
            match self.engine.count(query).await {
                Ok(answer) => return Ok(answer),
                Err(fault) => wait.after(fault).await?,
            }
        }
    }

    /// How many items there are on all pages of a query.
    pub async fn count_all(&self, mut query: Query) -> Result<u64, Fault> {
        let mut items = 0;
        loop {
            let page = self.count(&query).await?;
            items += page.items;
            match page.next {
                Some(next) => query.start = Some(next),
                None => return Ok(items),
            }
        }
    }

    pub async fn scan(
        &self,
        table: Table,
        start: Option<Item>,
        limit: Option<u32>,
    ) -> Result<Page, Fault> {
        let mut wait = self.wait();
        loop {
            match self.engine.scan(table, start.clone(), limit).await {
                Ok(answer) => return Ok(answer),
                Err(fault) => wait.after(fault).await?,
            }
        }
    }

    /// Every item of a table, page by page.
    pub async fn scan_all(
        &self,
        table: Table,
        mut each: impl FnMut(Item) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut start = None;
        loop {
            let page = self.scan(table, start, None).await?;
            page.items.into_iter().try_for_each(&mut each)?;
            match page.next {
                None => return Ok(()),
                next => start = next,
            }
        }
    }

    pub(crate) fn wait(&self) -> Wait {
        Wait {
            since: Instant::now(),
            last: Duration::ZERO,
            random: self.random().fork(),
        }
    }

    /// A number of no meaning, that the seed decides.
    pub(crate) fn draw(&self) -> u64 {
        self.random().u64(..)
    }

    fn draw_token(&self) -> String {
        let mut random = self.random();
        format!("{:016x}{:016x}", random.u64(..), random.u64(..))
    }

    fn random(&self) -> std::sync::MutexGuard<'_, fastrand::Rng> {
        // A generator has no invariant that a panic elsewhere could have broken.
        self.random
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// The patience of one request, or of whoever reads, decides and writes again when somebody else was quicker.
pub(crate) struct Wait {
    since: Instant,
    last: Duration,
    random: fastrand::Rng,
}

impl Wait {
    /// What passes is waited for. What does not is handed back at once.
    async fn after(&mut self, fault: Fault) -> Result<(), Fault> {
        match fault {
            Fault::Transient(_) => self.pause(fault).await,
            Fault::Refused(_) | Fault::Malformed(_) | Fault::Corrupt(_) => Err(fault),
        }
    }

    pub(crate) async fn pause(&mut self, fault: Fault) -> Result<(), Fault> {
        self.last = BACKOFF.next(self.last, self.random.u64(..));
        if self.since.elapsed() + self.last > BUDGET {
            return Err(fault);
        }
        tokio::time::sleep(self.last).await;
        Ok(())
    }
}
