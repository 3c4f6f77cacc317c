//! Figures in their exact shapes: amounts are numbers with all their digits, whatever the currency.

use api::Origin;
use domain::Contact;
use domain::journal::{Change, Entry};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::bench::{Bench, call};
use crate::support::{TIME, now, order, stock, undated};

/// Customer, product, what it costs, and in which currency.
type Sale = (&'static str, &'static str, &'static str, &'static str);

const SALES: [Sale; 6] = [
    ("C-1", "A", "12.50", "USD"),
    ("C-1", "B", "9.99", "USD"),
    ("C-2", "A", "0.3", "USD"),
    ("C-3", "A", "1200", "JPY"),
    ("C-3", "A", "301", "JPY"),
    ("C-2", "B", "1.234", "KWD"),
];

async fn mill() -> Bench {
    let bench = Bench::new();
    stock(&bench.store, &[("A", 10)]).await;
    let ada = Contact {
        customer_id: "C-1".to_owned(),
        name: Some("Ada Byron".to_owned()),
        ..Contact::default()
    };
    let saved = bench.store.save_contacts(&[undated(ada)]).await;
    saved.expect("saved");
    let entries: Vec<Entry> = SALES
        .iter()
        .zip(1..)
        .map(|(sale, row)| entry(sale, row))
        .collect();
    let zone = TimeZone::UTC;
    let entered = bench.store.enter(&entries, &zone, now(), TIME);
    for answer in entered.await.expect("answers") {
        answer.expect("entered");
    }
    bench
}

fn entry((customer, sku, amount, currency): &Sale, row: u64) -> Entry {
    let mut order = order(row, &format!("O-{row}"), &[(sku, 1)]);
    order.customer_id = (*customer).to_owned();
    order.currency = currency.parse().expect("a currency");
    order.total = amount.parse::<Decimal>().expect("an amount");
    order.lines[0].unit_price = order.total;
    let changes = vec![Change::new(&order, None)];
    let name = format!("b-{row}");
    Entry::settled("finalize", &name, "im_f", 1, changes, now(), &TimeZone::UTC)
}

