//! Lists of notifications of some sort, beside what looking at all of them finds; and what they read.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use domain::Fault;
use domain::Status;
use domain::journal::Change;
use domain::notification::{ImportTold, Kind, OrderTold, Standing, Told};
use domain::preferences::Channel;
use domain::progress::{ImportStatus, Progress};
use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;
use store::lists::notifications::NotificationFilter;
use store::memory::MemoryEngine;
use store::notifications::{Begun, Ended, New, NotificationRecord};
use store::ops::{Count, Item, Key, Page, Query, TransactError, Write, WriteError};
use store::page::{ListError, Position};
use store::schema::Table;
use store::{Engine, Store};

use super::support::records;
use crate::lists::forged::{forgeries, tried};
use crate::support::{approving, batch, now, order, saga, stock};

/// A record about an order or an import, put on record at this instant.
fn record(number: u64, channel: Channel, kind: Kind, at: Timestamp) -> NotificationRecord {
    let order = order(number, &format!("O-{number:06}"), &[("A", 1)]);
    let mut change = Change::new(&order, None);
    let told = match kind {
        Kind::Import => Told::Import(ImportTold {
            import_id: format!("im_{number:06}"),
            file: "orders.csv".to_owned(),
            status: ImportStatus::Completed,
            reason: None,
            progress: Progress::default(),
            created_at: at,
            ended_at: at,
        }),
        _ => {
            if kind == Kind::Failed {
                change.failure = Some(domain::Reason::OutOfStock);
            }
            Told::Order(OrderTold {
                change,
                back: Vec::new(),
                status: Status::Completed,
                total: Decimal::new(999, 2),
            })
        }
    };
    let new = New {
        channel,
        told,
        message: "Your order is confirmed".to_owned(),
    };
    NotificationRecord::new(new, at)
}

async fn ended(store: &Store<impl Engine>, record: &NotificationRecord, ended: &Ended) {
    let until = now() + SignedDuration::from_mins(1);
    let begun = store.begin_sending(record, now(), until).await;
    let Ok(Begun::Yours(begun)) = begun else {
        panic!("{begun:?}");
    };
    store
        .end_sending(&begun, ended, now())
        .await
        .expect("ended");
}

fn sent() -> Ended {
    Ended::Sent {
        message_id: Some("ses-1".to_owned()),
    }
}

/// Notifications of some days, types, channels and statuses; many of the same instant.
pub async fn filled(store: &Store<MemoryEngine>, count: u64) {
    let mut random = fastrand::Rng::with_seed(7);
    for number in 0..count {
        let kind = [Kind::Confirmation, Kind::Failed, Kind::Import][random.usize(0..3)];
        let channel = [Channel::Email, Channel::Log][random.usize(0..2)];
        let days = SignedDuration::from_hours(24 * random.i64(0..4));
        let record = record(1_000 + number, channel, kind, now() - days);
        store
            .put_notifications(std::slice::from_ref(&record))
            .await
            .expect("put");
        if channel == Channel::Email {
            match random.u8(0..4) {
                0 => {}
                1 => ended(store, &record, &sent()).await,
                2 => ended(store, &record, &Ended::Failed("no".to_owned())).await,
                _ => ended(store, &record, &Ended::Suppressed("no".to_owned())).await,
            }
        }
    }
}

/// All pages, of sizes that are drawn: the ids.
pub async fn all_of(store: &Store<MemoryEngine>, filter: &NotificationFilter<'_>) -> Vec<String> {
    let mut random = fastrand::Rng::with_seed(1);
    let (mut found, mut position): (Vec<NotificationRecord>, Option<Position>) = Default::default();
    for _ in 0..1_000 {
        let limit = *random.choice(&[1, 2, 7, 100]).unwrap_or(&1);
        let page = store.list_notifications(filter, now(), limit, position.as_ref());
        let page = page.await.expect("a page");
        assert!(page.items.len() <= limit as usize);
        found.extend(page.items);
        position = page.next;
        if position.is_none() {
            let times: Vec<Timestamp> = found.iter().map(|one| one.created_at).collect();
            assert!(times.is_sorted_by(|one, other| one >= other), "{times:?}");
            return found.iter().map(|one| one.name().id()).collect();
        }
    }
    panic!("the pages have no end");
}

/// Every combination of a status, a type and a channel, or none of them.
fn filters() -> Vec<NotificationFilter<'static>> {
    let mut filters = Vec::new();
    for status in Standing::ALL.into_iter().map(Some).chain([None]) {
        for kind in Kind::ALL.into_iter().map(Some).chain([None]) {
            for channel in [None, Some(Channel::Email), Some(Channel::Log)] {
                filters.push(NotificationFilter {
                    kind,
                    channel,
                    status,
                    ..NotificationFilter::default()
                });
            }
        }
    }
    filters
}

