//! What to write for a group of pieces, given what is known of their customers and products. Decides, and does not write.

use std::collections::{BTreeMap, HashMap};

use domain::tally::{Bucket, Deltas, Figures, Piece, Score, Settled, Subject};
use domain::{Currency, Fault, Reason};
use jiff::{Timestamp, ToSpan};
use rust_decimal::Decimal;

use super::keys::Target;
use super::numbers::{bucket, hour};
use super::stored::{StoredCustomer, StoredProduct};
use crate::ops::{Change, Condition, Key, Write, number};
use crate::schema::Table;

/// For so long it is remembered that a part was entered. An entry that comes later is not believed to be new.
pub const CLAIM_DAYS: i64 = 30;

/// What each write is about, to learn from its refusal.
#[derive(Debug, Clone)]
pub enum About {
    /// The claim of the piece at this place.
    Claim(usize),
    Customer(Subject),
    Product(Subject),
    /// What only adds is never refused.
    Counts,
}

#[derive(Debug, Default)]
pub struct Known {
    pub customers: HashMap<Subject, StoredCustomer>,
    pub products: HashMap<Subject, StoredProduct>,
}

pub struct Plan {
    pub writes: Vec<Write>,
    pub about: Vec<About>,
}

impl Plan {
    /// All of the pieces are of one book; `shard` says which copy of the counts they are entered in.
    pub fn of(
        target: Target,
        pieces: &[Piece],
        known: &Known,
        shard: u8,
        now: Timestamp,
    ) -> Result<Plan, Fault> {
        let mut deltas = Deltas::default();
        for piece in pieces {
            deltas.add(&piece.deltas)?;
        }
        let mut plan = Plan {
            writes: Vec::new(),
            about: Vec::new(),
        };
        for (at, piece) in pieces.iter().enumerate() {
            plan.push(
                claim(target.claim(&piece.entry, piece.part), now)?,
                About::Claim(at),
            );
        }
        for ((currency, number), figures) in &deltas.hours {
            plan.count(target.hour(*currency, *number), figures_of(figures));
        }
        for (import_id, settled) in &deltas.imports {
            plan.count(target.import(import_id), settled_of(settled));
        }
        for (subject, sales) in &deltas.products {
            let stored = known.products.get(subject).cloned().unwrap_or_default();
            let write = stored.write(&stored.with(sales)?, target, subject)?;
            plan.push(write, About::Product(subject.clone()));
        }
        plan.customers(target, &deltas, known, shard)?;
        Ok(plan)
    }

    fn customers(
        &mut self,
        target: Target,
        deltas: &Deltas,
        known: &Known,
        shard: u8,
    ) -> Result<(), Fault> {
        let mut pages: BTreeMap<(Currency, u8), BTreeMap<u16, i64>> = BTreeMap::new();
        let mut ordered: BTreeMap<Currency, BTreeMap<&'static str, i64>> = BTreeMap::new();
        for (subject, more) in &deltas.customers {
            let stored = known.customers.get(subject);
            let before = stored.cloned().unwrap_or_default();
            let after = before.with(more)?;
            let write = before.write(&after, target, subject)?;
            self.push(write, About::Customer(subject.clone()));
            match target.book {
                domain::tally::Book::AllTime => {
                    let bucket = |spend: &StoredCustomer| {
                        let score = Score::of_amount(spend.spend.amount, subject.currency)?;
                        Ok::<Bucket, Fault>(score.bucket())
                    };
                    let left = stored.map(bucket).transpose()?;
                    let entered = bucket(&after)?;
                    for (bucket, one) in [(left, -1), (Some(entered), 1)] {
                        if let Some(Bucket { page, slot }) = bucket {
                            let page = pages.entry((subject.currency, page)).or_default();
                            *page.entry(slot).or_default() += one;
                        }
                    }
                }
                domain::tally::Book::Day(_) => {
                    let ordered = ordered.entry(subject.currency).or_default();
                    if before.spend.orders == 0 && after.spend.orders > 0 {
                        *ordered.entry("day").or_default() += 1;
                    }
                    for number in 0..u32::BITS as u8 {
                        let bit = 1 << number;
                        if before.hours & bit == 0 && after.hours & bit != 0 {
                            *ordered.entry(hour(number)?).or_default() += 1;
                        }
                    }
                }
            }
        }
        for ((currency, page), slots) in pages {
            let adds = slots
                .into_iter()
                .map(|(slot, by)| Ok((bucket(slot)?, by.into())));
            self.count(
                target.page(currency, page, shard),
                adds.collect::<Result<Vec<_>, Fault>>()?,
            );
        }
        for (currency, counts) in ordered {
            let adds = counts.into_iter().map(|(name, by)| (name, by.into()));
            self.count(target.customers(currency, shard), adds.collect());
        }
        Ok(())
    }

    fn push(&mut self, write: Write, about: About) {
        self.writes.push(write);
        self.about.push(about);
    }

    fn count(&mut self, key: Key, adds: Vec<(&'static str, Decimal)>) {
        let adds = adds.into_iter().filter(|(_, by)| !by.is_zero());
        let changes: Vec<Change> = adds.map(|(name, by)| Change::Add(name, by)).collect();
        if changes.is_empty() {
            return;
        }
        let condition = Condition::Always;
        self.push(
            Write::Update {
                key,
                changes,
                condition,
            },
            About::Counts,
        );
    }
}

fn claim(key: Key, now: Timestamp) -> Result<Write, Fault> {
    let expires = now
        .checked_add((CLAIM_DAYS * 24).hours())
        .map_err(|error| Fault::Corrupt(error.to_string()))?;
    let mut item = key.item();
    item.insert("expires".to_owned(), number(expires.as_second()));
    Ok(Write::Put {
        table: Table::Tallies,
        item,
        condition: Condition::Absent,
    })
}

pub fn failed(reason: Reason) -> &'static str {
    match reason {
        Reason::OutOfStock => "failed_out_of_stock",
        Reason::UnknownProduct => "failed_unknown_product",
        Reason::NoPrice => "failed_no_price",
        Reason::PaymentDeclined => "failed_payment_declined",
        Reason::PaymentExpired => "failed_payment_expired",
    }
}

fn figures_of(figures: &Figures) -> Vec<(&'static str, Decimal)> {
    let mut adds = vec![
        ("orders", figures.orders.into()),
        ("units", figures.units.into()),
        ("gross", figures.gross),
        ("refund_count", figures.refund_count.into()),
        ("refunds", figures.refunds),
    ];
    let reasons = figures.failed.iter();
    adds.extend(reasons.map(|(reason, times)| (failed(*reason), Decimal::from(*times))));
    adds
}

fn settled_of(settled: &Settled) -> Vec<(&'static str, Decimal)> {
    let mut adds = vec![
        ("completed", settled.completed.into()),
        ("failed", settled.failed.into()),
        ("duplicates", settled.duplicates.into()),
    ];
    // Rare, so the figure of an import without conflicts does without the attribute.
    if settled.conflicts > 0 {
        adds.push(("conflicts", settled.conflicts.into()));
    }
    adds
}
