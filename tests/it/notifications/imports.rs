//! What whoever runs the mill is told of: each import of a file that is over, once.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::Fault;
use domain::notification::{Name, Standing, Told};
use domain::preferences::Channel;
use domain::progress::{ImportStatus, Progress, SINGLE_ORDERS};
use edge::entries::Event;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use ordermill::verify::{self, Books};
use store::imports::{ImportRecord, Lease, Read, Taken};
use store::memory::{Faults, MemoryEngine};
use store::schema::Table;
use store::{Engine, Store};

use super::support::{OPERATOR, Office, Outbox, mailed, mortal, records, stream_of, told};
use crate::lists::imports::record;
use crate::support::failed::message;
use crate::support::{approving, batch, now, order, saga, stock, tally};

const FILE: &str = "imports/week.csv";

/// Two orders, of which one fails, and a row that is rejected.
async fn taken<E: Engine>(store: &Store<E>, import_id: &str, key: &str) {
    let new: ImportRecord = record(import_id, key, now());
    let taken = store.take_import(&new, now()).await;
    assert!(matches!(taken, Ok(Taken::Mine(_))), "{taken:?}");
    let read = Read {
        rows: 3,
        rejected: 1,
        ..Read::default()
    };
    let announced = store.announce_rows(lease(import_id), read, None).await;
    announced.expect("announced");
    stock(store, &[("A", 10)]).await;
    let lines = |units| [("A", units)];
    let ids = [1, 2].map(|row| format!("{import_id}-{row}"));
    let orders = vec![order(1, &ids[0], &lines(1)), order(2, &ids[1], &lines(999))];
    let batch = batch(import_id, 0, orders);
    saga(store, &approving("1"), &batch).await.expect("settled");
}

fn lease(import_id: &str) -> Lease<'_> {
    Lease {
        import_id,
        run: "run",
    }
}

async fn completed<E: Engine>(store: &Store<E>, import_id: &str, key: &str) {
    taken(store, import_id, key).await;
    let ended = store.end_import(lease(import_id), now()).await;
    ended.expect("ended");
    tally(store).await;
}

/// Every item of the table, as its stream brings what it was last.
fn imports(engine: &MemoryEngine) -> Event {
    stream_of(engine.items(Table::Imports))
}

#[tokio::test]
async fn an_import_that_is_over_is_told_of_once_however_often_it_is_delivered() {
    let engine = MemoryEngine::new();
    let store = Store::new(engine.clone(), 1);
    taken(&store, "im_1", FILE).await;
    let outbox = Outbox::default();
    // It is not over.
    told(&store, &outbox, imports(&engine)).await.expect("told");
    assert!(records(&store).await.is_empty());
    let ended = store.end_import(lease("im_1"), now()).await;
    ended.expect("ended");
    tally(&store).await;
    let single = format!("{SINGLE_ORDERS}O-9.csv");
    completed(&store, "im_2", &single).await;
    taken(&store, "im_3", "imports/broken.csv").await;
    let why = "there is no column for quantity";
    let failed = store.fail_import(lease("im_3"), why, now()).await;
    failed.expect("failed");

    told(&store, &outbox, imports(&engine)).await.expect("told");
    let first = records(&store).await;
    told(&store, &outbox, imports(&engine)).await.expect("told");
    assert_eq!(records(&store).await, first);
    let names: Vec<String> = first.keys().cloned().collect();
    let expected = ["im_1", "im_3"].map(|id| Name::of_import(id).id());
    assert_eq!(names, expected);
    let kept: BTreeMap<&str, _> = first
        .values()
        .map(|one| (one.order_id.as_str(), one))
        .collect();
    assert_eq!(kept["im_1"].customer_id(), None);
    let Told::Import(import) = &kept["im_1"].told else {
        panic!("no import: {kept:?}");
    };
    let progress = Progress {
        rows: 3,
        rejected: 1,
        completed: 1,
        failed: 1,
        ..Progress::default()
    };
    assert_eq!(import.progress, progress);
    assert_eq!(import.status, ImportStatus::Completed);
    assert_eq!(kept["im_1"].message, "Import of week.csv is completed");
    assert_eq!(kept["im_3"].message, "Import of broken.csv failed");

    let office = Office::default();
    let sent = mailed(&store, &office, outbox.mail_event(), now()).await;
    assert_eq!(sent, Ok((0, Vec::new())));
    assert_eq!(office.count(), 2);
    let sent = office.sent.into_inner().expect("a lock");
    assert!(sent.values().flatten().all(|address| address == OPERATOR));
    for record in records(&store).await.values() {
        assert_eq!((record.status, record.attempts), (Standing::Sent, 1));
        assert_eq!(record.channel, Channel::Email);
    }
}

