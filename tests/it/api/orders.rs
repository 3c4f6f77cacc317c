//! Orders that come one by one, what is told of them, and what people do about them.

use domain::Batch;
use serde_json::{Value, json};

use super::bench::{Answer, Bench, Call, call};
use super::mill::{read_in, settle, settled};
use crate::lifecycle::support::units;
use crate::refunds::bank::{Bank, worked_off};
use crate::refunds::support::{kept, sold, sold_through};
use crate::support::{drift, stock, tally_and_verify};

fn new(body: Value) -> Call {
    call("POST", "/orders").json(body)
}

fn item(sku: &str, quantity: u32, price: &str) -> Value {
    json!({"sku": sku, "quantity": quantity, "unit_price": price})
}

/// The files of single orders that were put.
fn files(bench: &Bench) -> Vec<String> {
    let files = bench.done.files.lock().expect("a lock");
    files.keys().cloned().collect()
}

fn is_replay(answer: &Answer) -> bool {
    answer.header("idempotent-replayed") == Some("true")
}

fn deed(order_id: &str, deed: &str) -> Call {
    let id = api::views::segment(order_id);
    call("POST", &format!("/orders/{id}/{deed}")).caller("ada")
}

#[tokio::test]
async fn an_order_is_read_as_it_was_asked_for() {
    for (order_id, name, sku) in [
        ("A-1", "Ada, Countess", "S"),
        ("A,\"2\"", "\"Ada\" said: no", "a \"quoted\", sku"),
        ("=1+1", "=1+1", "=SUM(A1)"),
        ("-3", "@ada", "+1"),
        ("'4'", "'Ada'", "'s'"),
        ("#ü/%2F 😀", "Ünïcödé", "é,\u{3000}😀"),
        ("a.b", "a;b|c", "a=b&c"),
        ("007", "1e3", "00012"),
        ("[]", "{}", "[{\"sku\": \"x\"}]"),
    ] {
        let bench = Bench::new();
        let items: Vec<Value> = vec![item(sku, 3, "9.99"), item("other", 1, "0.01")];
        let body = json!({
            "order_id": order_id, "customer_id": "C-1", "customer_name": name, "address": "Way 1,\n12345 \"Town\"",
            "order_date": "2026-03-01 09:30:00", "items": items,
        });
        let first = bench.ask(new(body.clone())).await;
        assert_eq!((first.status, is_replay(&first)), (202, false), "{first:?}");
        assert_eq!(first.data()["order_id"], order_id);
        let url = first.data()["url"].as_str().expect("a url");
        assert_eq!(first.header("location"), Some(url));
        let [key] = files(&bench).try_into().expect("one file");
        assert!(key.starts_with("imports/api/"), "{key}");
        let batches = read_in(&bench, &key).await;
        let [batch] = <[Batch; 1]>::try_from(batches).expect("one batch");
        assert_eq!(first.data()["import_id"], batch.import_id);
        let [order] = &batch.orders[..] else {
            panic!("{batch:?}")
        };
        assert_eq!(
            (order.order_id.as_str(), order.customer_id.as_str()),
            (order_id, "C-1")
        );
        let lines = order.lines.iter();
        let lines: Vec<Value> = lines
            .map(|line| item(&line.sku, line.quantity, &line.unit_price.to_string()))
            .collect();
        assert_eq!(lines, items);
        assert_eq!(order.total.to_string(), "29.98");
        let contact = batch.contacts.first().expect("a contact");
        assert_eq!(contact.contact.name.as_deref(), Some(name));
        assert!(bench.done.rejects.lock().expect("a lock").is_empty());
        // Once, before it is on record and after.
        let again = bench.ask(new(body.clone())).await;
        assert!(is_replay(&again));
        assert_eq!((again.status, &again.text), (202, &first.text));
        stock(&bench.store, &[(sku, 100), ("other", 100)]).await;
        settle(&bench, vec![batch]).await;
        let again = bench.ask(new(body)).await;
        assert_eq!((is_replay(&again), &again.text), (true, &first.text));
        assert_eq!(files(&bench).len(), 1);
        let story = bench.get(url).await;
        assert_eq!(story.data()["order_id"], order_id, "{story:?}");
        assert_eq!(story.data()["status"], "COMPLETED");
        let import = bench.get(first.data()["import_url"].as_str().expect("a url"));
        assert_eq!(import.await.data()["file"], key);
    }
}

