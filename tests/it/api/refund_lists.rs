//! Refunds as they are listed, page by page, and what they come to.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use fastrand::Rng;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use store::refunds::RefundRecord;

use super::bench::Bench;
use crate::lists::refunds::{all, fill};
use crate::support::now;

/// All pages, the ids in their sequence.
async fn turned(bench: &Bench, path: &str, random: &mut Rng) -> Vec<String> {
    let mut ids = Vec::new();
    let mut cursor = String::new();
    for _ in 0..1_000 {
        let limit = *random.choice(&[1, 3, 50, 100]).unwrap_or(&1);
        let page = bench.get(&format!("{path}limit={limit}{cursor}")).await;
        let rows = page.data().as_array().expect("rows");
        assert!(rows.len() <= limit);
        ids.extend(rows.iter().map(|row| row["refund_id"].to_string()));
        match page.body["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return ids,
        }
    }
    panic!("{path} has no end");
}

fn wanted(all: &[RefundRecord], wanted: impl Fn(&RefundRecord) -> bool) -> Vec<String> {
    let wanted = all.iter().filter(|refund| wanted(refund));
    wanted
        .map(|refund| json!(refund.refund_id).to_string())
        .collect()
}

fn day(refund: &RefundRecord) -> Date {
    refund.created_at.to_zoned(TimeZone::UTC).date()
}

fn date(text: &str) -> Date {
    text.parse().expect("a day")
}