#[tokio::test]
async fn a_day_is_told_in_numbers() {
    let bench = mill().await;
    for (query, data) in [
        (
            "",
            r#""date":"2026-03-01","currency":"USD","total_revenue":22.79,"gross_revenue":22.79,"refunds":0.00,"refund_count":0,"order_count":3,"units":3,"average_order_value":7.60,"failed_orders":0,"failed_by_reason":{},"unique_customers":2,"other_currencies":["JPY","KWD"]"#,
        ),
        (
            "?currency=JPY",
            r#""date":"2026-03-01","currency":"JPY","total_revenue":1501,"gross_revenue":1501,"refunds":0,"refund_count":0,"order_count":2,"units":2,"average_order_value":751,"failed_orders":0,"failed_by_reason":{},"unique_customers":1,"other_currencies":["KWD","USD"]"#,
        ),
        (
            "?currency=KWD",
            r#""date":"2026-03-01","currency":"KWD","total_revenue":1.234,"gross_revenue":1.234,"refunds":0.000,"refund_count":0,"order_count":1,"units":1,"average_order_value":1.234,"failed_orders":0,"failed_by_reason":{},"unique_customers":1,"other_currencies":["JPY","USD"]"#,
        ),
        (
            "?currency=EUR",
            r#""date":"2026-03-01","currency":"EUR","total_revenue":0.00,"gross_revenue":0.00,"refunds":0.00,"refund_count":0,"order_count":0,"units":0,"average_order_value":0.00,"failed_orders":0,"failed_by_reason":{},"unique_customers":0,"other_currencies":["JPY","KWD","USD"]"#,
        ),
    ] {
        let expected = format!(r#"{{"success":true,"data":{{{data}}}}}"#);
        for path in ["/kpis/daily", "/kpis/daily/2026-03-01"] {
            let answer = bench.get(&format!("{path}{query}")).await;
            assert_eq!(answer.text, expected, "{path}");
        }
    }
}

#[tokio::test]
async fn boards_have_ranks_names_and_numbers() {
    let bench = mill().await;
    let customers = r#"[{"rank":1,"customer_id":"C-1","customer_name":"Ada Byron","order_count":2,"total_spent":22.49},{"rank":2,"customer_id":"C-2","customer_name":null,"order_count":1,"total_spent":0.30}]"#;
    let products = r#"[{"rank":1,"product_sku":"A","product_name":"Product A","total_quantity":2,"total_revenue":12.80,"order_count":2},{"rank":2,"product_sku":"B","product_name":null,"total_quantity":1,"total_revenue":9.99,"order_count":1}]"#;
    for (path, expected) in [
        ("/leaderboard/customers", customers.to_owned()),
        ("/leaderboard/customers?date=2026-03-01", customers.to_owned()),
        ("/leaderboard/customers?date=2026-03-02", "[]".to_owned()),
        ("/leaderboard/products", products.to_owned()),
        ("/leaderboard/products?by=units", products.to_owned()),
        (
            "/leaderboard",
            format!(r#"{{"currency":"USD","customers":{customers},"products":{products}}}"#),
        ),
        (
            "/leaderboard/customers?currency=JPY&limit=1",
            r#"[{"rank":1,"customer_id":"C-3","customer_name":null,"order_count":2,"total_spent":1501}]"#.to_owned(),
        ),
        (
            "/leaderboard/customers/C-2/rank",
            r#"{"customer_id":"C-2","customer_name":null,"currency":"USD","rank":2,"of":2,"order_count":1,"total_spent":0.30}"#.to_owned(),
        ),
        (
            "/leaderboard/customers/C-2/rank?currency=KWD",
            r#"{"customer_id":"C-2","customer_name":null,"currency":"KWD","rank":1,"of":1,"order_count":1,"total_spent":1.234}"#.to_owned(),
        ),
    ] {
        let answer = bench.get(path).await;
        assert_eq!(answer.text, format!(r#"{{"success":true,"data":{expected}}}"#), "{path}");
    }
    let nobody = bench.get("/leaderboard/customers/C-9/rank").await;
    assert_eq!(nobody.problem(), (404, "not_found"));
    let not_there = bench.get("/leaderboard/customers/C-3/rank").await;
    assert_eq!(not_there.problem(), (404, "not_found"));
}

#[tokio::test]
async fn metrics_and_health_stand_by_themselves() {
    let bench = mill().await;
    for (path, expected) in [
        (
            "/metrics",
            r#"{"date":"2026-03-01","kpi":{"revenue":22.79,"order_count":3,"avg_order_value":7.60},"leaderboard":[{"customer_id":"C-1","revenue":22.49},{"customer_id":"C-2","revenue":0.30}]}"#,
        ),
        (
            "/metrics?date=2026-02-28&currency=JPY",
            r#"{"date":"2026-02-28","kpi":{"revenue":0,"order_count":0,"avg_order_value":0},"leaderboard":[]}"#,
        ),
        (
            "/health",
            r#"{"status":"up","timestamp":"2026-03-01T12:00:00Z","services":{"files":"up","journal":"up","orders":"up","queues":"up","tallies":"up"}}"#,
        ),
    ] {
        assert_eq!(bench.get(path).await.text, expected);
    }
}

#[tokio::test]
async fn periods_add_up_what_their_days_have() {
    let bench = mill().await;
    let range = bench
        .get("/kpis/range?start_date=2026-02-27&end_date=2026-03-02")
        .await;
    let data = range.data();
    let days = data["days"].as_array().expect("days");
    let dates: Vec<&str> = days.iter().filter_map(|day| day["date"].as_str()).collect();
    assert_eq!(
        dates,
        ["2026-02-27", "2026-02-28", "2026-03-01", "2026-03-02"]
    );
    assert_eq!(
        (&data["customer_days"], &data["order_count"]),
        (&json!(2), &json!(3))
    );
    assert!(
        range.text.contains(r#""total_revenue":22.79,"#),
        "{}",
        range.text
    );
    assert_eq!(days[2], *bench.get("/kpis/daily").await.data());
    let year = bench
        .get("/kpis/range?start_date=2025-03-01&end_date=2026-03-01")
        .await;
    assert_eq!(year.data()["days"].as_array().map(Vec::len), Some(366));

    let overview = bench.get("/analytics/kpis").await;
    let data = overview.data();
    assert_eq!(data["today"], days[2]);
    assert_eq!(data["yesterday"]["order_count"], 0);
    for (period, count) in [("last_7_days", 7), ("last_30_days", 30)] {
        assert_eq!(data[period]["days"].as_array().map(Vec::len), Some(count));
        assert_eq!(data[period]["end_date"], "2026-03-01");
        assert_eq!(data[period]["order_count"], 3);
    }

    let orders = bench.get("/orders/stats").await;
    let data = orders.data();
    assert_eq!(
        (&data["from_date"], &data["to_date"]),
        (&json!("2026-01-31"), &json!("2026-03-01"))
    );
    assert_eq!(
        (&data["completed"], &data["failed"], &data["refunds"]),
        (&json!(6), &json!(0), &json!(0))
    );
    let currencies: Vec<&String> = data["currencies"]
        .as_object()
        .expect("currencies")
        .keys()
        .collect();
    assert_eq!(currencies, ["JPY", "KWD", "USD"]);

    let realtime = bench.get("/kpis/realtime").await;
    let data = realtime.data();
    for (field, value) in [
        ("completed_today", 6),
        ("failed_today", 0),
        // In both lanes.
        ("batches_waiting", 43),
        ("batches_in_flight", 22),
        ("pending_rows", 0),
    ] {
        assert_eq!(data[field], value, "{field}");
    }
    assert!(
        realtime.text.contains(r#""KWD":{"total_revenue":1.234,"#),
        "{}",
        realtime.text
    );
    let stats = bench.get("/stats").await;
    assert_eq!(stats.data()["now"], *data);
    assert_eq!(stats.data()["orders"], *orders.data());
    assert_eq!(stats.data()["queues"], *bench.get("/queues").await.data());
}

#[tokio::test]
async fn a_day_has_its_own_number_of_hours() {
    let berlin = TimeZone::get("Europe/Berlin").expect("a bundled zone");
    let bench = Bench::in_zone(Origin::default(), &berlin);
    for (date, count, first) in [
        ("2026-03-01", 24, "2026-02-28T23:00:00Z"),
        ("2026-03-29", 23, "2026-03-28T23:00:00Z"),
        ("2026-10-25", 25, "2026-10-24T22:00:00Z"),
    ] {
        let answer = bench.get(&format!("/kpis/hourly?date={date}")).await;
        let hours = answer.data()["hours"].as_array().expect("hours");
        let numbers: Vec<u64> = hours
            .iter()
            .filter_map(|hour| hour["hour"].as_u64())
            .collect();
        assert_eq!(numbers, (0..count).collect::<Vec<u64>>(), "{date}");
        let begins: Vec<Timestamp> = hours
            .iter()
            .map(|hour| {
                hour["begins_at"]
                    .as_str()
                    .expect("an instant")
                    .parse()
                    .expect("an instant")
            })
            .collect();
        assert_eq!(begins[0].to_string(), first);
        assert!(
            begins
                .windows(2)
                .all(|pair| pair[1].as_second() - pair[0].as_second() == 3_600)
        );
    }
    let bench = mill().await;
    let answer = bench.get("/kpis/hourly?currency=KWD").await;
    assert!(
        answer
            .text
            .contains(r#""begins_at":"2026-03-01T12:00:00Z","total_revenue":1.234,"#)
    );
    let orders: Vec<&Value> = answer.data()["hours"]
        .as_array()
        .expect("hours")
        .iter()
        .filter(|hour| hour["order_count"] == 1)
        .collect();
    assert_eq!(orders.len(), 1);
    assert_eq!(
        (&orders[0]["hour"], &orders[0]["unique_customers"]),
        (&json!(12), &json!(1))
    );
}

/// All that takes a day.
const WITH_DAYS: [&str; 18] = [
    "/kpis/daily?date=DAY",
    "/kpis/daily/DAY",
    "/kpis/hourly?date=DAY",
    "/metrics?date=DAY",
    "/kpis/range?start_date=DAY&end_date=DAY",
    "/leaderboard/customers?date=DAY",
    "/leaderboard/products?date=DAY&by=units",
    "/orders/stats?from_date=DAY&to_date=DAY",
    "/orders/stats?to_date=DAY",
    "/refunds?from_date=DAY&to_date=DAY",
    "/refunds?to_date=DAY",
    "/refunds/stats?from_date=DAY&to_date=DAY",
    "/refunds/stats?to_date=DAY",
    "/refunds?order_id=O-1&from_date=DAY",
    "/notifications?from_date=DAY&to_date=DAY",
    "/notifications?to_date=DAY",
    "/notifications/stats?from_date=DAY&to_date=DAY",
    "/notifications/stats?to_date=DAY",
];

#[tokio::test]
async fn no_day_is_too_far_for_an_answer() {
    let bench = mill().await;
    for (day, without) in [
        ("9999-12-31", &["/kpis/hourly?date=DAY"][..]),
        ("9999-12-30", &["/kpis/hourly?date=DAY"]),
        ("9999-12-29", &[]),
        (
            "0000-01-01",
            &[
                "/refunds?to_date=DAY",
                "/refunds/stats?to_date=DAY",
                "/notifications?to_date=DAY",
                "/notifications/stats?to_date=DAY",
            ],
        ),
    ] {
        for path in WITH_DAYS {
            let answer = bench.get(&path.replace("DAY", day)).await;
            match without.contains(&path) {
                false => assert_eq!(answer.status, 200, "{day} {path}: {answer:?}"),
                // No hours, or no thirty days before.
                true => match path {
                    "/kpis/hourly?date=DAY" => {
                        assert_eq!(answer.problem(), (400, "invalid_parameter"));
                    }
                    _ => assert_eq!(answer.problem(), (422, "unprocessable"), "{path}"),
                },
            }
        }
        let rebuild = call("POST", &format!("/leaderboard/rebuild?date={day}"));
        assert_eq!(bench.ask(rebuild).await.status, 202);
    }
}

#[tokio::test]
async fn a_day_is_a_day_and_nothing_more() {
    let bench = Bench::new();
    for day in [
        "",
        "today",
        "2026-02-29",
        "2026-3-1",
        "20260301",
        "2026-W09-7",
        "10000-01-01",
        "-000001-12-31",
        "-009999-01-01",
        "2026-03-01T00:00:00",
        "2026-03-01%2018:00:00",
        "2026-03-01T23:30:00-05:00",
        "2026-03-01[UTC]",
    ] {
        for path in WITH_DAYS {
            if day.is_empty() && path.ends_with("/DAY") {
                continue;
            }
            let answer = bench.get(&path.replace("DAY", day)).await;
            assert_eq!(answer.problem(), (400, "invalid_parameter"), "{day} {path}");
            let field = answer.body["field"].as_str().expect("a field");
            assert!(field.ends_with("date"), "{day} {path}: {field}");
        }
        let rebuild = call("POST", &format!("/leaderboard/rebuild?date={day}"));
        let answer = bench.ask(rebuild).await;
        assert_eq!(answer.problem(), (400, "invalid_parameter"), "{day}");
    }
}