#[tokio::test]
async fn ninety_items_are_an_order_and_ninety_one_are_not() {
    let bench = Bench::new();
    let order = |count: usize| {
        let items: Vec<Value> = (0..count)
            .map(|at| item(&format!("S-{at}"), 2, "1.50"))
            .collect();
        json!({"order_id": "O-1", "customer_id": "C-1", "items": items})
    };
    assert_eq!(bench.ask(new(order(90))).await.status, 202);
    let [key] = files(&bench).try_into().expect("one file");
    let batches = read_in(&bench, &key).await;
    assert_eq!(batches[0].orders[0].lines.len(), 90);
    let more = bench.ask(new(order(91))).await;
    assert_eq!(more.problem(), (422, "unprocessable"));
}

#[tokio::test]
async fn an_order_without_an_id_is_named_by_its_key_and_its_caller() {
    let bench = Bench::new();
    let body = json!({"customer_id": "C-1", "items": [item("S", 1, "1.00")]});
    let nameless = bench.ask(new(body.clone())).await;
    assert_eq!(nameless.problem(), (400, "idempotency_key_missing"));
    let id = async |key: &str, caller| {
        let answer = bench.ask(new(body.clone()).key(key).caller(caller)).await;
        answer.data()["order_id"]
            .as_str()
            .expect("an id")
            .to_owned()
    };
    let first = id("k", "ada").await;
    assert_eq!(id("k", "ada").await, first);
    assert_ne!(id("l", "ada").await, first);
    assert_ne!(id("k", "bob").await, first);
    assert_eq!(files(&bench).len(), 3);
    let mut named = body.clone();
    named["order_id"] = json!(" O-7 ");
    // Under two names it would be two orders when one of them changes.
    let twice = bench.ask(new(named.clone()).key("k")).await;
    assert_eq!(twice.problem(), (422, "unprocessable"));
    assert_eq!(twice.body["field"], "Idempotency-Key");
    assert_eq!(files(&bench).len(), 3);
    let named = bench.ask(new(named)).await;
    assert_eq!(named.data()["order_id"], "O-7");
    assert_eq!(named.data()["url"], "/orders/O-7");
}

#[tokio::test]
async fn an_id_that_another_order_has_is_taken() {
    let bench = Bench::new();
    let order = |customer: &str, quantity: u32, price: &str| json!({"order_id": "O-1", "customer_id": customer, "items": [item("S", quantity, price)]});
    stock(&bench.store, &[("S", 100)]).await;
    bench.ask(new(order("C-1", 2, "5.00"))).await;
    let [key] = files(&bench).try_into().expect("one file");
    settled(&bench, &key).await;
    for other in [
        order("C-2", 2, "5.00"),
        order("C-1", 3, "5.00"),
        order("C-1", 2, "5.01"),
    ] {
        let answer = bench.ask(new(other)).await;
        assert_eq!(answer.problem(), (409, "already_exists"));
        assert_eq!(answer.body["field"], "order_id");
    }
    assert_eq!(files(&bench).len(), 1);
    // The same, said in other words: it is on record, and needs no file.
    let same = bench.ask(new(order("C-1", 2, "5"))).await;
    assert_eq!((same.status, is_replay(&same)), (202, true));
    assert_eq!(files(&bench), [key]);
}

#[tokio::test]
async fn an_order_that_the_catalog_priced_is_another_one_under_another_total_or_currency() {
    let bench = Bench::new();
    stock(&bench.store, &[("S", 100)]).await;
    let order = |id: &str, total: Option<&str>, currency: &str| {
        let items = [json!({"sku": "S", "quantity": 2})];
        let mut body =
            json!({"order_id": id, "customer_id": "C-1", "currency": currency, "items": items});
        if let Some(total) = total {
            body["total"] = json!(total);
        }
        new(body)
    };
    bench.ask(order("O-1", Some("15.00"), "USD")).await;
    bench.ask(order("O-2", None, "USD")).await;
    for key in files(&bench) {
        settled(&bench, &key).await;
    }
    let priced = kept(&bench.store, "O-2").await.total;
    for other in [
        order("O-1", Some("15.01"), "USD"),
        order("O-1", Some("15.00"), "EUR"),
        order("O-2", None, "EUR"),
        order("O-2", Some("0.01"), "USD"),
    ] {
        assert_eq!(bench.ask(other).await.problem(), (409, "already_exists"));
    }
    // One that states no total takes what the catalog, or somebody before, said.
    for same in [
        order("O-1", Some("15"), "USD"),
        order("O-1", None, "USD"),
        order("O-2", None, "USD"),
        order("O-2", Some(&priced.to_string()), "USD"),
    ] {
        let same = bench.ask(same).await;
        assert_eq!((same.status, is_replay(&same)), (202, true), "{same:?}");
    }
    assert_eq!(files(&bench).len(), 2);
}

