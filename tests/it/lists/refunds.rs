//! Refunds: by order, by customer and day by day, and what they add up to.

use std::collections::BTreeMap;

use domain::refund::{RefundStatus, Wanted};
use fastrand::Rng;
use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;
use store::lists::refunds::{RefundFilter, RefundSum};
use store::memory::MemoryEngine;
use store::page::ListError;
use store::refunds::{RefundRecord, RefundRequest, Requested};
use store::{Engine, Store};

use super::{none_lost, small_pages, sometime, turned};
use crate::support::{approving, batch, moment, now, order, saga, stock};

const ORDERS: u64 = 20;

pub async fn with_refunds(refunds: usize, random: &mut Rng) -> (MemoryEngine, Store<MemoryEngine>) {
    let (engine, store) = small_pages();
    fill(&store, refunds, random).await;
    (engine, store)
}

/// Sells some orders of seven customers, of which so many refunds are asked for.
pub async fn fill<E: Engine>(store: &Store<E>, refunds: usize, random: &mut Rng) {
    stock(store, &[("S", 1_000_000)]).await;
    let orders = (1..=ORDERS).map(|row| order(row, &format!("O-{row}"), &[("S", 100)]));
    let batch = batch("im_lists", 0, orders.collect());
    saga(store, &approving("1"), &batch).await.expect("settled");
    for _ in 0..refunds {
        add(store, random).await;
    }
}

/// One more refund of some order, which most of the time is completed or cancelled, or has failed.
async fn add<E: Engine>(store: &Store<E>, random: &mut Rng) {
    let order_id = format!("O-{}", random.u64(1..=ORDERS));
    let wanted = match random.u8(..50) {
        0 => Wanted::Full,
        _ => Wanted::Amount(Decimal::new(random.i64(1..200), 2)),
    };
    let request = RefundRequest {
        key: &format!("key-{}", random.u64(..)),
        order_id: &order_id,
        wanted: &wanted,
        reason: "broken",
        requested_by: "ada",
    };
    let answer = store.request_refund(&request, sometime(random)).await;
    let id = match answer.expect("an answer") {
        Requested::New(refund) => refund.refund_id,
        // Nothing is left of this order.
        Requested::Refused(_) => return,
        other => panic!("{other:?}"),
    };
    match random.u8(..4) {
        0 => drop(
            store
                .cancel_refund(&id, "ada", now())
                .await
                .expect("cancelled"),
        ),
        1 => {
            let begun = store.begin_refund(&id, now()).await.expect("an answer");
            let begun = begun.expect("a refund").refund;
            let done = store.complete_refund(&begun, "sim", &moment()).await;
            done.expect("completed");
        }
        2 => {
            let begun = store.begin_refund(&id, now()).await.expect("an answer");
            let begun = begun.expect("a refund").refund;
            let failed = store.fail_refund(&begun, "not today", now()).await;
            failed.expect("failed");
        }
        _ => {}
    }
}

pub async fn all<E: Engine>(store: &Store<E>) -> Vec<RefundRecord> {
    let mut all = Vec::new();
    let each = |refund| all.push(refund);
    store.each_refund(each).await.expect("all refunds");
    all.sort_by(|one, other| {
        let one = (one.created_at, &one.refund_id);
        (other.created_at, &other.refund_id).cmp(&one)
    });
    all
}

fn day(at: Timestamp) -> Date {
    at.to_string()[..10].parse().expect("a day")
}

/// What a filter means, said once more.
fn is_like(filter: &RefundFilter<'_>, refund: &RefundRecord) -> bool {
    let alone = filter.order_id.is_none() && filter.customer_id.is_none();
    let to = filter.to.or(alone.then(|| day(now())));
    let back = |to: Date| to.checked_sub(jiff::Span::new().days(30)).expect("a day");
    let from = filter
        .from
        .or_else(|| alone.then(|| to.map(back)).flatten());
    let on = day(refund.created_at);
    filter.status.is_none_or(|status| status == refund.status)
        && filter.full.is_none_or(|full| full == refund.full)
        && filter.order_id.is_none_or(|id| id == refund.order_id)
        && filter.customer_id.is_none_or(|id| id == refund.customer_id)
        && from.is_none_or(|from| on >= from)
        && to.is_none_or(|to| on <= to)
}