#[tokio::test(start_paused = true)]
async fn who_dies_is_followed_by_one_who_tells_of_the_import() {
    let mut deaths = 0;
    for steps in 0.. {
        let engine = MemoryEngine::new();
        let store = Store::new(engine.clone(), 1);
        completed(&store, "im_1", FILE).await;
        let outbox = Outbox::default();
        let ended = mortal(told(&store, &outbox, imports(&engine)), steps).await;
        told(&store, &outbox, imports(&engine)).await.expect("told");
        assert_eq!(records(&store).await.len(), 1, "after {steps} steps");
        let mails = outbox.mails.lock().expect("a lock").len();
        assert!(mails > 0, "after {steps} steps");
        if ended.is_some() {
            break;
        }
        deaths += 1;
    }
    assert!(deaths >= 3, "it died {deaths} times only");
}

#[tokio::test(start_paused = true)]
async fn an_import_that_cannot_be_told_of_now_is_told_of_from_the_queue() {
    let engine = MemoryEngine::new();
    let store = Store::new(engine.clone(), 1);
    completed(&store, "im_1", FILE).await;
    taken(&store, "im_2", "imports/other.csv").await;
    let event = imports(&engine);
    let outbox = Outbox::default();
    engine.set_faults(Faults {
        throttle: 1_000,
        ..Faults::default()
    });
    let answer = told(&store, &outbox, event).await;
    assert_eq!(answer, Ok((0, Vec::new())), "the stream goes on");
    engine.set_faults(Faults::default());
    let waiting = outbox.subjects_event();
    assert_eq!(waiting.records.len(), 1);
    let at_last = told(&store, &outbox, Event::Entries(waiting)).await;
    assert_eq!(at_last, Ok((0, Vec::new())));
    assert_eq!(records(&store).await.len(), 1);

    // One that is not over comes back until it is, and one that is not there is put aside.
    let mut event = aws_lambda_events::sqs::SqsEvent::default();
    for (at, id) in ["im_2", "im_9"].iter().enumerate() {
        let body = notify::Subject::import(id).body().expect("json");
        event.records.push(message(&at.to_string(), &body, []));
    }
    let (back, buried) = told(&store, &outbox, Event::Entries(event))
        .await
        .expect("an answer");
    assert_eq!(back, 1);
    assert!(matches!(&buried[..], [Fault::Malformed(_)]), "{buried:?}");
}

#[tokio::test]
async fn imports_that_the_stream_gave_up_are_found_by_their_time() {
    let engine = MemoryEngine::new();
    let store = Store::new(engine.clone(), 1);
    completed(&store, "im_1", FILE).await;
    taken(&store, "im_2", "imports/other.csv").await;
    let given_up = |at: Timestamp| {
        let body = serde_json::json!({"DDBStreamBatchInfo": {
            "approximateArrivalOfFirstRecord": at, "approximateArrivalOfLastRecord": at,
        }});
        let mut event = aws_lambda_events::sqs::SqsEvent::default();
        event.records.push(message("1", &body.to_string(), []));
        Event::Entries(event)
    };
    let imports_in = |outbox: &Outbox| {
        let subjects = outbox.subjects.lock().expect("a lock");
        let imports = subjects
            .iter()
            .filter(|subject| matches!(subject, notify::Subject::Import(_)));
        imports.map(ToString::to_string).collect::<Vec<String>>()
    };
    for (minutes, expected) in [(0, vec!["im_1"]), (9, vec!["im_1"]), (11, vec![])] {
        let outbox = Outbox::default();
        let event = given_up(now() + Duration::from_secs(minutes * 60));
        let answer = told(&store, &outbox, event).await;
        assert_eq!(answer, Ok((0, Vec::new())));
        assert_eq!(imports_in(&outbox), expected, "after {minutes} minutes");
    }
}

#[tokio::test]
async fn verify_sees_an_import_that_nobody_is_told_of() {
    let engine = MemoryEngine::new();
    let store = Store::new(engine.clone(), 1);
    completed(&store, "im_1", FILE).await;
    completed(&store, "im_2", &format!("{SINGLE_ORDERS}O-9.csv")).await;
    let journal = stream_of(engine.items(Table::Journal));
    let outbox = Outbox::default();
    told(&store, &outbox, journal).await.expect("told");
    let drift = async |records: Vec<_>| {
        let books = Books::load(&store, &TimeZone::UTC).await.expect("books");
        let later = now() + SignedDuration::from_hours(1);
        verify::notifications::check(&books, &records, later).drift
    };
    let orders = records(&store).await.into_values().collect();
    let missing = drift(orders).await;
    assert_eq!(missing.len(), 1, "{missing:?}");
    assert!(
        missing[0].starts_with("im_1: nobody is told of import#1"),
        "{missing:?}"
    );

    told(&store, &outbox, imports(&engine)).await.expect("told");
    let all: Vec<_> = records(&store).await.into_values().collect();
    assert_eq!(drift(all.clone()).await, Vec::<String>::new());
    let mut wrong = all.clone();
    for record in &mut wrong {
        if let Told::Import(import) = &mut record.told {
            import.progress.completed += 1;
        }
    }
    assert_eq!(drift(wrong).await.len(), 1);
    let mut of_single = all;
    for record in &mut of_single {
        if let Told::Import(import) = &mut record.told {
            import.import_id = "im_2".to_owned();
            record.order_id = "im_2".to_owned();
        }
    }
    assert_eq!(
        drift(of_single).await.len(),
        2,
        "im_1 is not told of, im_2 is"
    );
}