#[tokio::test]
async fn what_a_row_is_rejected_for_an_order_is_refused_for() {
    let bench = Bench::new();
    let good = json!({"order_id": "O-1", "customer_id": "C-1", "items": [item("S", 1, "1.00")]});
    for (field, value, code) in [
        ("order_id", json!("ü".repeat(65)), "text_too_long"),
        ("order_id", json!("a\u{7}b"), "control_character"),
        ("customer_id", json!(" "), "missing_value"),
        ("customer_name", json!("x".repeat(513)), "text_too_long"),
        ("total", json!("1.005"), "amount_too_precise"),
        ("order_date", json!("2026-02-30"), "bad_date"),
        ("items", json!([]), "no_items"),
        ("items", json!([item("S", 0, "1")]), "bad_quantity"),
        ("items", json!([item("S", 1_000_001, "1")]), "bad_quantity"),
        ("items", json!([item("", 1, "1")]), "missing_value"),
    ] {
        let mut body = good.clone();
        body[field] = value;
        let answer = bench.ask(new(body)).await;
        assert_eq!(
            answer.problem(),
            (422, "unprocessable"),
            "{field} {code}: {answer:?}"
        );
        let detail = answer.body["detail"].as_str().expect("a detail");
        assert!(
            detail.starts_with(&format!("{code}: ")),
            "{field}: {detail}"
        );
        assert_eq!(answer.body["field"], field, "{detail}");
    }
    for (field, value, code) in [
        ("order_id", json!(""), "invalid_field"),
        ("order_id", json!("x".repeat(129)), "invalid_field"),
        ("customer_id", json!(7), "invalid_field"),
        ("currency", json!("XAU"), "invalid_field"),
        ("total", json!("1,234"), "invalid_field"),
        ("total", json!("-1"), "invalid_field"),
        ("total", json!("99999999999999999999"), "invalid_field"),
        ("items", json!([item("S", 1, "x")]), "invalid_field"),
        ("items", json!({}), "invalid_field"),
        ("items", json!([{"sku": "S"}]), "missing_field"),
        (
            "items",
            json!([{"sku": "S", "quantity": 1, "price": "1"}]),
            "unknown_field",
        ),
        ("paid", json!(true), "unknown_field"),
    ] {
        let mut body = good.clone();
        body[field] = value;
        let answer = bench.ask(new(body)).await;
        assert_eq!(answer.problem(), (400, code), "{field}");
    }
    assert_eq!(files(&bench), [""; 0]);
}

#[tokio::test]
async fn an_order_is_found_by_any_name() {
    let bench = Bench::new();
    let ids = ["a/b", "100%", "a b", "ü", "%2F", "a?b#c", ".a", "+", "😀"];
    for order_id in ids {
        sold(&bench.store, order_id, &[("A", 1)]).await;
    }
    for order_id in ids {
        let story = bench
            .get(&format!("/orders/{}", api::views::segment(order_id)))
            .await;
        assert_eq!(story.data()["order_id"], order_id);
        let timeline = story.data()["timeline"].as_array().expect("a timeline");
        let happened: Vec<&str> = timeline
            .iter()
            .filter_map(|event| event["what"].as_str())
            .collect();
        assert_eq!(happened, ["reserved", "paid", "completed"]);
        let url = story.data()["url"].as_str().expect("a url");
        assert_eq!(bench.get(url).await.data()["order_id"], order_id);
        assert_eq!(bench.ask(deed(order_id, "ship")).await.status, 200);
        assert_eq!(
            kept(&bench.store, order_id).await.status.to_string(),
            "SHIPPED"
        );
    }
    // As it should not be sent: a space and a letter that are not encoded.
    for raw in ["/orders/a b", "/orders/ü"] {
        assert_eq!(bench.get(raw).await.status, 200, "{raw}");
    }
    assert_eq!(bench.get("/orders/O-9").await.problem(), (404, "not_found"));
}

#[tokio::test]
async fn the_orders_of_a_customer_come_in_pages() {
    let bench = Bench::new();
    let mut random = fastrand::Rng::with_seed(1);
    crate::lists::refunds::fill(&bench.store, 0, &mut random).await;
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = bench
            .get(&format!("/orders?customer_id=C-3&limit=1{cursor}"))
            .await;
        let rows = page.data().as_array().expect("rows");
        found.extend(
            rows.iter()
                .map(|row| row["order_id"].as_str().expect("an id").to_owned()),
        );
        let Some(next) = page.body["next"].as_str() else {
            break;
        };
        cursor = format!("&cursor={next}");
        assert!(found.len() < 10);
    }
    found.sort();
    assert_eq!(found, ["O-10", "O-17", "O-3"]);
    assert_eq!(
        bench.get("/orders?customer_id=nobody").await.data(),
        &json!([])
    );
    let all = bench.get("/orders").await;
    assert_eq!(all.problem(), (400, "invalid_parameter"));
    assert_eq!(all.body["field"], "customer_id");
}

