//! Figures in memory: that `verify` sees each that is wrong, that a rebuild mends it, and what becomes of
//! entries that cannot be entered.

use std::sync::Mutex;
use std::time::Duration;

use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use domain::journal::{Change, Entry};
use domain::tally::Book;
use domain::{Currency, Fault};
use edge::Invocation;
use jiff::SignedDuration;
use jiff::tz::TimeZone;
use rust_decimal::Decimal;
use store::memory::MemoryEngine;
use store::ops::{Item, Value, number};
use store::schema::Table;
use store::tallies::{Board, Scope};
use store::{Engine, Store, journal};
use tally::{Entries, Event, Named};

use crate::support::memory::MemoryInbox;
use crate::support::{
    TIME, approving, batch, drift, now, order, read, saga, stock, tally, tally_and_verify, verify,
};

pub fn usd() -> Currency {
    "USD".parse().expect("a currency")
}

/// An entry of orders of one unit each: customer, product, and what it costs in cents.
pub fn entry(name: &str, orders: &[(String, String, i64)]) -> Entry {
    let changes = orders.iter().zip(1..).map(|((customer, sku, cents), row)| {
        let mut order = order(row, &format!("{name}-{row}"), &[(sku, 1)]);
        order.customer_id = customer.clone();
        order.lines[0].unit_price = Decimal::new(*cents, 2);
        order.total = order.lines[0].unit_price;
        Change::new(&order, None)
    });
    Entry::settled(
        "finalize",
        name,
        "im_f",
        1,
        changes.collect(),
        now(),
        &TimeZone::UTC,
    )
}

pub async fn enter<E: Engine>(store: &Store<E>, entries: &[Entry]) {
    let answers = store
        .enter(entries, &TimeZone::UTC, now(), TIME)
        .await
        .expect("answers");
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
}

/// Orders of two customers, some of which fail, settled and entered.
pub async fn settled(engine: &MemoryEngine) -> Store<MemoryEngine> {
    let store = Store::new(engine.clone(), 1);
    stock(&store, &[("A", 6), ("B", 100)]).await;
    let orders = (1..=12)
        .map(|row| {
            order(
                row,
                &format!("O-{row}"),
                &[(["A", "B"][row as usize % 2], 2)],
            )
        })
        .collect();
    saga(&store, &approving("0.8"), &batch("im_f", 0, orders))
        .await
        .expect("settled");
    tally(&store).await;
    store
}

/// Figures, and not what says which of them are live.
pub fn figures(engine: &MemoryEngine) -> Vec<Item> {
    let mut items = engine.items(Table::Tallies);
    items.retain(|item| {
        let key = |name: &str| matches!(item.get(name), Some(Value::S(key)) if key.contains("#claim#") || key == "books");
        !key("pk")
    });
    items
}

#[tokio::test]
async fn verify_sees_every_number_that_is_wrong() {
    let engine = MemoryEngine::new();
    let store = settled(&engine).await;
    assert!(drift(&verify(&store).await).is_empty());
    let mut wrong = 0;
    for item in figures(&engine) {
        for (name, value) in item.iter() {
            let spoiled = match value {
                Value::N(digits) if name != "v" => {
                    number(digits.parse::<Decimal>().expect("a number") + Decimal::ONE)
                }
                Value::S(place) if name.ends_with("place") => Value::S(format!("{place}1")),
                _ => continue,
            };
            let mut broken = item.clone();
            broken.insert(name.clone(), spoiled);
            engine
                .overwrite(Table::Tallies, &broken)
                .expect("overwritten");
            assert!(
                !drift(&verify(&store).await).is_empty(),
                "{name} of {item:?}"
            );
            wrong += 1;
        }
        engine
            .overwrite(Table::Tallies, &item)
            .expect("overwritten");
    }
    assert!(wrong > 50, "{wrong} numbers were spoiled");
    assert!(drift(&verify(&store).await).is_empty());
}

