//! `notify`: one record for each event, by the way that the customer wants.

use std::collections::BTreeSet;

use domain::journal::Kind as Deed;
use domain::notification::{Kind, Name, Standing, Told};
use domain::preferences::{Channel, Preferences};
use domain::refund::Wanted;
use domain::{Fault, Status};
use edge::entries::Event;
use jiff::SignedDuration;
use jiff::tz::TimeZone;
use notify::Subject;
use ordermill::verify::{self, Books};
use store::memory::{Faults, MemoryEngine, ReadUnits};
use store::notifications::NotificationRecord;
use store::{Engine, Store};

use super::support::{
    Office, Outbox, expected, has_address, mailed, mortal, records, stream, told,
};
use crate::lifecycle::support::done;
use crate::refunds::support::{cents, completed, opened, sold};
use crate::support::{approving, batch, now, order, read, saga};

/// An order that is refunded twice and delivered, one that is cancelled, and one that fails. Customer C-1 has an address.
pub async fn story<E: Engine>(store: &Store<E>) {
    has_address(store, "C-1", "one@customers.example").await;
    sold(store, "O-1", &[("A", 3)]).await;
    for key in ["one", "two"] {
        let wanted = Wanted::Amount(cents(100));
        let refund_id = opened(store, key, "O-1", &wanted).await;
        completed(store, &refund_id).await;
    }
    done(store, Deed::Shipped, "O-1").await;
    done(store, Deed::Delivered, "O-1").await;
    sold(store, "O-2", &[("A", 1)]).await;
    done(store, Deed::Cancelled, "O-2").await;
    // Of customer C-2.
    let failed = batch("im_3", 0, vec![order(2, "O-3", &[("A", 999_999)])]);
    saga(store, &approving("1"), &failed)
        .await
        .expect("settled");
}

fn name(order_id: &str, kind: Kind) -> Name {
    Name {
        order_id: order_id.to_owned(),
        kind,
        n: "1".to_owned(),
    }
}

#[tokio::test]
async fn every_event_is_told_once_however_often_it_is_delivered() {
    let engine = MemoryEngine::new();
    let store = Store::new(engine.clone(), 1);
    story(&store).await;
    let outbox = Outbox::default();
    let again = told(&store, &outbox, stream(&engine)).await;
    assert_eq!(again, Ok((0, Vec::new())));
    let first = records(&store).await;
    let ids: Vec<String> = first.keys().cloned().collect();
    assert_eq!(ids, expected(&store).await);
    assert_eq!(ids.len(), 8);

    let kept = |name: &Name| first[&name.id()].clone();
    let shipping = kept(&name("O-1", Kind::Shipping));
    assert_eq!(shipping.channel, Channel::Email);
    assert_eq!(shipping.status, Standing::Pending);
    let order = shipping.order().expect("an order");
    assert_eq!(order.status, Status::Shipped);
    assert_eq!(order.change.lines.len(), 1, "what is in the parcel");
    assert_eq!(order.total, cents(2997));
    assert_eq!(shipping.message, "Your order O-1 is on its way");
    let failed = kept(&name("O-3", Kind::Failed));
    assert_eq!(
        (failed.channel, failed.status),
        (Channel::Log, Standing::Sent)
    );
    assert_eq!((failed.sent_at, failed.attempts), (Some(now()), 1));
    let refunds = first.values().filter(|one| one.name().kind == Kind::Refund);
    for refund in refunds {
        let order = refund.order().expect("an order");
        let amounts = (order.change.total, order.total);
        assert_eq!(amounts, (cents(100), cents(2997)));
    }

    // Seven are of the customer who has an address. All are pending: nobody says that their messages are not lost.
    let sent = |outbox: &Outbox| outbox.mails.lock().expect("a lock").len();
    assert_eq!(sent(&outbox), 7);
    assert_eq!(
        told(&store, &outbox, stream(&engine)).await,
        Ok((0, Vec::new()))
    );
    assert_eq!(records(&store).await, first);
    assert_eq!(sent(&outbox), 14);
    let ids: BTreeSet<String> = {
        let mails = outbox.mails.lock().expect("a lock");
        mails
            .iter()
            .map(|mail| mail.notification_id.clone())
            .collect()
    };
    assert_eq!(ids.len(), 7);
}