#[tokio::test]
async fn a_list_of_any_sort_has_all_of_its_notifications_once() {
    let store = Store::new(MemoryEngine::new().page_size(3), 1);
    filled(&store, 120).await;
    let all = records(&store).await;
    let mut lists = 0;
    for filter in filters() {
        let wanted = all.iter().filter(|(_, record)| {
            let (channel, kind, status) = record.group();
            filter.channel.is_none_or(|wanted| wanted == channel)
                && filter.kind.is_none_or(|wanted| wanted == kind)
                && filter.status.is_none_or(|wanted| wanted == status)
        });
        let wanted: Vec<String> = wanted.map(|(id, _)| id.clone()).collect();
        let mut found = all_of(&store, &filter).await;
        found.sort();
        assert_eq!(found, wanted, "{filter:?}");
        lists += usize::from(!wanted.is_empty());
    }
    assert!(lists > 30, "{lists}");
}

#[tokio::test]
async fn a_forged_position_of_a_sort_or_a_customer_leads_nowhere_else() {
    let store = Store::new(MemoryEngine::new(), 1);
    filled(&store, 60).await;
    stock(&store, &[("A", 100)]).await;
    let orders = (0..4).map(|row| order(7 * row, &format!("O-{row}"), &[("A", 1)]));
    let settled = saga(&store, &approving("1"), &batch("im_1", 0, orders.collect())).await;
    settled.expect("settled");
    let told = (0..4).map(|row| record_of(7 * row, &format!("O-{row}")));
    let told: Vec<NotificationRecord> = told.collect();
    store.put_notifications(&told).await.expect("put");
    let failed = NotificationFilter {
        status: Some(Standing::Failed),
        ..NotificationFilter::default()
    };
    let of_customer = NotificationFilter {
        customer_id: Some("C-0"),
        ..NotificationFilter::default()
    };
    for filter in [failed, of_customer] {
        let list = async |position: Option<&Position>| {
            store.list_notifications(&filter, now(), 1, position).await
        };
        let genuine = list(None).await.expect("a page").next.expect("a position");
        let mut forged = forgeries(std::slice::from_ref(&genuine));
        // With a part, too: the lists above have none.
        let parts = ["", "x", "#", "confirmation#1", "import#1", "\u{0}"];
        let with_parts: Vec<_> = forged
            .iter()
            .filter(|value| value["after"]["id"].is_string())
            .flat_map(|value| {
                parts.map(|part| {
                    let mut value = value.clone();
                    value["after"]["part"] = part.into();
                    value
                })
            })
            .collect();
        forged.extend(with_parts);
        forged.push(serde_json::json!(genuine));
        let is_like = |record: &NotificationRecord| {
            filter.status.is_none_or(|status| record.status == status)
                && filter
                    .customer_id
                    .is_none_or(|id| record.customer_id() == Some(id))
        };
        let tried = tried(&forged, list, is_like).await;
        assert!(tried.refused > tried.pages && tried.pages > 0);
    }
    // The position of one customer is none of another.
    let page = store.list_notifications(&of_customer, now(), 1, None).await;
    let position = page.expect("a page").next.expect("a position");
    let other = NotificationFilter {
        customer_id: Some("C-1"),
        ..of_customer
    };
    let refused = store
        .list_notifications(&other, now(), 1, Some(&position))
        .await;
    assert_eq!(refused, Err(ListError::BadPosition));
}

/// The confirmation of this order.
fn record_of(row: u64, order_id: &str) -> NotificationRecord {
    let told = Told::Order(OrderTold {
        change: Change::new(&order(row, order_id, &[("A", 1)]), None),
        back: Vec::new(),
        status: Status::Completed,
        total: Decimal::new(999, 2),
    });
    let new = New {
        channel: Channel::Log,
        told,
        message: "Your order is confirmed".to_owned(),
    };
    NotificationRecord::new(new, now())
}

/// Requests and items that are read.
#[derive(Clone)]
struct Reads {
    engine: MemoryEngine,
    requests: Arc<AtomicU64>,
    items: Arc<AtomicU64>,
}

impl Reads {
    fn note(&self, items: usize) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.items.fetch_add(items as u64, Ordering::Relaxed);
    }

    /// Since the last time.
    fn taken(&self) -> (u64, u64) {
        (
            self.requests.swap(0, Ordering::Relaxed),
            self.items.swap(0, Ordering::Relaxed),
        )
    }
}

impl Engine for Reads {
    async fn get(&self, key: &Key) -> Result<Option<Item>, Fault> {
        self.note(1);
        self.engine.get(key).await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        self.note(keys.len());
        self.engine.get_many(keys).await
    }

    async fn write(&self, write: &Write) -> Result<(), WriteError> {
        self.engine.write(write).await
    }

    async fn update_many(&self, updates: &[Write]) -> Result<Vec<Result<(), WriteError>>, Fault> {
        self.engine.update_many(updates).await
    }

    async fn transact(&self, writes: &[Write], token: &str) -> Result<(), TransactError> {
        self.engine.transact(writes, token).await
    }

