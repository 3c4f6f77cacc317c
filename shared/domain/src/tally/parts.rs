//! How entries are cut into parts, and parts packed into transactions.
//!
//! A part is entered once: a claim that names the entry and the part stands in the same transaction. So how an entry is
//! cut follows from the entry alone, and must never change for one that may still be entered a second time; how parts
//! are packed may differ each time.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::civil::Date;

use crate::fault::Fault;
use crate::ids;
use crate::limits::ITEMS_PER_TRANSACTION;
use crate::money::Currency;
use crate::tally::effects::{Effects, Sales, Settled, Spend, Subject};
use crate::tally::figures::Figures;

/// Customers, or products, in one part at most. Large parts need fewer claims; small ones are packed better with those of
/// other entries that are about the same.
const SUBJECTS_PER_PART: usize = 32;

/// So few subjects go with the figures: a part of their own would cost a claim, which is as much as one of them.
const FEW_SUBJECTS: usize = 4;

/// Pages of ranks that a transaction is expected to touch, for each currency. Where it touches more, it is halved.
const PAGES: usize = 6;

/// Copies of what every transaction about customers counts in, ranks and how many they are. Each is written by some of
/// them; read, they are added up.
pub const COUNT_SHARDS: u8 = 8;

/// What is added up by itself, and can be added up anew by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Book {
    Day(Date),
    /// Boards for all time, ranks, and the progress of imports.
    AllTime,
}

/// A part of an entry, by name. Lanes divide subjects by a hash, so that one which is in many entries is in the same lane
/// of all that have as many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    Customers {
        lane: u64,
        lanes: u64,
    },
    Products {
        lane: u64,
        lanes: u64,
    },
    /// Hours, or progress of an import; and what is too little for a part of its own.
    Figures,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Part::Customers { lane, lanes } => write!(f, "customers-{lane}-of-{lanes}"),
            Part::Products { lane, lanes } => write!(f, "products-{lane}-of-{lanes}"),
            Part::Figures => f.write_str("figures"),
        }
    }
}

/// What is to be added: to one book, each to an item of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deltas {
    /// By currency, and number of the hour.
    pub hours: BTreeMap<(Currency, u8), Figures>,
    pub imports: BTreeMap<String, Settled>,
    pub customers: BTreeMap<Subject, Customer>,
    pub products: BTreeMap<Subject, Sales>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Customer {
    pub spend: Spend,
    /// In which hours of the day they ordered: a bit each. Nothing in the book of all time.
    pub hours: u32,
}

/// A part of an entry, for one book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    pub book: Book,
    /// The name of the entry.
    pub entry: String,
    pub part: Part,
    pub deltas: Deltas,
}

/// Cuts an entry for a book.
pub fn cut(entry: &str, effects: &Effects, book: Book) -> Vec<Piece> {
    let hours = match book {
        Book::Day(day) if day != effects.hour.day => return Vec::new(),
        Book::Day(_) => 1_u32
            .checked_shl(u32::from(effects.hour.number))
            .unwrap_or_default(),
        Book::AllTime => 0,
    };
    let mut figures = figures_of(effects, book);
    let (few_customers, few_products) = few(effects);
    let customer = |(subject, spend): (&Subject, &Spend)| {
        let hours = if spend.orders > 0 { hours } else { 0 };
        let spend = spend.clone();
        (subject.clone(), Customer { spend, hours })
    };
    let mut parts = Vec::new();
    let customers = effects.customers.iter().map(customer);
    if few_customers {
        figures.customers.extend(customers);
    } else {
        let lanes = lanes(effects.customers.keys());
        let mut cut: BTreeMap<u64, Deltas> = BTreeMap::new();
        for (subject, customer) in customers {
            let deltas = cut.entry(lane(&subject, lanes)).or_default();
            deltas.customers.insert(subject, customer);
        }
        let part = |lane| Part::Customers { lane, lanes };
        parts.extend(cut.into_iter().map(|(lane, deltas)| (part(lane), deltas)));
    }
    let products = effects.products.iter();
    let products = products.map(|(subject, sales)| (subject.clone(), sales.clone()));
    if few_products {
        figures.products.extend(products);
    } else {
        let lanes = lanes(effects.products.keys());
        let mut cut: BTreeMap<u64, Deltas> = BTreeMap::new();
        for (subject, sales) in products {
            let deltas = cut.entry(lane(&subject, lanes)).or_default();
            deltas.products.insert(subject, sales);
        }
        let part = |lane| Part::Products { lane, lanes };
        parts.extend(cut.into_iter().map(|(lane, deltas)| (part(lane), deltas)));
    }
    parts.push((Part::Figures, figures));
    let something = parts.into_iter().filter(|(_, deltas)| deltas.items() > 0);
    let piece = |(part, deltas)| Piece {
        book,
        entry: entry.to_owned(),
        part,
        deltas,
    };
    something.map(piece).collect()
}

fn figures_of(effects: &Effects, book: Book) -> Deltas {
    let mut deltas = Deltas::default();
    match book {
        Book::Day(_) => {
            let number = effects.hour.number;
            let figures = effects.figures.iter();
            let something = figures.filter(|(_, figures)| !figures.is_nothing());
            deltas.hours = something
                .map(|(currency, figures)| ((*currency, number), figures.clone()))
                .collect();
        }
        Book::AllTime if effects.settled.is_nothing() => {}
        Book::AllTime => {
            let import_id = effects.import_id.clone();
            deltas.imports.insert(import_id, effects.settled);
        }
    }
    deltas
}

