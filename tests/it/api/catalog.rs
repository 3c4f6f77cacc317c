//! Products by request, and what customers want to be told of.

use domain::Contact;
use serde_json::{Value, json};

use super::bench::{Answer, Bench, Call, call};
use crate::refunds::support::sold;
use crate::support::undated;

fn put(sku: &str, body: Value) -> Call {
    call("PUT", &format!("/products/{}", api::views::segment(sku))).json(body)
}

fn restock(sku: &str, quantity: i64) -> Call {
    let path = format!("/products/{}/restock", api::views::segment(sku));
    call("POST", &path).json(json!({"quantity": quantity}))
}

fn tea(stock: Option<u64>) -> Value {
    let mut body = json!({"name": "Green Tea", "price": "4.5", "currency": "USD"});
    if let Some(stock) = stock {
        body["stock"] = json!(stock);
    }
    body
}

/// Stocked, available, reserved and sold.
fn units(answer: &Answer) -> [u64; 4] {
    let units = ["stocked", "available", "reserved", "sold"];
    units.map(|field| answer.data()[field].as_u64().expect("a number"))
}

#[tokio::test]
async fn a_product_becomes_what_it_should_be() {
    let bench = Bench::new();
    let sku = "TEA/ü 1%";
    let created = bench.ask(put(sku, tea(None))).await;
    let url = format!("/products/{}", api::views::segment(sku));
    let expected = json!({
        "sku": sku, "url": url, "name": "Green Tea", "price": "4.50", "currency": "USD",
        "stocked": 0, "available": 0, "reserved": 0, "sold": 0,
    });
    assert_eq!((created.status, created.data()), (201, &expected));
    assert_eq!(bench.get(&url).await.data(), &expected);
    let counted = bench.ask(put(sku, tea(Some(7))).key("k")).await;
    assert_eq!((counted.status, units(&counted)), (200, [7, 7, 0, 0]));
    // Without a stock it stays as it is.
    let renamed = json!({"name": "Tea", "price": "5", "currency": "USD"});
    let renamed = bench.ask(put(sku, renamed)).await;
    assert_eq!((renamed.status, units(&renamed)), (200, [7, 7, 0, 0]));
    assert_eq!(
        (&renamed.data()["name"], &renamed.data()["price"]),
        (&json!("Tea"), &json!("5.00"))
    );
    let yen = json!({"name": "Tea", "price": "500", "currency": "JPY", "stock": 3});
    let yen = bench.ask(put("JP", yen).key("yen")).await;
    assert_eq!(yen.data()["price"], "500");
    assert_eq!(
        bench.get("/products/none").await.problem(),
        (404, "not_found")
    );
}

#[tokio::test]
async fn what_no_product_can_be_is_refused() {
    let bench = Bench::new();
    for (field, value, problem) in [
        ("name", json!(""), (422, "unprocessable")),
        ("name", json!("x".repeat(513)), (422, "unprocessable")),
        ("price", json!("1.005"), (422, "unprocessable")),
        ("price", json!("-1"), (400, "invalid_field")),
        ("price", json!(1), (400, "invalid_field")),
        ("currency", json!("XAU"), (400, "invalid_field")),
        ("stock", json!(-1), (400, "invalid_field")),
        ("stock", json!(1.5), (400, "invalid_field")),
        (
            "stock",
            json!(1_000_000_000_001_u64),
            (422, "unprocessable"),
        ),
        ("colour", json!("green"), (400, "unknown_field")),
    ] {
        let mut body = tea(Some(1));
        body[field] = value;
        let answer = bench.ask(put("T", body).key("k")).await;
        assert_eq!(answer.problem(), problem, "{field}");
        assert_eq!(answer.body["field"], field);
    }
    let long = bench.ask(put(&"x".repeat(129), tea(None))).await;
    assert_eq!(long.problem(), (404, "not_found"));
    assert_eq!(bench.get("/products").await.data(), &json!([]));
}