#[tokio::test]
async fn an_order_is_shipped_delivered_and_cancelled_in_its_sequence() {
    let (bench, bank) = (Bench::new(), Bank::new(0, 0));
    for order_id in ["O-1", "O-2", "O-3"] {
        sold_through(&bench.store, &bank, order_id, &[("A", 2)]).await;
    }
    let wrong = |answer: Answer| assert_eq!(answer.problem(), (409, "wrong_state"));
    wrong(bench.ask(deed("O-1", "deliver")).await);
    let why = json!({"reason": "in time"});
    let shipped = bench.ask(deed("O-1", "ship").json(why.clone())).await;
    assert_eq!(shipped.data()["status"], "SHIPPED");
    for again in [
        deed("O-1", "ship"),
        deed("O-1", "ship").json(json!({})).caller("bob"),
    ] {
        let again = bench.ask(again).await;
        assert_eq!((again.status, &again.text), (200, &shipped.text));
    }
    wrong(bench.ask(deed("O-1", "cancel")).await);
    let delivered = bench.ask(deed("O-1", "deliver").json(json!(null))).await;
    assert_eq!(delivered.data()["status"], "DELIVERED");
    // It was shipped, and says so.
    let shipped = bench.ask(deed("O-1", "ship")).await;
    assert_eq!(shipped.data()["status"], "DELIVERED");

    let cancelled = bench.ask(deed("O-2", "cancel").json(why)).await;
    assert_eq!(cancelled.data()["status"], "CANCELLED");
    let refund = &cancelled.data()["refund"];
    assert_eq!(
        (&refund["amount"], &refund["requested_by"]),
        (&json!("19.98"), &json!("ada"))
    );
    assert_eq!(refund["reason"], "in time");
    let id = refund["refund_id"].as_str().expect("an id").to_owned();
    assert_eq!(
        bench.done.refunds.lock().expect("a lock").as_slice(),
        std::slice::from_ref(&id)
    );
    assert_eq!(bench.ask(deed("O-2", "cancel")).await.text, cancelled.text);
    wrong(
        bench
            .ask(call("POST", &format!("/refunds/{id}/cancel")))
            .await,
    );
    assert_eq!(bench.done.refunds.lock().expect("a lock").len(), 2);
    worked_off(&bench.store, &bank, &[id]).await;
    let again = bench.ask(deed("O-2", "cancel")).await;
    assert_eq!(again.data()["refund"]["status"], "completed");
    assert_eq!(again.data()["payment_status"], "refunded");
    assert_eq!(units(&bench.store, "A").await, (996, 4));
    wrong(bench.ask(deed("O-2", "ship")).await);
    // A refund on its way could fail.
    let part = call("POST", "/orders/O-3/refunds").key("k");
    bench
        .ask(part.json(json!({"amount": "1", "reason": "x"})))
        .await;
    wrong(bench.ask(deed("O-3", "cancel")).await);

    for (order_id, deeds) in [
        ("O-1", &["shipped", "delivered"][..]),
        ("O-2", &["cancelled"]),
    ] {
        let story = bench.get(&format!("/orders/{order_id}")).await;
        let timeline = story.data()["timeline"].as_array().expect("a timeline");
        for deed in deeds {
            let event = timeline.iter().find(|event| event["what"] == **deed);
            assert_eq!(event.expect("an event")["details"]["by"], "ada", "{deed}");
        }
    }
    for deed_name in ["ship", "deliver", "cancel"] {
        let unknown = bench.ask(deed("O-9", deed_name)).await;
        assert_eq!(unknown.problem(), (404, "not_found"));
        for body in [json!({"reason": ""}), json!({"reason": "x".repeat(513)})] {
            let wordy = bench.ask(deed("O-3", deed_name).json(body)).await;
            assert_eq!(wordy.problem(), (422, "unprocessable"));
        }
        let typed = deed("O-3", deed_name).body("{}");
        assert_eq!(
            bench.ask(typed).await.problem(),
            (415, "unsupported_media_type")
        );
    }
    let report = tally_and_verify(&bench.store).await;
    assert!(drift(&report).is_empty(), "{report:#?}");
}