/// Whether customers, and products, go with the figures.
fn few(effects: &Effects) -> (bool, bool) {
    let (customers, products) = (effects.customers.len(), effects.products.len());
    let all = customers.saturating_add(products) <= FEW_SUBJECTS;
    (all, all || products <= FEW_SUBJECTS)
}

/// As few lanes as will do.
fn lanes<'a>(subjects: impl Iterator<Item = &'a Subject> + Clone) -> u64 {
    let mut lanes = 1_u64;
    loop {
        let mut filled: BTreeMap<u64, usize> = BTreeMap::new();
        for subject in subjects.clone() {
            let filled = filled.entry(lane(subject, lanes)).or_default();
            *filled = filled.saturating_add(1);
        }
        let fullest = filled.values().copied().max().unwrap_or_default();
        // An entry has no more than a hundred subjects of a kind: that many lanes divide whatever can be divided.
        if fullest <= SUBJECTS_PER_PART || lanes >= 64 {
            return lanes;
        }
        lanes = lanes.saturating_mul(2);
    }
}

fn lane(subject: &Subject, lanes: u64) -> u64 {
    ids::uniform(&subject.id)
        .checked_rem(lanes)
        .unwrap_or_default()
}

impl Deltas {
    pub fn items(&self) -> usize {
        let Deltas {
            hours,
            imports,
            customers,
            products,
        } = self;
        [hours.len(), imports.len(), customers.len(), products.len()]
            .iter()
            .fold(0, |sum, count| sum.saturating_add(*count))
    }

    pub fn add(&mut self, more: &Deltas) -> Result<(), Fault> {
        for (hour, figures) in &more.hours {
            self.hours.entry(*hour).or_default().add(figures)?;
        }
        for (import, settled) in &more.imports {
            self.imports
                .entry(import.clone())
                .or_default()
                .add(settled)?;
        }
        for (subject, more) in &more.customers {
            let customer = self.customers.entry(subject.clone()).or_default();
            customer.spend.add(&more.spend)?;
            customer.hours |= more.hours;
        }
        for (subject, sales) in &more.products {
            self.products
                .entry(subject.clone())
                .or_default()
                .add(sales)?;
        }
        Ok(())
    }
}

/// Packs pieces so that each group fits into a transaction: a claim for each piece, each item once, and what boards and
/// ranks need besides. Pieces about the same are brought together, so that an item is written as seldom as can be.
///
/// What says that an import is over comes last: by then everything else that is to be known of it is entered.
pub fn pack(mut pieces: Vec<Piece>) -> Vec<Vec<Piece>> {
    pieces.sort_by(|one, other| place(one).cmp(&place(other)));
    let mut groups: Vec<Vec<Piece>> = Vec::new();
    let mut load = Load::default();
    for piece in pieces {
        let with = load.with(&piece);
        let same = groups.last_mut().filter(|group| {
            let kind = |piece: &Piece| (piece.book, piece.is_last());
            group
                .first()
                .is_some_and(|first| kind(first) == kind(&piece))
        });
        match same {
            Some(group) if with.items() <= ITEMS_PER_TRANSACTION => {
                load = with;
                group.push(piece);
            }
            _ => {
                load = Load::default().with(&piece);
                groups.push(vec![piece]);
            }
        }
    }
    groups
}

impl Piece {
    /// Whether it says how far an import is.
    pub fn is_last(&self) -> bool {
        !self.deltas.imports.is_empty()
    }
}

fn place(piece: &Piece) -> (bool, Book, Part, Option<&Subject>, Option<&Subject>, &str) {
    let product = piece.deltas.products.keys().next();
    let customer = piece.deltas.customers.keys().next();
    (
        piece.is_last(),
        piece.book,
        piece.part,
        product,
        customer,
        &piece.entry,
    )
}

/// What a group of pieces would write.
#[derive(Debug, Clone, Default)]
struct Load {
    claims: usize,
    hours: BTreeSet<(Currency, u8)>,
    imports: BTreeSet<String>,
    customers: BTreeSet<Subject>,
    products: BTreeSet<Subject>,
    /// For each: pages of ranks, or a count of customers.
    currencies: BTreeSet<Currency>,
    of_all_time: bool,
}

impl Load {
    fn with(&self, piece: &Piece) -> Load {
        let mut load = self.clone();
        let deltas = &piece.deltas;
        load.claims = load.claims.saturating_add(1);
        load.hours.extend(deltas.hours.keys());
        load.imports.extend(deltas.imports.keys().cloned());
        load.customers.extend(deltas.customers.keys().cloned());
        load.products.extend(deltas.products.keys().cloned());
        load.currencies
            .extend(deltas.customers.keys().map(|customer| customer.currency));
        load.of_all_time = piece.book == Book::AllTime;
        load
    }

    fn items(&self) -> usize {
        let besides = if self.of_all_time { PAGES } else { 1 };
        let besides = self.currencies.len().saturating_mul(besides);
        let sets = [
            self.hours.len(),
            self.imports.len(),
            self.customers.len(),
            self.products.len(),
        ];
        sets.iter()
            .chain([&self.claims, &besides])
            .fold(0, |sum, count| sum.saturating_add(*count))
    }
}

#[cfg(test)]
mod tests;