#[tokio::test]
async fn every_filter_finds_what_it_says_and_nothing_twice() {
    let (bench, mut random) = (Bench::new(), Rng::with_seed(1));
    fill(&bench.store, 150, &mut random).await;
    let all = all(&bench.store).await;
    let (from, to) = (date("2026-02-10"), date("2026-02-20"));
    let recent = |refund: &RefundRecord| day(refund) >= date("2026-01-30");
    let days = |refund: &RefundRecord| (from..=to).contains(&day(refund));
    type Wanted<'a> = &'a dyn Fn(&RefundRecord) -> bool;
    let cases: [(&str, Wanted<'_>); 14] = [
        ("", &recent),
        ("status=pending&", &|one| {
            recent(one) && one.status.name() == "PENDING"
        }),
        ("status=completed&", &|one| {
            recent(one) && one.status.name() == "COMPLETED"
        }),
        ("status=cancelled&", &|one| {
            recent(one) && one.status.name() == "CANCELLED"
        }),
        ("status=failed&", &|one| {
            recent(one) && one.status.name() == "FAILED"
        }),
        ("type=full&", &|one| recent(one) && one.full),
        ("type=partial&", &|one| recent(one) && !one.full),
        ("customer_id=C-3&", &|one| one.customer_id == "C-3"),
        ("order_id=O-3&", &|one| one.order_id == "O-3"),
        ("order_id=O-3&customer_id=C-4&", &|_| false),
        ("from_date=2026-02-10&to_date=2026-02-20&", &days),
        (
            "customer_id=C-2&from_date=2026-02-10&to_date=2026-02-20&",
            &|one| one.customer_id == "C-2" && days(one),
        ),
        ("order_id=O-2&status=pending&to_date=2026-02-20&", &|one| {
            one.order_id == "O-2" && one.status.name() == "PENDING" && day(one) <= to
        }),
        ("customer_id=nobody&", &|_| false),
    ];
    for (filter, is_wanted) in cases {
        let path = format!("/refunds?{filter}");
        let found = turned(&bench, &path, &mut random).await;
        assert_eq!(found, wanted(&all, is_wanted), "{filter}");
    }
    let whole = turned(&bench, "/refunds?from_date=2025-12-01&", &mut random).await;
    assert_eq!(whole, wanted(&all, |_| true));
}

#[tokio::test]
async fn what_is_no_list_of_refunds_is_said_to_be_none() {
    let (bench, mut random) = (Bench::new(), Rng::with_seed(2));
    fill(&bench.store, 40, &mut random).await;
    for (query, field) in [
        ("status=open", "status"),
        ("status=PENDING", "status"),
        ("type=", "type"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("from_date=2026-02-30", "from_date"),
        ("from_date=2026-02-02&to_date=2026-02-01", "to_date"),
        ("from_date=2020-01-01", "to_date"),
        (
            "order_id=O-1&from_date=2026-02-02&to_date=2026-02-01",
            "to_date",
        ),
    ] {
        let answer = bench.get(&format!("/refunds?{query}")).await;
        let problem = match field {
            "to_date" => (422, "unprocessable"),
            _ => (400, "invalid_parameter"),
        };
        assert_eq!(answer.problem(), problem, "{query}");
        assert_eq!(answer.body["field"], field, "{query}");
    }
    let page = bench.get("/refunds?limit=3").await;
    let next = page.body["next"].as_str().expect("a cursor").to_owned();
    let cursor = |position: Value| BASE64_URL_SAFE_NO_PAD.encode(position.to_string());
    let of_customer = bench.get("/refunds?customer_id=C-1&limit=1").await;
    let of_customer = of_customer.body["next"].as_str().expect("a cursor");
    for forged in [
        "x".to_owned(),
        "%00".to_owned(),
        "a".repeat(5_000),
        format!("{next}x"),
        of_customer.to_owned(),
        cursor(json!(null)),
        cursor(json!(7)),
        cursor(json!({})),
        cursor(json!({"of": ""})),
        cursor(json!({"of": "2026-13-01"})),
        cursor(json!({"of": "2026-02-20", "after": {"at": "x".repeat(3_000), "id": "re_1"}})),
        cursor(
            json!({"of": "2026-02-20", "after": {"at": "2026-02-20T00:00:00.000000000Z", "id": ""}}),
        ),
        cursor(json!({"of": "2026-02-20", "more": 1})),
    ] {
        let answer = bench.get(&format!("/refunds?cursor={forged}")).await;
        assert_eq!(answer.problem(), (422, "invalid_cursor"), "{forged}");
        assert_eq!(answer.body["field"], "cursor");
    }
    let path = format!("/refunds?customer_id=C-1&cursor={next}");
    let elsewhere = bench.get(&path).await;
    assert_eq!(elsewhere.problem(), (422, "invalid_cursor"));
}

/// The ids on each page.
async fn pages(bench: &Bench, path: &str, limit: usize) -> Vec<Vec<String>> {
    let (mut pages, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = bench.get(&format!("{path}?limit={limit}{cursor}")).await;
        let rows = page.data().as_array().expect("rows").iter();
        pages.push(rows.map(|row| row["refund_id"].to_string()).collect());
        match page.body["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return pages,
        }
        assert!(pages.len() < 200);
    }
}

#[tokio::test]
async fn the_refunds_of_an_order_are_listed_the_first_one_first() {
    let (bench, mut random) = (Bench::new(), Rng::with_seed(3));
    fill(&bench.store, 100, &mut random).await;
    let mut of_order = wanted(&all(&bench.store).await, |one| one.order_id == "O-7");
    assert!(of_order.len() > 2);
    of_order.reverse();
    assert_eq!(
        pages(&bench, "/refunds/order/O-7", 50).await,
        [of_order.clone()]
    );
    let found = pages(&bench, "/refunds/order/O-7", 2).await;
    assert!(found[..found.len() - 1].iter().all(|page| page.len() == 2));
    assert_eq!(found.concat(), of_order);
    let page = bench.get("/refunds/order/O-7?limit=1").await;
    let elsewhere = page.body["next"].as_str().expect("a cursor");
    for (path, field) in [
        (format!("/refunds/order/O-8?cursor={elsewhere}"), "cursor"),
        ("/refunds/order/O-7?cursor=x".to_owned(), "cursor"),
        ("/refunds/order/O-7?limit=0".to_owned(), "limit"),
    ] {
        assert_eq!(bench.get(&path).await.body["field"], field, "{path}");
    }
    let unknown = bench.get("/refunds/order/O-99").await;
    assert_eq!(unknown.problem(), (404, "not_found"));
    let unknown = bench.get("/refunds/re_none").await;
    assert_eq!(unknown.problem(), (404, "not_found"));
}

#[tokio::test]
async fn refunds_are_added_up_by_currency_and_status() {
    let (bench, mut random) = (Bench::new(), Rng::with_seed(4));
    let empty = bench.get("/refunds/stats").await;
    let nothing = json!({
        "from_date": "2026-01-31", "to_date": "2026-03-01", "total_refunds": 0, "by_status": {}, "amounts": {},
    });
    assert_eq!(empty.data(), &nothing);
    fill(&bench.store, 120, &mut random).await;
    let all = all(&bench.store).await;
    for (query, from, to) in [
        ("", "2026-01-31", "2026-03-01"),
        (
            "from_date=2026-02-10&to_date=2026-02-20",
            "2026-02-10",
            "2026-02-20",
        ),
        ("from_date=2025-12-15", "2025-12-15", "2026-03-01"),
        ("to_date=2026-02-01", "2026-01-03", "2026-02-01"),
    ] {
        let (mut counts, mut sums) = (BTreeMap::new(), BTreeMap::new());
        let refunds = all.iter();
        let refunds = refunds.filter(|one| (date(from)..=date(to)).contains(&day(one)));
        for refund in refunds {
            let status = refund.status.name().to_ascii_lowercase();
            *counts.entry(status.clone()).or_insert(0) += 1;
            *sums.entry(status).or_insert(Decimal::ZERO) += refund.amount;
        }
        let sums: BTreeMap<String, String> = sums
            .into_iter()
            .map(|(status, sum)| (status, format!("{sum:.2}")))
            .collect();
        let answer = bench.get(&format!("/refunds/stats?{query}")).await;
        let expected = json!({
            "from_date": from, "to_date": to, "total_refunds": counts.values().sum::<i32>(),
            "by_status": counts, "amounts": {"USD": sums},
        });
        assert_eq!(answer.data(), &expected, "{query}");
    }
    let long = bench.get("/refunds/stats?from_date=2025-11-29").await;
    assert_eq!(long.problem(), (422, "unprocessable"));
    assert_eq!(now().to_zoned(TimeZone::UTC).date(), date("2026-03-01"));
}
