//! Whether customers are told of everything that the journal says of their orders, and whoever runs the mill of every import
//! that is over, once, and nobody of anything else.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::journal::Change;
use domain::notification::{ImportTold, Name, Standing, Told};
use domain::progress::ImportStatus;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use store::lists::imports::Source;
use store::notifications::{Group, NotificationRecord};

use super::{Books, Check, PATIENCE};

/// The queue of mails, and what it puts aside, keep a message for so long.
const KEPT: SignedDuration = SignedDuration::from_hours(28 * 24);

/// What the journal said within the last minutes may be on its way still. A mail that waits for long is no drift: the mail
/// service decides how fast it goes.
pub fn check<'a>(
    books: &Books,
    records: impl IntoIterator<Item = &'a NotificationRecord>,
    now: Timestamp,
) -> Check {
    let mut check = Check::new("notifications");
    let mut told: HashMap<Name, (Said, Timestamp)> = HashMap::new();
    for entry in &books.entries {
        let changes = entry.changes.iter();
        told.extend(changes.map(|change| (Name::of(change), (Said::Change(change), entry.at))));
    }
    for import in &books.imports {
        // Whoever sent a single order sees what became of it.
        let is_file = Source::of(&import.record.key) == Source::File;
        if let Some(import) = import.told().filter(|_| is_file) {
            let (name, at) = (Name::of_import(&import.import_id), import.ended_at);
            told.insert(name, (Said::Import(import), at));
        }
    }
    let (mut pending, mut failed) = (0_u64, 0_u64);
    for record in records {
        let name = record.name();
        let id = name.id();
        check.expect(
            record.order_id == name.order_id && record.part == name.part(),
            || format!("{id} stands as {} of {}", record.part, record.order_id),
        );
        check.expect(
            told.remove(&name)
                .is_some_and(|(said, _)| is_of(&record.told, &said)),
            || format!("{id} tells of {}, and nothing else does", record.part),
        );
        let last = [record.tried_at, record.resent_at, Some(record.created_at)];
        let last = last.into_iter().flatten().max().unwrap_or_default();
        check.expect(
            record.status != Standing::Pending || now.duration_since(last) < KEPT,
            || format!("{id} is pending since {last}: its message is lost, have it sent again"),
        );
        pending += u64::from(record.status == Standing::Pending);
        failed += u64::from(record.status == Standing::Failed);
        check.checked += 1;
    }
    let late = told
        .into_iter()
        .filter(|(_, (_, at))| now.duration_since(*at) > PATIENCE);
    for (name, (_, at)) in late {
        let (order_id, part) = (&name.order_id, name.part());
        let drift = format!("{order_id}: nobody is told of {part}, which was at {at}");
        check.drift.push(drift);
    }
    let notes = [(pending, "pending"), (failed, "failed")];
    let notes = notes.iter().filter(|(count, _)| *count > 0);
    let notes: Vec<String> = notes
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    check.note = Some(notes.join(", ")).filter(|note| !note.is_empty());
    check
}

/// How many the counters of each day have of each sort.
pub type Counters = BTreeMap<(Date, Group), i64>;

/// Adds to the check whether the counters say how many records there are.
pub fn count<'a>(
    check: &mut Check,
    records: impl IntoIterator<Item = &'a NotificationRecord>,
    counters: &Counters,
) {
    let (mut counted, mut uncounted) = (Counters::new(), 0_u64);
    for record in records {
        match record.counted {
            Some(_) => *counted.entry((record.day, record.group())).or_default() += 1,
            None => uncounted += 1,
        }
    }
    check.expect(uncounted == 0, || {
        format!("{uncounted} are in no counter: `ordermill notifications recount` counts them")
    });
    let sorts: BTreeSet<&(Date, Group)> = counters.keys().chain(counted.keys()).collect();
    for sort in sorts {
        let of = |counts: &Counters| counts.get(sort).copied().unwrap_or_default();
        let (kept, found) = (of(counters), of(&counted));
        let (day, (channel, kind, status)) = sort;
        check.expect(kept == found, || {
            format!(
                "{day} {channel} {kind} {status}: the counters have {kept}, and there are {found} records: `ordermill notifications recount` mends them"
            )
        });
    }
}

/// What there is to tell.
enum Said<'a> {
    Change(&'a Change),
    Import(ImportTold),
}

/// Lines are not compared: those of an order are not in the journal. Of an import that failed, rows were on their way still.
fn is_of(told: &Told, said: &Said<'_>) -> bool {
    match (told, said) {
        (Told::Order(order), Said::Change(change)) => {
            let told = &order.change;
            told.customer_id == change.customer_id
                && told.currency == change.currency
                && told.total == change.total
                && told.outcome() == change.outcome()
        }
        (Told::Import(told), Said::Import(import)) => {
            let mut told = told.clone();
            if import.status == ImportStatus::Failed {
                told.progress = import.progress;
            }
            told == *import
        }
        (Told::Order(_), Said::Import(_)) | (Told::Import(_), Said::Change(_)) => false,
    }
}