#[tokio::test]
async fn a_key_does_it_once_for_each_caller() {
    let bench = Bench::new();
    let first = bench
        .ask(put("T", tea(Some(10))).key("k").caller("ada"))
        .await;
    assert_eq!(first.status, 201);
    sold(&bench.store, "O-1", &[("OTHER", 1)]).await;
    let added = bench.ask(restock("T", 5).key("k").caller("bob")).await;
    assert_eq!(units(&added), [15, 15, 0, 0]);
    // The count of ten is older than what came in.
    let again = bench
        .ask(put("T", tea(Some(10))).key("k").caller("ada"))
        .await;
    assert_eq!((again.status, units(&again)), (200, [15, 15, 0, 0]));
    for other in [
        put("T", tea(Some(11))).key("k").caller("ada"),
        restock("T", 6).key("k").caller("bob"),
    ] {
        let answer = bench.ask(other).await;
        assert_eq!(answer.problem(), (422, "idempotency_key_reused"));
    }
    let elses = bench.ask(restock("T", 5).key("k").caller("eve")).await;
    assert_eq!(units(&elses), [20, 20, 0, 0]);
    let repeated = bench.ask(restock("T", 5).key("k").caller("eve")).await;
    assert_eq!((repeated.status, units(&repeated)), (200, [20, 20, 0, 0]));
    let more = bench.ask(restock("T", 5).key("l").caller("eve")).await;
    assert_eq!(units(&more), [25, 25, 0, 0]);
    let counted = bench.ask(put("T", tea(Some(3))).key("count")).await;
    assert_eq!(units(&counted), [3, 3, 0, 0]);
    // Without a key each is a request of its own, so it may not say what lies there.
    let keyless = bench.ask(put("T", tea(Some(9)))).await;
    assert_eq!(keyless.problem(), (400, "idempotency_key_missing"));
    assert_eq!(keyless.body["field"], "Idempotency-Key");
    for _ in 0..2 {
        let kept = bench.ask(put("T", tea(None))).await;
        assert_eq!(units(&kept), [3, 3, 0, 0]);
    }
}

#[tokio::test]
async fn a_count_whose_answer_was_lost_sells_nothing_twice() {
    let bench = Bench::new();
    let count = || put("T", tea(Some(10))).key("k");
    bench.ask(count()).await;
    let taken = store::products::take("T", 4).expect("a write");
    let taken = bench.store.write(&taken).await.expect("an answer");
    assert_eq!(taken, Ok(()));
    let again = bench.ask(count()).await;
    assert_eq!((again.status, units(&again)), (200, [10, 6, 4, 0]));
}

#[tokio::test]
async fn what_comes_in_is_added_to_what_there_is() {
    let bench = Bench::new();
    let keyless = bench.ask(restock("T", 1)).await;
    assert_eq!(keyless.problem(), (400, "idempotency_key_missing"));
    let unknown = bench.ask(restock("T", 1).key("k")).await;
    assert_eq!(unknown.problem(), (404, "not_found"));
    bench.ask(put("T", tea(Some(1))).key("put")).await;
    let none = bench.ask(restock("T", 0).key("k")).await;
    assert_eq!(none.problem(), (422, "unprocessable"));
    let less = bench.ask(restock("T", -1).key("k")).await;
    assert_eq!(less.problem(), (400, "invalid_field"));
    let more = bench.ask(restock("T", 1_000_000_000_001).key("k")).await;
    assert_eq!(more.problem(), (422, "unprocessable"));
    let all =
        futures::future::join_all((0..20).map(|_| bench.ask(restock("T", 5).key("same")))).await;
    assert!(all.iter().all(|answer| answer.status == 200));
    assert_eq!(units(&bench.get("/products/T").await), [6, 6, 0, 0]);
}

#[tokio::test]
async fn restocking_over_the_limit_is_rejected_and_a_repetition_is_not() {
    const MOST: i64 = 1_000_000_000_000;
    let bench = Bench::new();
    bench.ask(put("T", tea(Some(3))).key("put")).await;
    let full = restock("T", MOST - 3).key("full");
    assert_eq!(bench.ask(full).await.status, 200);
    for quantity in [1, MOST] {
        let more = bench.ask(restock("T", quantity).key("more")).await;
        assert_eq!(more.problem(), (422, "unprocessable"));
        assert_eq!(more.body["field"], "quantity");
    }
    let again = bench.ask(restock("T", MOST - 3).key("full")).await;
    assert_eq!(again.status, 200, "{again:?}");
    let other = bench.ask(restock("T", MOST - 4).key("full")).await;
    assert_eq!(other.problem(), (422, "idempotency_key_reused"));
    let all = [MOST as u64, MOST as u64, 0, 0];
    assert_eq!(units(&bench.get("/products/T").await), all);
    // What was sold makes room.
    let counted = bench.ask(put("T", tea(Some(10))).key("count")).await;
    assert_eq!(counted.status, 200);
    let more = bench.ask(restock("T", 1).key("more")).await;
    assert_eq!(units(&more), [11, 11, 0, 0]);
    // Two of those that meet have room for one.
    bench.ask(put("T", tea(Some(1))).key("one")).await;
    let half = |key: &str| bench.ask(restock("T", MOST - 1).key(key));
    let (one, other) = tokio::join!(half("a"), half("b"));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 422]);
}

