//! Enters entries of the journal: each part once, in one transaction with the claim that says so.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::Fault;
use domain::journal::Entry;
use domain::tally::parts::COUNT_SHARDS;
use domain::tally::{Book, Deltas, Effects, Part, Piece, cut, pack};
use futures::future::join_all;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::books::Building;
use super::keys::Target;
use super::plan::{About, CLAIM_DAYS, Known, Plan};
use super::stored::{StoredCustomer, StoredProduct};
use crate::engine::Engine;
use crate::ops::{Key, Verdict};
use crate::retry::Store;
use domain::limits::ITEMS_PER_TRANSACTION;

/// Transactions about customers that are under way at once for one lot of entries and one book. Each counts in a copy of
/// its own, so that they do not meet.
const AT_ONCE: usize = 4;

/// Refusals of one transaction until its figures hold still: each brings fresh ones.
const REFUSALS: u32 = 24;

/// After the second refusal, and so much longer after each: drawn, up to this.
const PAUSE_MS: u64 = 5;

/// An entry of this age is not entered any more: soon nothing would tell that it was before.
const OLDEST: SignedDuration = SignedDuration::from_hours((CLAIM_DAYS - 1) * 24);

/// When entries are entered, and for how long that may go on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn {
    now: Timestamp,
    begun: Instant,
    time: Duration,
}

impl Turn {
    pub fn new(now: Timestamp, time: Duration) -> Turn {
        let begun = Instant::now();
        Turn { now, begun, time }
    }

    pub fn now(self) -> Timestamp {
        self.now + self.begun.elapsed()
    }

    pub fn is_over(self) -> Option<Fault> {
        let over = self.begun.elapsed() >= self.time;
        over.then(|| Fault::Transient("the time is up".to_owned()))
    }
}

/// Pieces of one book that go into one transaction, if that turns out to be possible.
type Group = Vec<Piece>;

/// An entry, by its name, and what is wrong with it.
pub(super) type Wrong = BTreeMap<String, Fault>;

impl<E: Engine> Store<E> {
    /// Enters entries in the live books, and in what is being built beside them. What was entered before is left alone.
    /// One answer for each entry, in their sequence: one that fails keeps none of the others back.
    ///
    /// When an import has nothing pending any more, everything that its orders add to the figures is entered.
    ///
    /// The zone is that of the business, for whom nothing was ever entered; else the days are those of the figures. What
    /// cannot be begun in this time is `Transient`.
    pub async fn enter(
        &self,
        entries: &[Entry],
        zone: &TimeZone,
        now: Timestamp,
        time: Duration,
    ) -> Result<Vec<Result<(), Fault>>, Fault> {
        let turn = Turn::new(now, time);
        let books = self.books_in(zone, now).await?;
        let mut wrong = Wrong::new();
        if let Some(building) = books.building() {
            wrong = self.enter_beside(building, entries, turn).await?;
        }
        let old = entries
            .iter()
            .filter(|entry| now.duration_since(entry.at) > OLDEST);
        wrong.extend(old.map(|entry| (entry.name(), too_old(entry))));
        // What is missing beside must not be live: what says that an import is over would be swapped away.
        let open = entries
            .iter()
            .filter(|entry| !wrong.contains_key(&entry.name()));
        let live = |book| Some(books.live(book));
        let more = self
            .enter_in(live, open.collect(), &books.zone()?, turn)
            .await;
        wrong.extend(more);
        self.end_imports(entries, turn, &mut wrong).await;
        let answer = |entry: &Entry| wrong.get(&entry.name()).cloned().map_or(Ok(()), Err);
        Ok(entries.iter().map(answer).collect())
    }

    /// Enters entries in what is being built, and nowhere else. Of any age: what is being built was begun a moment ago.
    pub(super) async fn enter_beside(
        &self,
        building: &Building,
        entries: &[Entry],
        turn: Turn,
    ) -> Result<Wrong, Fault> {
        let beside = |book| building.target(book);
        let (entries, zone) = (entries.iter().collect(), building.zone()?);
        Ok(self.enter_in(beside, entries, &zone, turn).await)
    }

    async fn enter_in(
        &self,
        target: impl Fn(Book) -> Option<Target>,
        entries: Vec<&Entry>,
        zone: &TimeZone,
        turn: Turn,
    ) -> Wrong {
        let mut wrong = Wrong::new();
        // By name, for a stream may deliver an entry twice at once.
        let mut cuts: BTreeMap<String, Vec<Piece>> = BTreeMap::new();
        for entry in entries {
            let name = entry.name();
            match Effects::of(entry, zone) {
                Err(fault) => drop(wrong.insert(name, fault)),
                Ok(effects) => {
                    let books = [Book::Day(effects.hour.day), Book::AllTime];
                    let books = books.into_iter().filter(|book| target(*book).is_some());
                    let pieces = books.flat_map(|book| cut(&name, &effects, book)).collect();
                    cuts.insert(name, pieces);
                }
            }
        }
        let groups = pack(cuts.into_values().flatten().collect());
        let (last, first): (Vec<Group>, Vec<Group>) = groups
            .into_iter()
            .partition(|group| group.iter().any(Piece::is_last));
        for groups in [first, last] {
            let first_shard = self.draw();
            let sequences = sequences(groups, &wrong);
            let entered = sequences.into_iter().zip(0..).map(|(groups, shard)| {
                let shard = ((first_shard + shard) % u64::from(COUNT_SHARDS)) as u8;
                self.enter_groups(&target, groups, shard, turn)
            });
            for more in join_all(entered).await {
                wrong.extend(more);
            }
        }
        wrong
    }

