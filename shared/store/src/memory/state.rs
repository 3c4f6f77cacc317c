//! What is stored, and what one attempt does to it, which is checked, then drawn, then all of it or nothing.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::Duration;

use domain::Fault;
use tokio::time::Instant;

use super::change::{apply, checked, kept, statement};
use super::check;
use super::condition::holds;
use super::faults::Dice;
use super::holds::Holds;
use super::places::Places;
use super::tokens::Tokens;
use super::units::{ReadUnits, WriteUnits, bill, bill_read, size};
use crate::engine::UPDATES_PER_REQUEST;
use crate::ops::{Item, Key, TransactError, Verdict, Write, WriteError};
use crate::schema::Table;

/// Read units for each started 4 KB of a transactional read.
const TRANSACTIONAL: f64 = 2.0;

#[derive(Debug)]
pub struct State {
    pub stored: BTreeMap<Key, Stored>,
    /// Always those of `stored`.
    pub places: Places,
    pub dice: Dice,
    pub page_size: usize,
    pub write_units: WriteUnits,
    pub read_units: ReadUnits,
    pub transactions: u64,
    pub holds: Option<Holds>,
    pub watches: Vec<Watch>,
    tokens: Tokens,
}

type OnWrite = dyn FnMut(&Key, Option<&Item>, &Item) + Send;

/// Who is shown what is written.
pub struct Watch(pub Box<OnWrite>);

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Watch(..)")
    }
}

#[derive(Debug, Default)]
pub struct Stored {
    /// None where it was deleted.
    pub item: Option<Item>,
    /// What a stale read still sees.
    pub before: Option<Item>,
}

/// What a write would leave behind, which is nothing where it deletes, or the item on which its condition failed.
type Prospect = Result<Option<Item>, Option<Item>>;

impl State {
    pub fn new(dice: Dice, page_size: usize) -> State {
        State {
            stored: BTreeMap::new(),
            places: Places::default(),
            dice,
            page_size,
            write_units: WriteUnits::new(),
            read_units: ReadUnits::new(),
            transactions: 0,
            holds: None,
            watches: Vec::new(),
            tokens: Tokens::default(),
        }
    }

    pub fn write(&mut self, write: &Write, now: Instant) -> Result<(), WriteError> {
        let key = check::target(write).map_err(WriteError::Fault)?;
        self.attempt(&key, write, now)?;
        self.dice.lose_answer().map_err(WriteError::Fault)
    }

    pub fn update_many(
        &mut self,
        updates: &[Write],
        now: Instant,
    ) -> Result<Vec<Result<(), WriteError>>, Fault> {
        let keys = updates
            .iter()
            .map(statement)
            .collect::<Result<Vec<_>, Fault>>()?;
        if keys.is_empty() || keys.iter().any(|key| key.table != keys[0].table) {
            return check::malformed("updates sent together are of one table");
        }
        check::keys(&keys, UPDATES_PER_REQUEST)?;
        self.dice.throttle()?;
        let answers = keys.iter().zip(updates);
        let answers = answers
            .map(|(key, update)| match (update, self.item(key).is_some()) {
                // Values and conditions are checked before anything is looked up.
                (Write::Put { .. }, true) | (Write::Update { .. }, false) => {
                    let fault = self.prospect(update).err();
                    Err(fault.map_or(WriteError::Condition(None), WriteError::Fault))
                }
                _ => self.attempt(key, update, now),
            })
            .collect();
        self.dice.lose_answer()?;
        Ok(answers)
    }

    /// Returns for how long the items are in hand.
    pub fn transact(
        &mut self,
        writes: &[Write],
        token: &str,
        now: Instant,
    ) -> Result<Option<Duration>, TransactError> {
        let time = self.transact_once(writes, token, now)?;
        self.dice.lose_answer().map_err(TransactError::Fault)?;
        Ok(time)
    }

    fn transact_once(
        &mut self,
        writes: &[Write],
        token: &str,
        now: Instant,
    ) -> Result<Option<Duration>, TransactError> {
        check::transaction(writes, token).map_err(TransactError::Fault)?;
        if self
            .tokens
            .done(token, writes, now)
            .map_err(TransactError::Fault)?
        {
            self.bill_replay(writes).map_err(TransactError::Fault)?;
            return Ok(None);
        }
        let prospects = writes.iter().map(|write| self.prospect(write));
        let prospects = prospects.collect::<Result<Vec<_>, Fault>>();
        let prospects = prospects.map_err(TransactError::Fault)?;
        let mut verdicts: Vec<Verdict> = prospects.iter().map(verdict).collect();
        for (at, obstacle) in self.dice.obstacles(writes.len()) {
            verdicts[at] = obstacle;
        }
        let keys = writes.iter().map(check::target);
        let keys = keys
            .collect::<Result<Vec<Key>, Fault>>()
            .map_err(TransactError::Fault)?;
        if let Some(holds) = &mut self.holds {
            let held = keys.iter().map(|key| holds.is_held(key, now));
            let held: Vec<bool> = held.collect();
            holds.met += u64::from(held.contains(&true));
            for (verdict, _) in verdicts.iter_mut().zip(held).filter(|(_, held)| *held) {
                *verdict = Verdict::Conflict;
            }
        }
        if verdicts.iter().any(|verdict| *verdict != Verdict::Fine) {
            return Err(TransactError::Cancelled(verdicts));
        }
        let items: Vec<Option<Item>> = prospects.into_iter().flatten().collect();
        check::transaction_size(items.iter().flatten()).map_err(TransactError::Fault)?;
        let time = self
            .holds
            .as_mut()
            .map(|holds| holds.take(keys.iter().cloned(), now));
        for (key, item) in keys.into_iter().zip(items) {
            self.store(key, item, 2);
        }
        self.transactions += 1;
        self.tokens.remember(token, writes, now);
        Ok(time)
    }