#[tokio::test]
async fn a_rebuild_mends_whatever_was_wrong() {
    let engine = MemoryEngine::new();
    let store = settled(&engine).await;
    let before = figures(&engine).len();
    for scope in [
        Scope::Day("2026-03-01".parse().expect("a day")),
        Scope::Everything,
    ] {
        for mut item in figures(&engine) {
            let day = matches!(item.get("pk"), Some(Value::S(key)) if key.contains("#2026-"));
            if day || scope == Scope::Everything {
                item.insert("amount".to_owned(), number(77));
                item.insert("orders".to_owned(), number(77));
                engine
                    .overwrite(Table::Tallies, &item)
                    .expect("overwritten");
            }
        }
        assert!(!drift(&verify(&store).await).is_empty());
        let rebuilt = store
            .rebuild(scope, &TimeZone::UTC, now, |_| {})
            .await
            .expect("rebuilt");
        assert!(
            rebuilt.entries > 0 && rebuilt.wrong.is_empty(),
            "{rebuilt:?}"
        );
        assert!(drift(&verify(&store).await).is_empty(), "{scope:?}");
        // What the stream delivers again counts no second time.
        assert!(
            drift(&tally_and_verify(&store).await).is_empty(),
            "{scope:?}"
        );
    }
    // What was live before is there until the next one, and no longer.
    let mut last = 0;
    for _ in 0..3 {
        store
            .rebuild(Scope::Everything, &TimeZone::UTC, now, |_| {})
            .await
            .expect("rebuilt");
        last = figures(&engine).len();
    }
    assert_eq!(last, 2 * before);
}

#[derive(Default)]
pub struct Sent(Mutex<Vec<Named>>);

impl Entries for Sent {
    async fn send(&self, entries: Vec<Named>) -> Result<(), Fault> {
        self.0.lock().expect("a lock").extend(entries);
        Ok(())
    }
}

pub fn at() -> Invocation {
    Invocation {
        now: now(),
        remaining: Duration::from_secs(60),
        draw: 1,
    }
}

#[tokio::test]
async fn the_sample_events_are_what_tally_takes() {
    let store = Store::new(MemoryEngine::new(), 1);
    let (queue, sent) = (MemoryInbox::default(), Sent::default());
    let ports = tally::Ports {
        store: &store,
        queue: &queue,
        entries: &sent,
        zone: &TimeZone::UTC,
    };
    let event = |name: &str| -> Event {
        serde_json::from_slice(&read(&format!("events/{name}.json"))).expect("an event")
    };
    let Event::Stream(stream) = event("tally") else {
        panic!("not of a stream");
    };
    // Of the two records, one is an entry that nobody can read.
    let response = tally::handle(&ports, event("tally"), at())
        .await
        .expect("an answer");
    assert!(response.batch_item_failures.is_empty());
    assert_eq!(sent.0.lock().expect("a lock").len(), 1);
    let day = store
        .day("2026-03-01".parse().expect("a day"))
        .await
        .expect("a day");
    let total = day[&usd()].total().expect("a sum");
    assert_eq!((total.orders, total.failed_orders()), (2, 1));
    assert_eq!(total.gross, "332.05".parse::<Decimal>().expect("a decimal"));

    // The queue names the same entry; the journal of this test has none, until it is put there.
    let response = tally::handle(&ports, event("tally-entries"), at())
        .await
        .expect("an answer");
    assert!(response.batch_item_failures.is_empty());
    assert_eq!(queue.buried.lock().expect("a lock").len(), 1);
    let image = stream.records[0].change.new_image.clone();
    store
        .engine()
        .overwrite(Table::Journal, &image)
        .expect("written");
    tally::handle(&ports, event("tally-entries"), at())
        .await
        .expect("an answer");
    assert_eq!(queue.buried.lock().expect("a lock").len(), 1);
    let again = store
        .day("2026-03-01".parse().expect("a day"))
        .await
        .expect("a day");
    assert_eq!(again, day, "what was entered is not entered again");
}