#[tokio::test]
async fn products_are_listed_each_once() {
    let bench = Bench::new();
    for number in 0..250 {
        bench.ask(put(&format!("P-{number}"), tea(None))).await;
    }
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = bench.get(&format!("/products?limit=40{cursor}")).await;
        let rows = page.data().as_array().expect("rows");
        assert!(rows.len() <= 40);
        found.extend(
            rows.iter()
                .map(|row| row["sku"].as_str().expect("a sku").to_owned()),
        );
        let Some(next) = page.body["next"].as_str() else {
            break;
        };
        cursor = format!("&cursor={next}");
        assert!(found.len() <= 250);
    }
    found.sort();
    found.dedup();
    assert_eq!(found.len(), 250);
    let forged = bench.get("/products?cursor=eyJvZiI6IiJ9").await;
    assert_eq!(forged.problem(), (422, "invalid_cursor"));
}

/// Files may say no more of somebody than that he ordered. What he wants holds when one says his address.
#[tokio::test]
async fn who_has_ordered_is_a_customer() {
    let bench = Bench::new();
    let path = "/customers/C-1/preferences";
    let by_log = || call("PUT", path).json(json!({"channel": "log"}));
    assert_eq!(bench.ask(by_log()).await.problem(), (404, "not_found"));
    sold(&bench.store, "O-1", &[("A", 1)]).await;
    assert_eq!(bench.get(path).await.data()["channel"], "email");
    assert_eq!(bench.ask(by_log()).await.data()["channel"], "log");
    let contact = Contact {
        customer_id: "C-1".to_owned(),
        email: Some("ada@example.com".to_owned()),
        ..Contact::default()
    };
    bench
        .store
        .save_contacts(&[undated(contact)])
        .await
        .expect("saved");
    assert_eq!(bench.get(path).await.data()["channel"], "log");
}

#[tokio::test]
async fn customers_say_what_they_want_to_be_told() {
    let bench = Bench::new();
    let path = "/customers/C-1/preferences";
    let set = |body: Value| call("PUT", path).json(body);
    assert_eq!(bench.get(path).await.problem(), (404, "not_found"));
    let unknown = bench.ask(set(json!({"channel": "log"}))).await;
    assert_eq!(unknown.problem(), (404, "not_found"));
    let contact = Contact {
        customer_id: "C-1".to_owned(),
        name: Some("Ada".to_owned()),
        ..Contact::default()
    };
    bench
        .store
        .save_contacts(&[undated(contact)])
        .await
        .expect("saved");
    let all = |channel: &str, shipping: bool| {
        json!({"channel": channel, "notifications": {
            "confirmation": true, "failed": true, "refund": true, "shipping": shipping, "delivery": true,
            "cancellation": true,
        }, "suppressed": null})
    };
    assert_eq!(bench.get(path).await.data(), &all("email", true));
    for _ in 0..2 {
        let quiet = json!({"channel": "log", "notifications": {"shipping": false, "refund": true}});
        assert_eq!(bench.ask(set(quiet)).await.data(), &all("log", false));
        assert_eq!(bench.get(path).await.data(), &all("log", false));
    }
    assert_eq!(
        bench.ask(set(json!({"channel": "email"}))).await.data(),
        &all("email", true)
    );
    for (body, code) in [
        (json!({}), "missing_field"),
        (json!({"channel": "pigeon"}), "invalid_field"),
        (
            json!({"channel": "log", "notifications": {"birthday": true}}),
            "invalid_field",
        ),
        (
            json!({"channel": "log", "notifications": {"refund": 1}}),
            "invalid_field",
        ),
        (json!({"channel": "log", "phone": "1"}), "unknown_field"),
    ] {
        let answer = bench.ask(set(body.clone())).await;
        assert_eq!(answer.problem(), (400, code), "{body}");
    }
}
