//! Orders that are sent again, under the name that they had: told from others from the moment on from which they are kept.

use futures::future::join_all;
use serde_json::{Value, json};

use super::bench::{Answer, Bench, Call, call};
use super::mill::settled;
use crate::support::{drift, stock, tally_and_verify};

fn order(quantity: u32) -> Value {
    let item = json!({"sku": "S", "quantity": quantity, "unit_price": "5.00"});
    json!({
        "customer_id": "C-1", "customer_email": "ada@example.com", "order_date": "2026-03-01", "items": [item],
    })
}

fn keyed(body: &Value) -> Call {
    call("POST", "/orders").json(body.clone()).key("k")
}

fn named(body: &Value) -> Call {
    let mut body = body.clone();
    body["order_id"] = json!("O-1");
    call("POST", "/orders").json(body)
}

/// Other orders than the first one: each in another way.
fn others() -> Vec<Value> {
    let with = |field: &str, value: Value| {
        let mut other = order(2);
        other[field] = value;
        other
    };
    vec![
        order(3),
        with("customer_id", json!("C-2")),
        with("customer_email", json!("eve@example.com")),
        with("address", json!("Way 1")),
        with("order_date", json!("2026-03-02")),
        with("total", json!("9.00")),
        with("currency", json!("EUR")),
    ]
}

/// How often it was taken, and how often it was so before.
fn taken(answers: &[Answer]) -> (usize, usize) {
    let taken = answers.iter().filter(|answer| answer.status == 202);
    let again = |answer: &&Answer| answer.header("idempotent-replayed") == Some("true");
    (taken.clone().count(), taken.filter(again).count())
}

fn the_file(bench: &Bench) -> String {
    let files = bench.done.files.lock().expect("a lock");
    let [(key, (_, version))] = files.iter().collect::<Vec<_>>()[..] else {
        panic!("{files:?}")
    };
    assert_eq!(*version, 1, "it was put twice");
    key.clone()
}

async fn orders(bench: &Bench) -> usize {
    let mut orders = 0;
    let each = bench.store.each_order(|_| orders += 1);
    each.await.expect("orders");
    orders
}

/// Sent again before its file is read, and when it is on record.
async fn only_the_first_is_taken(send: fn(&Value) -> Call, refused: (u64, &str)) {
    let bench = Bench::new();
    stock(&bench.store, &[("S", 100)]).await;
    let first = bench.ask(send(&order(2))).await;
    assert_eq!(taken(std::slice::from_ref(&first)), (1, 0), "{first:?}");
    for is_on_record in [false, true] {
        if is_on_record {
            settled(&bench, &the_file(&bench)).await;
        }
        let again = bench.ask(send(&order(2))).await;
        assert_eq!(taken(std::slice::from_ref(&again)), (1, 1), "{again:?}");
        assert_eq!(again.text, first.text);
        for other in others() {
            let answer = bench.ask(send(&other)).await;
            assert_eq!(answer.problem(), refused, "{is_on_record}: {other}");
        }
        let mut in_other_words = order(2);
        in_other_words["items"][0]["unit_price"] = json!("5");
        assert_eq!(bench.ask(send(&in_other_words)).await.text, first.text);
    }
    the_file(&bench);
    let report = tally_and_verify(&bench.store).await;
    assert!(report.balanced && drift(&report).is_empty(), "{report:#?}");
    assert_eq!(orders(&bench).await, 1);
}

#[tokio::test]
async fn a_key_names_one_order() {
    only_the_first_is_taken(keyed, (422, "idempotency_key_reused")).await;
}

#[tokio::test]
async fn an_id_names_one_order() {
    only_the_first_is_taken(named, (409, "already_exists")).await;
}

#[tokio::test]
async fn of_two_orders_under_one_key_that_meet_one_is_taken() {
    for seed in 0..20 {
        let bench = Bench::new();
        let mut random = fastrand::Rng::with_seed(seed);
        let wishes: Vec<u32> = (0..12).map(|_| random.u32(1..3)).collect();
        let asked = wishes.iter().map(|wish| bench.ask(keyed(&order(*wish))));
        let answers = join_all(asked).await;
        let (all, again) = taken(&answers);
        assert_eq!(again, all - 1, "it was new once");
        let said = answers.iter().zip(&wishes);
        let (taken, others): (Vec<_>, Vec<_>) = said.partition(|(answer, _)| answer.status == 202);
        assert!(
            taken
                .iter()
                .all(|(answer, wish)| { (&answer.text, *wish) == (&taken[0].0.text, taken[0].1) })
        );
        for (answer, wish) in others {
            assert_ne!(wish, taken[0].1);
            assert_eq!(answer.problem(), (422, "idempotency_key_reused"));
        }
        the_file(&bench);
    }
}

/// The file was put, and whoever put it died before anybody was told.
#[tokio::test]
async fn an_order_whose_answer_was_lost_is_there_once() {
    let bench = Bench::new();
    stock(&bench.store, &[("S", 100)]).await;
    *bench.done.is_down.lock().expect("a lock") = true;
    let lost = bench.ask(keyed(&order(2))).await;
    assert_eq!(lost.problem(), (503, "unavailable"));
    *bench.done.is_down.lock().expect("a lock") = false;
    let other = bench.ask(keyed(&order(3))).await;
    assert_eq!(other.problem(), (422, "idempotency_key_reused"));
    let again = bench.ask(keyed(&order(2))).await;
    assert_eq!(taken(std::slice::from_ref(&again)), (1, 1));
    settled(&bench, &the_file(&bench)).await;
    let url = again.data()["url"].as_str().expect("a url");
    assert_eq!(bench.get(url).await.data()["status"], "COMPLETED");
    let report = tally_and_verify(&bench.store).await;
    assert!(report.balanced, "{report:#?}");
    assert_eq!(orders(&bench).await, 1);
}