    /// A transaction that was already done under its token reads its items, and writes nothing.
    fn bill_replay(&mut self, writes: &[Write]) -> Result<(), Fault> {
        for write in writes {
            let key = check::target(write)?;
            let bytes = self.item(&key).map_or(0, size);
            bill_read(&mut self.read_units, key.table, None, bytes, TRANSACTIONAL);
        }
        Ok(())
    }

    /// Stores what a test wants to be there, unconditionally and without a draw.
    pub fn overwrite(&mut self, table: Table, item: &Item) -> Result<(), Fault> {
        let item = kept(table, item)?;
        self.store(check::key_of(table, &item)?, Some(item), 1);
        Ok(())
    }

    /// One write on its own, up to its answer.
    fn attempt(&mut self, key: &Key, write: &Write, now: Instant) -> Result<(), WriteError> {
        self.dice.throttle().map_err(WriteError::Fault)?;
        self.dice.conflict().map_err(WriteError::Fault)?;
        if let Some(holds) = self.holds.as_mut().filter(|holds| holds.is_held(key, now)) {
            holds.met += 1;
            let why = "a transaction has the item in hand".to_owned();
            return Err(WriteError::Fault(Fault::Transient(why)));
        }
        match self.prospect(write).map_err(WriteError::Fault)? {
            Ok(item) => {
                self.store(key.clone(), item, 1);
                Ok(())
            }
            Err(found) => {
                bill(
                    &mut self.write_units,
                    key.table,
                    found.as_ref(),
                    found.as_ref(),
                    1,
                );
                Err(WriteError::Condition(found))
            }
        }
    }

    fn prospect(&self, write: &Write) -> Result<Prospect, Fault> {
        let key = check::target(write)?;
        let found = self.item(&key);
        let (Write::Put { condition, .. }
        | Write::Update { condition, .. }
        | Write::Delete { condition, .. }) = write;
        // What could not be stored is refused even where the condition does not hold.
        let put = match write {
            Write::Put { table, item, .. } => Some(kept(*table, item)?),
            Write::Update { changes, .. } => {
                checked(changes)?;
                None
            }
            Write::Delete { .. } => None,
        };
        if !holds(condition, found)? {
            return Ok(Err(found.cloned()));
        }
        let Write::Update { changes, .. } = write else {
            return Ok(Ok(put));
        };
        let mut item = found.cloned().unwrap_or_else(|| key.item());
        apply(changes, &mut item)?;
        Ok(Ok(Some(kept(key.table, &item)?)))
    }

    pub fn item(&self, key: &Key) -> Option<&Item> {
        self.stored.get(key).and_then(|stored| stored.item.as_ref())
    }

    /// Nothing is left of what is deleted, but where stale reads are asked for: they still see it.
    fn store(&mut self, key: Key, item: Option<Item>, factor: u64) {
        let old = self.stored.remove(&key).unwrap_or_default();
        let was = old.item.as_ref();
        bill(&mut self.write_units, key.table, was, item.as_ref(), factor);
        if let Some(item) = &item {
            for Watch(watch) in &mut self.watches {
                watch(&key, was, item);
            }
        }
        let seen_on = item.is_some() || self.dice.faults.stale > 0;
        self.places.change(
            &key,
            [was, old.before.as_ref()],
            [item.as_ref(), was.filter(|_| seen_on)],
        );
        let before = old.item.filter(|_| seen_on);
        if item.is_some() || before.is_some() {
            self.stored.insert(key, Stored { item, before });
        }
    }

    /// Takes an item away, and everything that was ever known of it.
    pub fn remove(&mut self, key: &Key) -> Option<Item> {
        let old = self.stored.remove(key)?;
        let images = [old.item.as_ref(), old.before.as_ref()];
        self.places.change(key, images, [None, None]);
        old.item
    }
}

/// The items of a table after a key, in the order of their keys.
pub fn of_table(
    stored: &BTreeMap<Key, Stored>,
    table: Table,
    after: Option<Key>,
) -> impl Iterator<Item = (&Key, &Stored)> {
    let start = after.unwrap_or_else(|| Key::new(table, ""));
    stored
        .range((Bound::Excluded(start), Bound::Unbounded))
        .take_while(move |(key, _)| key.table == table)
}

fn verdict(prospect: &Prospect) -> Verdict {
    match prospect {
        Ok(_) => Verdict::Fine,
        Err(found) => Verdict::Condition(found.clone()),
    }
}