#[tokio::test]
async fn an_entry_that_is_too_old_is_not_believed_to_be_new() {
    let store = Store::new(MemoryEngine::new(), 1);
    let mut old = entry("old", &[("C".to_owned(), "A".to_owned(), 100)]);
    old.at = now() - SignedDuration::from_hours(24 * 30);
    let recent = entry("recent", &[("C".to_owned(), "A".to_owned(), 100)]);
    let entries = [old, recent];
    let answers = store
        .enter(&entries, &TimeZone::UTC, now(), TIME)
        .await
        .expect("answers");
    assert!(
        matches!(answers[..], [Err(Fault::Refused(_)), Ok(())]),
        "{answers:?}"
    );
    for entry in &entries {
        let put = journal::append(entry).expect("an entry");
        store.engine().write(&put).await.expect("written");
    }
    store
        .rebuild(Scope::Everything, &TimeZone::UTC, now, |_| {})
        .await
        .expect("rebuilt");
    assert_eq!(store.settled("im_f").await.expect("an answer").completed, 2);
}

#[tokio::test]
async fn boards_and_ranks_share_places_and_follow_refunds_at_once() {
    let store = Store::new(MemoryEngine::new(), 1);
    let spent = [
        ("C-1", 500),
        ("C-2", 900),
        ("C-3", 500),
        ("C-4", 100),
        ("C-5", 505),
    ];
    let orders = spent.map(|(customer, cents)| (customer.to_owned(), "A".to_owned(), cents));
    enter(&store, &[entry("one", &orders)]).await;
    let board = async || -> Vec<(u64, String)> {
        let rows = store
            .board(Board::Customers, Book::AllTime, usd(), 10)
            .await
            .expect("a board");
        for row in &rows {
            let rank = store
                .rank(&row.id, usd())
                .await
                .expect("an answer")
                .expect("a rank");
            assert_eq!((rank.rank, rank.of), (row.rank, 5), "{}", row.id);
        }
        rows.into_iter().map(|row| (row.rank, row.id)).collect()
    };
    let names = |ranks: [(u64, &str); 5]| ranks.map(|(rank, id)| (rank, id.to_owned()));
    let expected = names([(1, "C-2"), (2, "C-5"), (3, "C-1"), (3, "C-3"), (5, "C-4")]);
    assert_eq!(board().await, expected);

    let mut change = entry("one", &orders).changes.remove(1);
    change.refund_id = Some("re_1".to_owned());
    change.total = Decimal::new(400, 2);
    let refund = Entry::refunded("re_1", "im_f", change, now(), &TimeZone::UTC);
    enter(&store, &[refund.clone(), refund]).await;
    let expected = names([(1, "C-5"), (2, "C-1"), (2, "C-2"), (2, "C-3"), (5, "C-4")]);
    assert_eq!(board().await, expected);
    assert_eq!(store.rank("nobody", usd()).await, Ok(None));
    assert_eq!(store.currencies().await, Ok(vec![usd()]));
}

/// The queue's message, as often as it is delivered.
pub fn message(body: &str) -> Event {
    let mut message = SqsMessage::default();
    message.message_id = Some("m-1".to_owned());
    message.body = Some(body.to_owned());
    let mut event = SqsEvent::default();
    event.records = vec![message];
    Event::Entries(event)
}

