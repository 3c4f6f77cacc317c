//! What may be done with an order, and what may not; and that nothing is done twice.

use domain::Status;
use domain::journal::Kind;
use store::lifecycle::{Asked, Changed, Refused};
use store::memory::MemoryEngine;
use store::ops::Item;
use store::schema::Table;

use super::support::{ADA, asked, done, new, told};
use crate::refunds::support::sold;
use crate::support::{approving, batch, drift, moment, order, saga, tally_and_verify};

fn everything(engine: &MemoryEngine) -> Vec<Vec<Item>> {
    Table::ALL.map(|table| engine.items(table)).to_vec()
}

#[tokio::test]
async fn an_order_is_shipped_and_then_delivered() {
    let (engine, store) = new();
    sold(&store, "O-1", &[("A", 3)]).await;
    let shipped = done(&store, Kind::Shipped, "O-1").await;
    assert_eq!(
        (shipped.status, shipped.shipped_at),
        (Status::Shipped, Some(moment().now))
    );
    let delivered = done(&store, Kind::Delivered, "O-1").await;
    assert_eq!(delivered.status, Status::Delivered);
    assert_eq!(delivered.delivered_at, Some(moment().now));
    assert_eq!(delivered.shipped_at, shipped.shipped_at);
    let told = told(&store).await;
    let names: Vec<&str> = told.iter().map(|entry| entry.entry_id.as_str()).collect();
    assert_eq!(names, ["deliver-O-1", "ship-O-1"]);
    for entry in &told {
        let deed = entry.changes[0].deed.as_ref().expect("a deed");
        assert_eq!(deed.requested_by, ADA.requested_by);
        assert_eq!(deed.reason.as_deref(), ADA.reason);
        assert_eq!((entry.completed, entry.failed, entry.duplicates), (0, 0, 0));
    }
    // Again, by anybody: it is so, and nothing changes.
    let stored = everything(&engine);
    for kind in [Kind::Shipped, Kind::Delivered] {
        let again = asked(&store, kind, "O-1").await;
        assert_eq!(again, Changed::Already(Box::new(delivered.clone())));
    }
    assert_eq!(everything(&engine), stored);
    let report = tally_and_verify(&store).await;
    assert!(drift(&report).is_empty(), "{report:#?}");
}

#[tokio::test]
async fn what_is_not_due_is_refused_and_changes_nothing() {
    let (engine, store) = new();
    for id in ["O-completed", "O-shipped", "O-delivered", "O-cancelled"] {
        sold(&store, id, &[("A", 1)]).await;
    }
    done(&store, Kind::Shipped, "O-shipped").await;
    done(&store, Kind::Shipped, "O-delivered").await;
    done(&store, Kind::Delivered, "O-delivered").await;
    done(&store, Kind::Cancelled, "O-cancelled").await;
    let failed = batch("im_f", 0, vec![order(7, "O-failed", &[("A", 1)])]);
    let declines = saga(&store, &approving("0"), &failed).await;
    declines.expect("settled");
    let reserved = batch("im_r", 0, vec![order(8, "O-reserved", &[("A", 1)])]);
    let reserved = reserve::handle(&store, reserved, &moment()).await;
    reserved.expect("reserved");
    let stored = everything(&engine);
    for (id, kind, status) in [
        ("O-completed", Kind::Delivered, Status::Completed),
        ("O-shipped", Kind::Cancelled, Status::Shipped),
        ("O-delivered", Kind::Cancelled, Status::Delivered),
        ("O-cancelled", Kind::Shipped, Status::Cancelled),
        ("O-cancelled", Kind::Delivered, Status::Cancelled),
        ("O-failed", Kind::Shipped, Status::Failed),
        ("O-failed", Kind::Cancelled, Status::Failed),
        ("O-reserved", Kind::Shipped, Status::Reserved),
        ("O-reserved", Kind::Cancelled, Status::Reserved),
    ] {
        let refused = Changed::Refused(Refused::Status(kind, status));
        assert_eq!(asked(&store, kind, id).await, refused, "{id} {kind:?}");
    }
    let nobody = asked(&store, Kind::Shipped, "O-none").await;
    assert_eq!(nobody, Changed::NoSuchOrder);
    let nameless = Asked {
        requested_by: "",
        reason: None,
    };
    let empty = Asked {
        reason: Some(""),
        ..ADA
    };
    for (id, asked) in [("O-completed", nameless), ("O-completed", empty), ("", ADA)] {
        let answer = store.ship_order(id, &asked, &moment()).await;
        let answer = answer.expect("an answer");
        assert!(
            matches!(answer, Changed::Refused(Refused::Invalid { .. })),
            "{answer:?}"
        );
    }
    assert_eq!(everything(&engine), stored);
}

#[tokio::test]
async fn an_order_that_nothing_happened_to_pays_for_nothing() {
    let (engine, store) = new();
    sold(&store, "O-1", &[("A", 1)]).await;
    let orders = engine.items(Table::Orders);
    for name in ["shipped_at", "delivered_at", "cancelled_at"] {
        assert!(orders[0].get(name).is_none(), "{name}");
    }
}