    async fn query(&self, query: &Query) -> Result<Page, Fault> {
        let page = self.engine.query(query).await?;
        self.note(page.items.len());
        Ok(page)
    }

    async fn count(&self, query: &Query) -> Result<Count, Fault> {
        let count = self.engine.count(query).await?;
        self.note(count.items as usize);
        Ok(count)
    }

    async fn scan(
        &self,
        table: Table,
        start: Option<Item>,
        limit: Option<u32>,
    ) -> Result<Page, Fault> {
        let page = self.engine.scan(table, start, limit).await?;
        self.note(page.items.len());
        Ok(page)
    }
}

/// Requests and items of each call, with so many confirmations in the log on one day, and a hundred others among them.
async fn read_among(count: u64) -> Vec<(&'static str, (u64, u64))> {
    let engine = Reads {
        engine: MemoryEngine::new(),
        requests: Arc::default(),
        items: Arc::default(),
    };
    let store = Store::new(engine.clone(), 1);
    stock(&store, &[("A", 100)]).await;
    let orders = (0..3).map(|row| {
        let mut order = order(row, &format!("X-{row}"), &[("A", 1)]);
        order.customer_id = "C-rare".to_owned();
        order
    });
    let settled = saga(&store, &approving("1"), &batch("im_1", 0, orders.collect())).await;
    settled.expect("settled");
    let mut all: Vec<NotificationRecord> = (0..3)
        .map(|row| record_of(row, &format!("X-{row}")))
        .collect();
    for record in &mut all {
        if let Told::Order(order) = &mut record.told {
            order.change.customer_id = "C-rare".to_owned();
        }
    }
    let rare = count / 100;
    let at = |number: u64| now() - SignedDuration::from_millis(number as i64);
    for number in 0..count {
        let (channel, kind) = match number.is_multiple_of(rare) {
            true if number < 20 * rare => (Channel::Email, Kind::Confirmation),
            true if number < 40 * rare => (Channel::Email, Kind::Failed),
            true => (Channel::Log, Kind::Import),
            false => (Channel::Log, Kind::Confirmation),
        };
        all.push(record(number, channel, kind, at(number)));
    }
    store.put_notifications(&all).await.expect("put");
    let mails: Vec<&NotificationRecord> = all
        .iter()
        .filter(|one| one.channel == Channel::Email)
        .collect();
    assert_eq!(mails.len(), 40);
    for (number, record) in mails.into_iter().enumerate() {
        match number % 4 {
            0 => {}
            1 => ended(&store, record, &sent()).await,
            2 => ended(&store, record, &Ended::Failed("no".to_owned())).await,
            _ => ended(&store, record, &Ended::Suppressed("no".to_owned())).await,
        }
    }
    let all = NotificationFilter::default();
    let status = |status| NotificationFilter {
        status: Some(status),
        ..all
    };
    let calls = [
        ("list", all, 50),
        ("list --status failed", status(Standing::Failed), 10),
        ("list --status suppressed", status(Standing::Suppressed), 10),
        ("list --status pending", status(Standing::Pending), 10),
        ("list --status sent", status(Standing::Sent), 50),
        (
            "list --channel email",
            NotificationFilter {
                channel: Some(Channel::Email),
                ..all
            },
            40,
        ),
        (
            "list --type import",
            NotificationFilter {
                kind: Some(Kind::Import),
                ..all
            },
            50,
        ),
        (
            "list --type failed --status sent",
            NotificationFilter {
                kind: Some(Kind::Failed),
                ..status(Standing::Sent)
            },
            5,
        ),
        (
            "list --customer",
            NotificationFilter {
                customer_id: Some("C-rare"),
                ..all
            },
            3,
        ),
    ];
    let mut read = Vec::new();
    engine.taken();
    for (call, filter, expected) in calls {
        let (mut found, mut position) = (0, None);
        // As the command turns pages, until it has fifty.
        while found < 50 {
            let missing = 50 - found as u32;
            let page = store.list_notifications(&filter, now(), missing, position.as_ref());
            let page = page.await.expect("a page");
            found += page.items.len();
            position = page.next;
            if position.is_none() {
                break;
            }
        }
        assert_eq!(found, expected, "{call}");
        read.push((call, engine.taken()));
    }
    let stats = store.notification_stats(None, None, now()).await;
    let sum: u64 = stats.expect("stats").counts.values().sum();
    assert_eq!(sum, count + 3);
    read.push(("stats", engine.taken()));
    read
}

#[tokio::test]
async fn lists_and_stats_read_no_more_among_100_000_than_among_10_000() {
    let (few, many) = (read_among(10_000).await, read_among(100_000).await);
    for ((call, (requests, items)), (_, (of_many, items_of_many))) in few.iter().zip(&many) {
        println!("{call}: {requests} requests, {items} items; {of_many}, {items_of_many}");
    }
    assert_eq!(few, many);
    for (call, (requests, items)) in many {
        assert!(
            requests <= 100 && items <= 400,
            "{call}: {requests}, {items}"
        );
    }
}
