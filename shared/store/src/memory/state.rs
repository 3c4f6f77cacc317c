//! What is stored, and what one attempt does to it: checked, then drawn, then all of it or nothing.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::Duration;

use domain::Fault;
use tokio::time::Instant;

use super::check;
use super::condition::holds;
use super::faults::Dice;
use super::holds::Holds;
use super::query;
use super::tokens::Tokens;
use super::units::{WriteUnits, bill};
use super::value::{normal, parse, print};
use crate::engine::{KEYS_PER_REQUEST, UPDATES_PER_REQUEST};
use crate::ops::{
    Change, Count, Item, Key, Page, Query, TransactError, Value, Verdict, Write, WriteError,
};
use crate::schema::Table;

#[derive(Debug)]
pub struct State {
    pub stored: BTreeMap<Key, Stored>,
    pub dice: Dice,
    pub page_size: usize,
    pub write_units: WriteUnits,
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

#[derive(Debug)]
pub struct Stored {
    pub item: Item,
    /// What a stale read still sees.
    before: Option<Item>,
}

/// What a write would leave behind, which is nothing where it deletes, or the item on which its condition failed.
type Prospect = Result<Option<Item>, Option<Item>>;

impl State {
    pub fn new(dice: Dice, page_size: usize) -> State {
        State {
            stored: BTreeMap::new(),
            dice,
            page_size,
            write_units: WriteUnits::new(),
            transactions: 0,
            holds: None,
            watches: Vec::new(),
            tokens: Tokens::default(),
        }
    }

    pub fn get(&mut self, key: &Key) -> Result<Option<Item>, Fault> {
        check::key(key)?;
        self.dice.throttle()?;
        Ok(self.item(key).cloned())
    }

    pub fn get_many(&mut self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        check::keys(keys, KEYS_PER_REQUEST)?;
        self.dice.throttle()?;
        let State { stored, dice, .. } = self;
        let seen = |key| {
            stored
                .get(key)
                .and_then(|stored| stored.seen(dice))
                .cloned()
        };
        Ok(keys.iter().map(seen).collect())
    }

    pub fn query(&mut self, query: &Query) -> Result<Page, Fault> {
        self.dice.throttle()?;
        let State {
            stored,
            dice,
            page_size,
            ..
        } = self;
        let concerned = of_table(stored, query.table, None)
            .filter(|(_, stored)| stored.images().any(|image| query::is_in(image, query)));
        let seen = concerned.filter_map(|(key, stored)| Some((key, stored.seen(dice)?)));
        query::query(seen, query, *page_size)
    }

    pub fn count(&mut self, query: &Query) -> Result<Count, Fault> {
        let page = self.query(query)?;
        Ok(Count {
            items: page.items.len() as u64,
            next: page.next,
        })
    }

    pub fn scan(&mut self, table: Table, start: Option<&Item>) -> Result<Page, Fault> {
        let start = start.map(|start| check::key_of(table, start)).transpose()?;
        self.dice.throttle()?;
        let items = of_table(&self.stored, table, start).map(|(_, stored)| stored.item.clone());
        Ok(query::page(items, self.page_size, table, None))
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
            .map(|(key, update)| match self.item(key) {
                None => Err(WriteError::Condition(None)),
                Some(_) => self.attempt(key, update, now),
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
        // An item that could not be stored is refused even where the condition does not hold.
        let put = match write {
            Write::Put { table, item, .. } => Some(kept(*table, item)?),
            Write::Update { .. } | Write::Delete { .. } => None,
        };
        if !holds(condition, found)? {
            return Ok(Err(found.cloned()));
        }
        let Write::Update { changes, .. } = write else {
            return Ok(Ok(put));
        };
        let mut item = found.cloned().unwrap_or_else(|| bare(&key));
        apply(changes, &mut item)?;
        Ok(Ok(Some(kept(key.table, &item)?)))
    }

    fn item(&self, key: &Key) -> Option<&Item> {
        self.stored.get(key).map(|stored| &stored.item)
    }

    fn store(&mut self, key: Key, item: Option<Item>, factor: u64) {
        let before = self.stored.remove(&key).map(|stored| stored.item);
        bill(
            &mut self.write_units,
            key.table,
            before.as_ref(),
            item.as_ref(),
            factor,
        );
        let Some(item) = item else {
            return;
        };
        for Watch(watch) in &mut self.watches {
            watch(&key, before.as_ref(), &item);
        }
        self.stored.insert(key, Stored { item, before });
    }
}

impl Stored {
    fn images(&self) -> impl Iterator<Item = &Item> {
        std::iter::once(&self.item).chain(&self.before)
    }

    fn seen(&self, dice: &mut Dice) -> Option<&Item> {
        if dice.stale() {
            self.before.as_ref()
        } else {
            Some(&self.item)
        }
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

/// Statements can only set and remove; adding would have to name the old value.
fn statement(update: &Write) -> Result<Key, Fault> {
    let Write::Update { changes, .. } = update else {
        return check::malformed("only updates can be sent together");
    };
    if changes
        .iter()
        .any(|change| matches!(change, Change::Add(..)))
    {
        return check::malformed("a statement cannot add");
    }
    check::target(update)
}

fn verdict(prospect: &Prospect) -> Verdict {
    match prospect {
        Ok(_) => Verdict::Fine,
        Err(found) => Verdict::Condition(found.clone()),
    }
}

fn kept(table: Table, item: &Item) -> Result<Item, Fault> {
    let mut kept = Item::default();
    for (name, value) in item.iter() {
        kept.insert(name.clone(), normal(value)?);
    }
    check::item(table, &kept)?;
    Ok(kept)
}

fn bare(key: &Key) -> Item {
    let mut item = Item::default();
    item.insert(
        key.table.partition().to_owned(),
        Value::S(key.partition.clone()),
    );
    if let (Some(name), Some(sort)) = (key.table.sort(), &key.sort) {
        item.insert(name.to_owned(), Value::S(sort.clone()));
    }
    item
}

fn apply(changes: &[Change], item: &mut Item) -> Result<(), Fault> {
    for change in changes {
        match change {
            Change::Set(name, value) => {
                item.insert((*name).to_owned(), value.clone());
            }
            Change::Remove(name) => {
                item.remove(*name);
            }
            Change::Add(name, amount) => {
                let before = match item.get(*name) {
                    None => parse("0")?,
                    Some(Value::N(digits)) => parse(digits)?,
                    Some(_) => return check::malformed(format!("{name} is not a number")),
                };
                let Some(sum) = before.checked_add(*amount) else {
                    return check::malformed(format!("{name} grows too large"));
                };
                item.insert((*name).to_owned(), Value::N(print(sum)));
            }
        }
    }
    Ok(())
}