pub fn ids(refunds: &[RefundRecord], filter: &RefundFilter<'_>) -> Vec<String> {
    let like = refunds.iter().filter(|refund| is_like(filter, refund));
    like.map(|refund| refund.refund_id.clone()).collect()
}

#[tokio::test]
async fn pages_of_refunds_are_what_looking_at_all_finds() {
    let mut random = Rng::with_seed(1);
    let (_, store) = with_refunds(300, &mut random).await;
    let (mut listed, mut empty) = (0, 0);
    for round in 0..200 {
        let (order_id, customer_id) = (
            format!("O-{}", random.u64(1..=ORDERS)),
            format!("C-{}", random.u64(..7)),
        );
        let mut days = [day(sometime(&mut random)), day(sometime(&mut random))];
        days.sort();
        let mut maybe = |of: u8| random.u8(..of) == 0;
        let filter = RefundFilter {
            status: maybe(3).then_some(RefundStatus::Completed),
            full: maybe(4).then_some(round % 3 == 0),
            customer_id: maybe(3).then_some(&*customer_id),
            order_id: maybe(4).then_some(&*order_id),
            from: maybe(2).then_some(days[0]),
            to: maybe(2).then_some(days[1]),
        };
        let before = ids(&all(&store).await, &filter);
        // Every other time, nothing is added.
        let adds = round % 2 == 0;
        let found = turned(
            &mut random,
            async |limit, position| store.list_refunds(&filter, now(), limit, position).await,
            async |random| {
                if adds && random.u8(..4) == 0 {
                    add(&store, random).await;
                }
            },
        )
        .await;
        assert!(found.iter().all(|refund| is_like(&filter, refund)));
        assert!(found.is_sorted_by(|one, other| one.created_at >= other.created_at));
        let found = found.into_iter().map(|refund| refund.refund_id);
        let found: Vec<String> = found.collect();
        none_lost(&found, &before);
        if !adds {
            assert_eq!(found, before, "{filter:?}");
        }
        listed += before.len();
        empty += usize::from(before.is_empty());
    }
    assert!(
        listed > 3_000 && empty < 150,
        "{listed} listed, {empty} empty"
    );
}

#[tokio::test]
async fn a_page_of_refunds_reads_no_more_than_it_may() {
    let mut random = Rng::with_seed(2);
    let (engine, store) = with_refunds(300, &mut random).await;
    let first: Date = "2025-03-02".parse().expect("a day");
    let filter = RefundFilter {
        from: Some(first),
        ..RefundFilter::default()
    };
    let mut pages = 0;
    let (mut position, mut found) = (None, 0);
    loop {
        let before = engine.read_units();
        let page = store.list_refunds(&filter, now(), 100, position.as_ref());
        let page = page.await.expect("a page");
        let read = |name: &str| {
            let units = |units: &store::memory::ReadUnits| units.get(name).copied();
            units(&engine.read_units()).unwrap_or_default() - units(&before).unwrap_or_default()
        };
        // A query of a few entries is half a unit, and so is a refund.
        assert!(read("refunds/by-day") <= 25.0, "{}", read("refunds/by-day"));
        assert!(read("refunds") <= 50.0, "{}", read("refunds"));
        (pages, found) = (pages + 1, found + page.items.len());
        match page.next {
            None => break,
            next => position = next,
        }
    }
    assert_eq!(found, all(&store).await.len());
    // 365 days, in 50 requests a page.
    assert!(pages >= 8, "{pages}");
}