#[tokio::test]
async fn what_a_customer_does_not_want_by_mail_is_written_down_only() {
    let engine = MemoryEngine::new();
    let store = Store::new(engine.clone(), 1);
    story(&store).await;
    let no_refunds = Preferences {
        off: BTreeSet::from([Kind::Refund]),
        ..Preferences::default()
    };
    let said = store
        .set_preferences("C-1", &no_refunds, "tests", now())
        .await;
    assert_eq!(said, Ok(true));
    told(&store, &Outbox::default(), stream(&engine))
        .await
        .expect("told");
    for record in records(&store).await.values() {
        let by_mail = record.customer_id() == Some("C-1") && record.name().kind != Kind::Refund;
        assert_eq!(record.channel == Channel::Email, by_mail, "{record:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_dies_anywhere_is_followed_by_one_who_tells_the_rest() {
    let mut deaths = 0;
    for steps in 0.. {
        let engine = MemoryEngine::new();
        let store = Store::new(engine.clone(), 1);
        story(&store).await;
        let outbox = Outbox::default();
        let ended = mortal(told(&store, &outbox, stream(&engine)), steps).await;
        told(&store, &outbox, stream(&engine)).await.expect("told");
        let found = records(&store).await;
        let ids: Vec<String> = found.keys().cloned().collect();
        assert_eq!(ids, expected(&store).await, "after {steps} steps");
        let mailed: BTreeSet<String> = {
            let mails = outbox.mails.lock().expect("a lock");
            mails
                .iter()
                .map(|mail| mail.notification_id.clone())
                .collect()
        };
        let pending = found
            .iter()
            .filter(|(_, record)| record.status == Standing::Pending);
        let pending: BTreeSet<String> = pending.map(|(id, _)| id.clone()).collect();
        assert_eq!(mailed, pending, "after {steps} steps");
        if ended.is_some() {
            break;
        }
        deaths += 1;
    }
    assert!(deaths >= 4, "it died {deaths} times only");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_told_now_is_told_from_the_queue() {
    let engine = MemoryEngine::new();
    let store = Store::new(engine.clone(), 1);
    story(&store).await;
    let entries = engine.items(store::schema::Table::Journal).len();
    engine.set_faults(Faults {
        throttle: 1_000,
        ..Faults::default()
    });
    let outbox = Outbox::default();
    let answer = told(&store, &outbox, stream(&engine)).await;
    assert_eq!(answer, Ok((0, Vec::new())), "the stream goes on");
    let waiting = outbox.subjects_event();
    assert_eq!(waiting.records.len(), entries);
    assert!(records_are_none(&engine));

    // They come back until the table is there again.
    let again = told(&store, &outbox, Event::Entries(waiting.clone())).await;
    assert_eq!(again, Ok((entries, Vec::new())));
    engine.set_faults(Faults::default());
    let at_last = told(&store, &outbox, Event::Entries(waiting)).await;
    assert_eq!(at_last, Ok((0, Vec::new())));
    let found = records(&store).await;
    assert_eq!(
        found.into_keys().collect::<Vec<_>>(),
        expected(&store).await
    );

    // With the queue away, too, the stream has to deliver again.
    engine.set_faults(Faults {
        throttle: 1_000,
        ..Faults::default()
    });
    let away = Outbox {
        away: true,
        ..Outbox::default()
    };
    let answer = told(&store, &away, stream(&engine)).await;
    assert!(matches!(answer, Err(Fault::Transient(_))), "{answer:?}");
}

fn records_are_none(engine: &MemoryEngine) -> bool {
    engine.items(store::schema::Table::Notifications).is_empty()
}

#[tokio::test]
async fn the_sample_events_are_what_notify_and_send_take() {
    let engine = MemoryEngine::new();
    let store = Store::new(engine.clone(), 1);
    has_address(&store, "C-0001", "ada@customers.example").await;
    let outbox = Outbox::default();
    let event = |name: &str| -> Event {
        serde_json::from_slice(&read(&format!("events/{name}.json"))).expect("an event")
    };
    assert_eq!(
        told(&store, &outbox, event("notify")).await,
        Ok((0, Vec::new()))
    );
    assert_eq!(records(&store).await.len(), 3);
    // The queue names the same entry, which the journal of this test does not have.
    let (back, buried) = told(&store, &outbox, event("notify-notices"))
        .await
        .expect("an answer");
    assert_eq!((back, buried.len()), (0, 1));
    // Nor does this store have the import, so it is looked for again.
    let answer = told(&store, &outbox, event("notify-imports")).await;
    assert_eq!(answer, Ok((0, Vec::new())));
    let subjects = std::mem::take(&mut *outbox.subjects.lock().expect("a lock"));
    assert_eq!(subjects, [Subject::import("im_0000000000000000")]);
    let mail = serde_json::from_slice(&read("events/send.json")).expect("an event");
    let office = Office::default();
    let sent = mailed(&store, &office, mail, now()).await;
    assert_eq!(sent, Ok((0, Vec::new())));
    assert_eq!(office.count(), 1);
}

fn change(record: &mut NotificationRecord) -> &mut domain::journal::Change {
    match &mut record.told {
        Told::Order(order) => &mut order.change,
        Told::Import(import) => panic!("no order: {import:?}"),
    }
}

#[tokio::test]
async fn verify_sees_what_is_not_told_and_what_is_told_of_nothing() {
    let engine = MemoryEngine::new();
    let store = Store::new(engine.clone(), 1);
    story(&store).await;
    told(&store, &Outbox::default(), stream(&engine))
        .await
        .expect("told");
    let books = Books::load(&store, &TimeZone::UTC).await.expect("books");
    let drift = |records: &[NotificationRecord], now| {
        let check = verify::notifications::check(&books, records, now);
        assert_eq!(check.checked, records.len() as u64);
        check.drift
    };
    let all: Vec<NotificationRecord> = records(&store).await.into_values().collect();
    let late = now() + SignedDuration::from_hours(1);
    assert_eq!(drift(&all, late), Vec::<String>::new());

    // One that is missing may be on its way, for a while.
    assert_eq!(drift(&all[1..], now()), Vec::<String>::new());
    let missing = drift(&all[1..], late);
    assert_eq!(missing.len(), 1, "{missing:?}");
    assert!(missing[0].contains("nobody is told of"), "{missing:?}");
    let mut of_nothing = all.clone();
    change(&mut of_nothing[0]).order_id = "O-9".to_owned();
    assert!(drift(&of_nothing, late).len() > 1);
    let mut wrong = all.clone();
    change(&mut wrong[0]).total += cents(1);
    assert_eq!(drift(&wrong, late).len(), 1);
    let twice = [all.as_slice(), &all[..1]].concat();
    assert_eq!(drift(&twice, late).len(), 1);

    // No message lives for so long.
    let pending = |record: &&NotificationRecord| record.status == Standing::Pending;
    let (month, pending) = (
        SignedDuration::from_hours(30 * 24),
        all.iter().filter(pending).count(),
    );
    let lost = drift(&all, now() + month);
    assert!(pending > 0 && lost.len() == pending, "{lost:?}");
    let mut again = all.clone();
    for record in &mut again {
        record.resent_at = Some(now() + month);
    }
    assert_eq!(drift(&again, now() + month), Vec::<String>::new());
}

#[tokio::test]
async fn a_record_costs_two_units_and_its_indexes_and_a_mail_three_more() {
    let engine = MemoryEngine::new();
    let store = Store::new(engine.clone(), 1);
    story(&store).await;
    let counters = engine.write_units().get("tallies").copied();
    assert_eq!(counters, None);
    let outbox = Outbox::default();
    told(&store, &outbox, stream(&engine)).await.expect("told");
    let written = || {
        [
            "notifications",
            "notifications/by-day",
            "notifications/by-group",
            "tallies",
        ]
        .map(|of| engine.write_units().get(of).copied().unwrap_or_default())
    };
    // Of six types: so many counters.
    assert_eq!(written(), [2 * 8, 8, 8, 2 * 6]);
    let (office, before) = (Office::default(), engine.read_units());
    let sent = mailed(&store, &office, outbox.mail_event(), now()).await;
    assert_eq!(sent, Ok((0, Vec::new())));
    // Each is begun, and ended in a transaction that moves it from one group and counter to another.
    assert_eq!(written(), [2 * 8 + 3 * 7, 8, 8 + 2 * 7, 2 * 6 + 2 * 7]);
    // Half a unit for a record, and for a customer of whom all of them are.
    let after = engine.read_units();
    let read = |of: &str| {
        let units = |units: &ReadUnits| units.get(of).copied().unwrap_or_default();
        units(&after) - units(&before)
    };
    assert_eq!((read("notifications"), read("customers")), (3.5, 0.5));
}
