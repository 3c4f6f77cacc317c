//! The story of an order: every instant that is on record, and the journal's entries, found by their keys.

use domain::journal::Kind;
use domain::refund::Wanted;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use store::Moment;
use store::Store;
use store::memory::MemoryEngine;
use store::schema::Table;
use store::timeline::{Timeline, What};

use super::support::{ADA, done, its_refund, new};
use crate::refunds::support::{begun, completed, lines, opened, sold};
use crate::support::{approving, batch, moment, now, order, saga, stock};

async fn story(store: &Store<MemoryEngine>, order_id: &str, zone: &TimeZone) -> Timeline {
    let story = store.timeline(order_id, zone).await;
    story.expect("an answer").expect("an order")
}

fn whats(story: &Timeline) -> Vec<What> {
    story.events.iter().map(|event| event.what).collect()
}

fn entries(story: &Timeline) -> Vec<&str> {
    let entries = story.events.iter();
    let entries = entries.filter_map(|event| event.entry.as_deref());
    entries
        .filter_map(|name| Some(name.split_once('/')?.1))
        .collect()
}

#[tokio::test]
async fn a_story_goes_from_the_row_to_the_last_refund() {
    let (engine, store) = new();
    // Others of the same batch, which are none of its business.
    stock(&store, &[("A", 10)]).await;
    let orders = (1..=3).map(|row| order(row, &format!("O-{row}"), &[("A", 2)]));
    let orders = batch("im_s", 0, orders.collect());
    saga(&store, &approving("1"), &orders)
        .await
        .expect("settled");
    let back = opened(&store, "k", "O-2", &lines(&[("A", 1, true)])).await;
    completed(&store, &back).await;
    let failed = opened(&store, "f", "O-2", &Wanted::Full).await;
    let asked = begun(&store, &failed).await;
    let no = store.fail_refund(&asked, "not today", now()).await;
    no.expect("an answer");
    let later = Moment {
        now: now() + SignedDuration::from_hours(30),
        zone: TimeZone::UTC,
    };
    let cancelled = store.cancel_order("O-2", &ADA, &later).await;
    cancelled.expect("an answer");
    let its = its_refund(&store, "O-2").await.refund_id;
    let refund = store.begin_refund(&its, later.now).await;
    let refund = refund.expect("an answer").expect("a refund").refund;
    let done = store.complete_refund(&refund, "sim_2", &later).await;
    done.expect("an answer");
    assert_eq!(engine.items(Table::Journal).len(), 4);
    let story = story(&store, "O-2", &TimeZone::UTC).await;
    let mut expected = vec![What::Reserved, What::Paid, What::Completed];
    let mut of_refunds = [
        (&back, What::RefundCompleted),
        (&failed, What::RefundFailed),
    ];
    // Of one instant: by their ids, as they are listed.
    of_refunds.sort_by_key(|(id, _)| story.refunds.iter().position(|one| one.refund_id == **id));
    for (_, end) in of_refunds {
        expected.extend([What::RefundRequested, What::RefundSent, end]);
    }
    expected.extend([
        What::Cancelled,
        What::RefundRequested,
        What::RefundSent,
        What::RefundCompleted,
    ]);
    assert_eq!(whats(&story), expected);
    let mut found = entries(&story);
    found.sort_unstable();
    let [back, its] = [back, its].map(|id| format!("refund-{id}"));
    let mut all = ["cancel-O-2", "im_s-000000-finalize-1", &back, &its];
    all.sort_unstable();
    assert_eq!(found, all);
    let mut events = story.events.iter();
    let cancelled = events.find(|event| event.what == What::Cancelled);
    let cancelled = cancelled.expect("an event");
    let by = cancelled.details["by"].as_str();
    assert_eq!((cancelled.at, by), (later.now, "ada"));
    assert_eq!(Some(cancelled.details["reason"].as_str()), ADA.reason);
    let said = story
        .events
        .iter()
        .find(|one| one.what == What::RefundFailed);
    assert_eq!(
        said.map(|one| one.details["why"].as_str()),
        Some("not today")
    );
    let unknown = store.timeline("O-none", &TimeZone::UTC).await;
    assert_eq!(unknown, Ok(None));
}

#[tokio::test]
async fn entries_are_found_though_the_zone_was_changed() {
    let late: Timestamp = "2026-03-01T23:30:00Z".parse().expect("an instant");
    let zones = ["UTC", "Asia/Tokyo", "America/Los_Angeles"];
    let zones = zones.map(|name| TimeZone::get(name).expect("a zone"));
    for then in &zones {
        let (_, store) = new();
        sold(&store, "O-1", &[("A", 2)]).await;
        let moment = Moment {
            now: late,
            zone: then.clone(),
        };
        let shipped = store.ship_order("O-1", &ADA, &moment).await;
        shipped.expect("an answer");
        let delivered = store.deliver_order("O-1", &ADA, &moment).await;
        delivered.expect("an answer");
        for zone in &zones {
            let story = story(&store, "O-1", zone).await;
            assert_eq!(
                entries(&story),
                ["im_O-1-000000-finalize-1", "ship-O-1", "deliver-O-1"],
                "{then:?} {zone:?}"
            );
        }
    }
}

#[tokio::test]
async fn an_order_that_was_born_failed_was_never_reserved() {
    let (_, store) = new();
    stock(&store, &[("A", 1)]).await;
    let orders = vec![order(4, "O-4", &[("A", 2)]), order(5, "O-5", &[("A", 1)])];
    let orders = batch("im_b", 3, orders);
    saga(&store, &approving("0"), &orders)
        .await
        .expect("settled");
    let born = story(&store, "O-4", &moment().zone).await;
    assert_eq!(whats(&born), [What::Failed]);
    assert_eq!(entries(&born), ["im_b-000003-reserve-4"]);
    assert_eq!(born.events[0].details["reason"], "out_of_stock");
    let declined = story(&store, "O-5", &moment().zone).await;
    assert_eq!(whats(&declined), [What::Reserved, What::Failed]);
    assert_eq!(entries(&declined), ["im_b-000003-rollback-5"]);
}

#[tokio::test]
async fn a_story_is_one_document() {
    let (_, store) = new();
    sold(&store, "O-1", &[("A", 2)]).await;
    done(&store, Kind::Shipped, "O-1").await;
    let story = story(&store, "O-1", &TimeZone::UTC).await;
    let document = serde_json::to_value(&story).expect("json");
    assert_eq!(document["order"]["status"], "SHIPPED");
    assert_eq!(document["payment_status"], "paid");
    let last = &document["events"][3];
    assert_eq!(last["what"], "shipped");
    assert_eq!(last["details"]["by"], "ada");
    let entry = last["entry"].as_str().expect("a name");
    assert!(entry.ends_with("/ship-O-1"), "{entry}");
}