#[tokio::test]
async fn days_that_are_none_or_too_many_are_refused() {
    let (_, store) = small_pages();
    let date = |text: &str| Some(text.parse::<Date>().expect("a day"));
    for (customer_id, from, to, is_fine) in [
        (None, date("2025-03-01"), date("2026-03-01"), true),
        (None, date("2025-02-28"), date("2026-03-01"), false),
        (None, date("2025-01-01"), None, false),
        (None, None, date("2020-01-01"), true),
        (None, date("2026-03-02"), date("2026-03-01"), false),
        (None, date("2026-03-02"), None, false),
        (Some("C"), date("2000-03-02"), None, true),
        (Some("C"), date("2026-03-02"), date("2026-03-01"), false),
        (Some("C"), date("-000001-03-02"), None, false),
        (None, Some(Date::MIN), Some(Date::MIN), false),
        (None, Some(Date::MAX), Some(Date::MAX), true),
        (Some(""), None, None, true),
        (Some("\n"), None, None, true),
    ] {
        let filter = RefundFilter {
            customer_id,
            from,
            to,
            ..RefundFilter::default()
        };
        let page = store.list_refunds(&filter, now(), 10, None).await;
        let refused = matches!(page, Err(ListError::BadDays(_)));
        assert_eq!((page.is_ok(), refused), (is_fine, !is_fine), "{filter:?}");
    }
}

/// Who turns the page after midnight comes to an end, and not to a fault.
#[tokio::test]
async fn the_last_thirty_days_move_on_at_midnight() {
    let mut random = Rng::with_seed(3);
    let (_, store) = with_refunds(300, &mut random).await;
    let filter = RefundFilter::default();
    let tomorrow = now() + jiff::SignedDuration::from_hours(24);
    let mut position = None;
    loop {
        let page = store.list_refunds(&filter, now(), 1, position.as_ref());
        let Some(next) = page.await.expect("a page").next else {
            break;
        };
        let later = store.list_refunds(&filter, tomorrow, 100, Some(&next));
        later.await.expect("a page");
        position = Some(next);
    }
    let over = store.list_refunds(&filter, tomorrow, 100, position.as_ref());
    assert_eq!(over.await.expect("a page").items, []);
}

#[tokio::test]
async fn sums_are_those_of_all_refunds() {
    let mut random = Rng::with_seed(4);
    let (_, store) = with_refunds(300, &mut random).await;
    let all = all(&store).await;
    for _ in 0..50 {
        let mut days = [day(sometime(&mut random)), day(sometime(&mut random))];
        days.sort();
        let mut sums: BTreeMap<RefundStatus, (u64, Decimal)> = BTreeMap::new();
        for refund in &all {
            let on = day(refund.created_at);
            if on >= days[0] && on <= days[1] {
                let sum = sums.entry(refund.status).or_default();
                *sum = (sum.0 + 1, sum.1 + refund.amount);
            }
        }
        let sum = |(status, (refunds, amount))| RefundSum {
            currency: "USD".parse().expect("a currency"),
            status,
            refunds,
            amount,
        };
        let expected: Vec<RefundSum> = sums.into_iter().map(sum).collect();
        assert_eq!(store.refund_stats(days[0], days[1]).await, Ok(expected));
    }
    let date = |text: &str| text.parse::<Date>().expect("a day");
    let (from, to) = (date("2026-01-01"), date("2026-04-02"));
    assert!(store.refund_stats(from, to).await.is_ok(), "92 days");
    for (from, to) in [(from, date("2026-04-03")), (to, from)] {
        let refused = store.refund_stats(from, to).await;
        assert!(matches!(refused, Err(ListError::BadDays(_))), "{refused:?}");
    }
}

/// Two indexes more, which are written when a refund is put on record, and not again.
#[tokio::test]
async fn a_refund_is_written_once_in_the_indexes_of_lists() {
    let mut random = Rng::with_seed(5);
    let (engine, store) = with_refunds(50, &mut random).await;
    let refunds = all(&store).await.len() as u64;
    for index in ["by-order", "by-customer", "by-day"] {
        let units = engine.write_units();
        assert_eq!(units.get(&format!("refunds/{index}")), Some(&refunds));
    }
}
