//! Whether customers are told of everything that the journal says of their orders, once, and of nothing else.

use std::collections::HashMap;

use domain::journal::Change;
use domain::notification::{Name, Standing};
use jiff::Timestamp;
use store::notifications::NotificationRecord;

use super::{Books, Check, PATIENCE};

/// What the journal said within the last minutes may be on its way still. A mail that waits for long is no drift: the mail
/// service decides how fast it goes.
pub fn check<'a>(
    books: &Books,
    records: impl IntoIterator<Item = &'a NotificationRecord>,
    now: Timestamp,
) -> Check {
    let mut check = Check::new("notifications");
    let mut told: HashMap<Name, (&Change, Timestamp)> = HashMap::new();
    for entry in &books.entries {
        let changes = entry.changes.iter();
        told.extend(changes.map(|change| (Name::of(change), (change, entry.at))));
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
                .is_some_and(|(change, _)| is_of(record, change)),
            || format!("{id} tells of {}, and the journal does not", record.part),
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

/// The lines may be the order's, where the journal names none.
fn is_of(record: &NotificationRecord, change: &Change) -> bool {
    let record = &record.change;
    record.customer_id == change.customer_id
        && record.currency == change.currency
        && record.total == change.total
        && record.outcome() == change.outcome()
}
