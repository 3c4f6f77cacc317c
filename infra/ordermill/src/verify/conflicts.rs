//! Conflicts: the existing order is of another row, and it has other content than the row that was not taken.

use domain::journal::Conflict;

use super::{Books, Check};
use store::orders::{OrderRecord, Origin};

pub fn check(books: &Books) -> Check {
    let mut check = Check::new("conflicts");
    for entry in &books.entries {
        let Some(conflict) = &entry.conflict else {
            continue;
        };
        check.checked += 1;
        let (id, row, import) = (&conflict.order_id, conflict.row, &entry.import_id);
        let Some(order) = books.orders.get(id) else {
            let drift =
                format!("{id}: row {row} of {import} conflicts with an order that is not stored");
            check.drift.push(drift);
            continue;
        };
        let origin = Origin {
            import_id: import,
            row,
        };
        check.expect(!order.is_from(origin), || {
            format!("{id}: row {row} of {import} became the order, and is counted as a conflict")
        });
        check.expect(!states_again(conflict, order), || {
            format!("{id}: row {row} of {import} is a duplicate, and is counted as a conflict")
        });
    }
    check
}

fn states_again(conflict: &Conflict, order: &OrderRecord) -> bool {
    let stated = domain::Order {
        order_id: conflict.order_id.clone(),
        row: conflict.row,
        customer_id: conflict.customer_id.clone(),
        currency: conflict.currency,
        total: conflict.total,
        adjustment: Default::default(),
        lines: conflict.lines.clone(),
        prices: conflict.prices,
        ordered_at: None,
    };
    stated.repeats(
        &order.customer_id,
        order.currency,
        order.total,
        &order.lines,
    )
}