#[tokio::test]
async fn records_that_the_stream_gave_up_are_found_again() {
    let store = Store::new(MemoryEngine::new(), 1);
    let (queue, sent) = (MemoryInbox::default(), Sent::default());
    let zone = TimeZone::UTC;
    let ports = tally::Ports {
        store: &store,
        queue: &queue,
        entries: &sent,
        zone: &zone,
    };
    let mut long_ago = entry("long-ago", &[("C".to_owned(), "A".to_owned(), 100)]);
    long_ago.at = now() - SignedDuration::from_hours(30);
    let lost = entry("lost", &[("C".to_owned(), "A".to_owned(), 100)]);
    let duplicate = Entry::duplicate("im_f", &order(7, "O", &[("A", 1)]), now());
    for entry in [&long_ago, &lost, &duplicate] {
        let put = journal::append(entry).expect("an entry");
        store.engine().write(&put).await.expect("written");
    }
    let given_up = r#"{"DDBStreamBatchInfo": {
        "approximateArrivalOfFirstRecord": "2026-03-01T12:00:01Z",
        "approximateArrivalOfLastRecord": "2026-03-01T12:00:03Z"}}"#;
    let response = tally::handle(&ports, message(given_up), at()).await;
    assert!(response.expect("an answer").batch_item_failures.is_empty());
    let taken = || std::mem::take(&mut *sent.0.lock().expect("a lock"));
    for part in taken() {
        assert!(matches!(part, Named::Part(_)), "{part}");
        let body = part.body().expect("json");
        let answer = tally::handle(&ports, message(&body), at()).await;
        assert!(answer.expect("an answer").batch_item_failures.is_empty());
    }
    let names = taken();
    let found: Vec<String> = names.iter().map(Named::to_string).collect();
    assert_eq!(found, [lost.name(), duplicate.name()]);
    for name in names {
        let body = name.body().expect("json");
        tally::handle(&ports, message(&body), at())
            .await
            .expect("an answer");
    }
    let settled = store.settled("im_f").await.expect("an answer");
    assert_eq!((settled.completed, settled.duplicates), (1, 1));
}

#[tokio::test]
async fn figures_keep_their_days_until_everything_is_built_anew() {
    let store = Store::new(MemoryEngine::new(), 1);
    let berlin = TimeZone::get("Europe/Berlin").expect("a bundled zone");
    let mut late = entry("late", &[("C".to_owned(), "A".to_owned(), 100)]);
    late.at = "2026-03-01T23:30:00Z".parse().expect("an instant");
    let put = journal::append(&late).expect("an entry");
    store.engine().write(&put).await.expect("written");
    let orders = async || {
        let mut orders = Vec::new();
        for day in ["2026-03-01", "2026-03-02"] {
            let day = store.day(day.parse().expect("a day")).await.expect("a day");
            let totals = day.values().map(|day| day.total().expect("a sum").orders);
            orders.push(totals.sum::<u64>());
        }
        orders
    };
    for zone in [&TimeZone::UTC, &berlin] {
        let answers = store
            .enter(std::slice::from_ref(&late), zone, late.at, TIME)
            .await;
        assert_eq!(answers.expect("answers"), [Ok(())]);
        assert_eq!(orders().await, [1, 0]);
    }
    let day = Scope::Day("2026-03-01".parse().expect("a day"));
    for (scope, expected) in [(day, [1, 0]), (Scope::Everything, [0, 1])] {
        store
            .rebuild(scope, &berlin, || late.at, |_| {})
            .await
            .expect("rebuilt");
        assert_eq!(orders().await, expected, "{scope:?}");
    }
    assert_eq!(store.zone_of_figures(&TimeZone::UTC).await, Ok(berlin));
}

#[tokio::test]
async fn what_somebody_died_over_is_not_built_for_ever() {
    let engine = MemoryEngine::new();
    let store = Store::new(engine.clone(), 1);
    let one = |name: &str| [entry(name, &[("C".to_owned(), "A".to_owned(), 100)])];
    enter(&store, &one("before")).await;
    let steps = async {
        for _ in 0..4 {
            tokio::task::yield_now().await;
        }
    };
    let zone = TimeZone::UTC;
    tokio::select! {
        biased;
        rebuilt = store.rebuild(Scope::Everything, &zone, now, |_| {}) => panic!("{rebuilt:?}"),
        () = steps => {}
    }
    let beside = || {
        let items = engine.items(Table::Tallies);
        let of_two =
            |item: &&Item| matches!(item.get("pk"), Some(Value::S(key)) if key.starts_with("2#"));
        items.iter().filter(of_two).count()
    };
    enter(&store, &one("meanwhile")).await;
    let so_far = beside();
    assert!(so_far > 0, "nothing was being built");
    let later = now() + SignedDuration::from_mins(16);
    let answers = store
        .enter(&one("later"), &TimeZone::UTC, later, TIME)
        .await;
    assert_eq!(answers.expect("answers"), [Ok(())]);
    assert_eq!(beside(), so_far);
    assert_eq!(store.settled("im_f").await.expect("an answer").completed, 3);
}