    /// One after the other: they may be about the same.
    async fn enter_groups(
        &self,
        target: impl Fn(Book) -> Option<Target>,
        groups: Vec<Group>,
        shard: u8,
        turn: Turn,
    ) -> Wrong {
        let mut wrong = Wrong::new();
        let mut open = groups;
        open.reverse();
        let mut in_vain = None;
        while let Some(mut group) = open.pop() {
            // What cannot be had now is not waited for again and again: the entries come back.
            if let Some(fault) = in_vain.clone().or(turn.is_over()) {
                wrong.extend(group.into_iter().map(|piece| (piece.entry, fault.clone())));
                continue;
            }
            let Some(target) = group.first().and_then(|piece| target(piece.book)) else {
                continue;
            };
            match self.enter_together(target, &mut group, shard, turn).await {
                Ok(Entered::All) => {}
                Ok(Entered::TooMuch) => {
                    let rest = group.split_off(group.len() / 2);
                    open.extend([rest, group]);
                }
                Err(fault) if group.len() == 1 || matches!(fault, Fault::Transient(_)) => {
                    in_vain =
                        Some(fault.clone()).filter(|fault| matches!(fault, Fault::Transient(_)));
                    wrong.extend(group.into_iter().map(|piece| (piece.entry, fault.clone())));
                }
                // One of them, or what it is about, is broken: the others go on without it.
                Err(_) => open.extend(group.into_iter().map(|piece| vec![piece])),
            }
        }
        wrong
    }

    /// Leaves those in the group that were not entered before.
    async fn enter_together(
        &self,
        target: Target,
        group: &mut Group,
        shard: u8,
        turn: Turn,
    ) -> Result<Entered, Fault> {
        let mut known = self.known(target, group).await?;
        for refusals in 0..REFUSALS {
            if group.is_empty() {
                return Ok(Entered::All);
            }
            if refusals > 1 {
                // Somebody writes the same, as fast as we do.
                let pause = self.draw() % (u64::from(refusals) * PAUSE_MS);
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
            if let Some(fault) = turn.is_over() {
                return Err(fault);
            }
            let plan = Plan::of(target, group, &known, shard, turn.now)?;
            if plan.writes.len() > ITEMS_PER_TRANSACTION && group.len() > 1 {
                return Ok(Entered::TooMuch);
            }
            match self.transact(&plan.writes).await? {
                Ok(()) => return Ok(Entered::All),
                Err(verdicts) => learn(group, &mut known, plan.about, verdicts)?,
            }
        }
        Err(Fault::Transient(
            "the figures did not hold still".to_owned(),
        ))
    }

    async fn known(&self, target: Target, group: &Group) -> Result<Known, Fault> {
        let mut all = Deltas::default();
        for piece in group {
            all.add(&piece.deltas)?;
        }
        let customers: Vec<Key> = all.customers.keys().map(|of| target.customer(of)).collect();
        let products: Vec<Key> = all.products.keys().map(|of| target.product(of)).collect();
        let items = self.get_many(&[customers, products].concat()).await?;
        let mut items = items.into_iter();
        let mut known = Known::default();
        for (subject, item) in all.customers.into_keys().zip(&mut items) {
            if let Some(item) = item {
                known
                    .customers
                    .insert(subject, StoredCustomer::read(&item)?);
            }
        }
        for (subject, item) in all.products.into_keys().zip(&mut items) {
            if let Some(item) = item {
                known.products.insert(subject, StoredProduct::read(&item)?);
            }
        }
        Ok(known)
    }
}

enum Entered {
    All,
    /// It does not fit into a transaction after all.
    TooMuch,
}

/// Takes in what a refused transaction found: what was entered before goes, and figures that moved are as they are now.
fn learn(
    group: &mut Group,
    known: &mut Known,
    about: Vec<About>,
    verdicts: Vec<Verdict>,
) -> Result<(), Fault> {
    let mut entered = vec![false; group.len()];
    for (about, verdict) in about.into_iter().zip(verdicts) {
        let Verdict::Condition(found) = verdict else {
            continue;
        };
        match (about, found) {
            (About::Claim(at), _) => entered[at] = true,
            (About::Customer(subject), Some(item)) => {
                known
                    .customers
                    .insert(subject, StoredCustomer::read(&item)?);
            }
            (About::Customer(subject), None) => drop(known.customers.remove(&subject)),
            (About::Product(subject), Some(item)) => {
                known.products.insert(subject, StoredProduct::read(&item)?);
            }
            (About::Product(subject), None) => drop(known.products.remove(&subject)),
            (About::Counts, _) => {}
        }
    }
    let mut entered = entered.into_iter();
    group.retain(|_| entered.next() != Some(true));
    Ok(())
}

/// Groups that may meet in the same items, one after the other; and without the entries that are wrong already.
fn sequences(groups: Vec<Group>, wrong: &Wrong) -> Vec<Vec<Group>> {
    let mut sequences: BTreeMap<(Book, u8, usize), Vec<Group>> = BTreeMap::new();
    for (number, mut group) in groups.into_iter().enumerate() {
        group.retain(|piece| !wrong.contains_key(&piece.entry));
        let Some(first) = group.first() else {
            continue;
        };
        let sequence = match first.part {
            Part::Customers { .. } => (first.book, 0, number % AT_ONCE),
            Part::Products { .. } => (first.book, 1, 0),
            Part::Figures => (first.book, 2, 0),
        };
        sequences.entry(sequence).or_default().push(group);
    }
    sequences.into_values().collect()
}

fn too_old(entry: &Entry) -> Fault {
    let at = entry.at;
    Fault::Refused(format!(
        "an entry of {at} may have been entered before, and nothing would tell any more: `ordermill tally rebuild` does"
    ))
}
