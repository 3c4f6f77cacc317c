//! The auditor's eye on figures: what the journal says, added up plainly, is what stands in the live books; and an import
//! ends once, when all that its orders add to the figures is entered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use jiff::tz::TimeZone;
use rust_decimal::Decimal;
use store::Store;
use store::memory::MemoryEngine;
use store::ops::{Item, Key};
use store::schema::Table;

use super::auditor::{COMPLETED, Promise, Violations, number, number_of, text};
use crate::support::plain::{self, Figures, Live};
use crate::support::reading;

/// Entries that settle no row.
const LATER: [&str; 4] = ["/refund-", "/ship-", "/deliver-", "/cancel-"];

#[derive(Default)]
struct Seen {
    violations: Violations,
    /// Generation of the books, book and entry of each claim, in sequence.
    claims: Vec<(String, String, String)>,
    known: BTreeSet<Key>,
    /// Each import that ended, how many claims there were by then, and which books were live.
    ends: Vec<(String, usize, Live)>,
    live: Live,
}

/// Looks at claims and at imports in the moment in which they are written.
pub struct FiguresAuditor(Arc<Mutex<Seen>>);

impl FiguresAuditor {
    pub fn watch(memory: &MemoryEngine) -> FiguresAuditor {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let found = seen.clone();
        memory.watch(move |key, before, after| {
            let mut seen = found.lock().expect("what was seen");
            match key.table {
                Table::Tallies if key.partition == "books" => {
                    seen.live = Live::of_record(Some(after))
                }
                Table::Tallies => seen.claim(key, before),
                Table::Imports => seen.import(key, before, after),
                _ => {}
            }
        });
        FiguresAuditor(seen)
    }

    /// Everything that was found, in the end. Nothing goes wrong with the store any more.
    pub async fn conclude(self, memory: &MemoryEngine, zone: &TimeZone) -> Violations {
        let mut seen = std::mem::take(&mut *self.0.lock().expect("what was seen"));
        let journal = memory.items(Table::Journal);
        let expected = plain::of_journal(&journal, zone);
        let kept = plain::of_tallies(&memory.items(Table::Tallies));
        let mut wrong = plain::differences(&expected, &kept);
        wrong.extend(sums(&memory.items(Table::Orders), &kept));
        let store = Store::new(memory.clone(), 0);
        wrong.extend(reading::differences(&store, &expected).await);
        let wrong = wrong.into_iter();
        seen.violations
            .extend(wrong.map(|what| (Promise::FiguresAreTheJournal, what)));
        for import in memory.items(Table::Imports) {
            seen.end(&import, &expected);
        }
        seen.entered_before_the_end(&journal);
        seen.violations
    }
}

impl Seen {
    fn claim(&mut self, key: &Key, before: Option<&Item>) {
        let mut parts = key.partition.splitn(4, '#').map(str::to_owned);
        let (generation, book, kind) = (parts.next(), parts.next(), parts.next());
        if kind.as_deref() != Some("claim") {
            return;
        }
        if before.is_some() {
            let what = format!("{key:?} is claimed again");
            self.violations.push((Promise::FiguresAreTheJournal, what));
        }
        // Who read long ago which books are live may claim once more what was swept away since: nobody reads those any more.
        if !self.known.insert(key.clone()) {
            return;
        }
        let (generation, book) = (generation.unwrap_or_default(), book.unwrap_or_default());
        self.claims
            .push((generation, book, parts.next().unwrap_or_default()));
    }

    fn import(&mut self, key: &Key, before: Option<&Item>, after: &Item) {
        let said = before.map(|before| text(before, "completed_at"));
        let said = said.unwrap_or_default();
        let says = text(after, "completed_at");
        if said.is_empty() && !says.is_empty() {
            let end = (key.partition.clone(), self.claims.len(), self.live.clone());
            self.ends.push(end);
        } else if said != says {
            let what = format!("{} ended at {said}, and again at {says}", key.partition);
            self.violations.push((Promise::ImportsEndOnce, what));
        }
    }

    /// An import that was read to its end, and of which every row is accounted for, says so.
    fn end(&mut self, import: &Item, expected: &Figures) {
        let id = text(import, "import_id");
        let settled = ["completed", "failed", "duplicates", "conflicts"].iter();
        let settled: Decimal = settled
            .filter_map(|name| expected.get(&format!("all/import/{id}/{name}")))
            .sum();
        let read = number(import, "rejected") + number(import, "continued");
        let pending = number(import, "rows") - read - settled;
        let over = text(import, "stage") == "SENT" && pending.is_zero();
        let times = self.ends.iter().filter(|(ended, ..)| *ended == id).count();
        if times != usize::from(over) {
            let what = format!("{id} has {pending} rows pending, and ended {times} times");
            self.violations.push((Promise::ImportsEndOnce, what));
        }
        if over && !text(import, "running").is_empty() {
            let what = format!("{id} is over, and still marked as running");
            self.violations.push((Promise::ImportsEndOnce, what));
        }
    }

    /// What is refunded, shipped or cancelled later is no part of the import; and what is built beside the live books is not looked at.
    fn entered_before_the_end(&mut self, journal: &[Item]) {
        for (import, claimed, live) in std::mem::take(&mut self.ends) {
            let of_import = journal
                .iter()
                .filter(|entry| text(entry, "import_id") == import);
            let names: BTreeSet<String> = of_import
                .map(|entry| format!("{}/{}", text(entry, "partition"), text(entry, "entry_id")))
                .filter(|name| !LATER.iter().any(|verb| name.contains(verb)))
                .collect();
            let late = self.claims[claimed..]
                .iter()
                .filter(|(generation, book, entry)| {
                    generation == live.of(book) && names.contains(entry)
                });
            let late = late.map(|(_, book, entry)| {
                let what = format!("{import} ended, and {entry} was entered in {book} later");
                (Promise::ImportsEndLast, what)
            });
            self.violations.extend(late);
        }
    }
}

/// What all days come to is what the orders say of themselves.
fn sums(orders: &[Item], kept: &Figures) -> Vec<String> {
    let mut expected: BTreeMap<(String, &str), Decimal> = BTreeMap::new();
    for order in orders {
        let currency = text(order, "currency");
        let mut add = |name, more| *expected.entry((currency.clone(), name)).or_default() += more;
        add("refunds", number_of(order, "refunded"));
        if COMPLETED.contains(&text(order, "status").as_str()) {
            add("orders", Decimal::ONE);
            add("gross", number_of(order, "total"));
        }
    }
    let differ = expected.into_iter().filter_map(|((currency, name), sum)| {
        let hour = format!("/hour/{currency}/");
        let figures = kept
            .iter()
            .filter(|(figure, _)| figure.contains(&hour) && figure.ends_with(&format!("/{name}")));
        let figures: Decimal = figures.map(|(_, figure)| figure).sum();
        (figures != sum)
            .then(|| format!("{name} of all days are {figures} {currency}, of all orders {sum}"))
    });
    differ.collect()
}
