//! Payments that take longer, come too late, or get no answer at all: the steps over the memory engine, and a gateway that
//! does what it is told.

use std::cell::RefCell;
use std::collections::HashSet;
use std::time::Duration;

use aws_lambda_events::apigw::ApiGatewayProxyRequest;
use command::webhooks::{self, Taken};
use domain::{Batch, Fault, Reason, Review, Status};
use edge::Invocation;
use jiff::{SignedDuration, Timestamp};
use ordermill::gateway::{Book, Verdict};
use payments::contract::ChargeAnswer;
use payments::{Answer, Charge, Gateway, Refund, Refunded, SigningKey, Voidable};
use store::Store;
use store::memory::MemoryEngine;
use store::orders::{GivenBack, OrderRecord};

use crate::support::memory::MemoryBatches;
use crate::support::{batch, drift, now, order, read, saga, stock, tally_and_verify};

/// The books of the reference gateway, and somebody who decides.
struct Scripted {
    book: RefCell<Book>,
    pending: HashSet<String>,
    /// There is never an answer about these.
    silent: RefCell<HashSet<String>>,
}

impl Scripted {
    fn new(pending: &[&str]) -> Scripted {
        Scripted {
            book: RefCell::new(Book::new(SignedDuration::from_hours(1))),
            pending: pending.iter().map(|key| (*key).to_owned()).collect(),
            silent: RefCell::default(),
        }
    }

    fn answers(&self, key: &str) -> Result<(), Fault> {
        match self.silent.borrow().contains(key) {
            true => Err(Fault::Transient("no answer".to_owned())),
            false => Ok(()),
        }
    }

    fn approve_after_all(&self, key: &str) {
        let approved = self.book.borrow_mut().approve_after_all(key, now());
        assert!(approved.is_some());
    }
}

impl Gateway for Scripted {
    async fn charge(&self, charge: &Charge<'_>) -> Result<Answer, Fault> {
        self.answers(charge.key)?;
        let verdict = match self.pending.contains(charge.key) {
            true => Verdict::Wait,
            false => Verdict::Approve,
        };
        let mut book = self.book.borrow_mut();
        let answer = book.charge(charge.key, charge.amount, verdict, now());
        Ok(answer.expect("a charge").answer())
    }

    async fn status(&self, charge: &Charge<'_>) -> Result<Option<Answer>, Fault> {
        self.answers(charge.key)?;
        let answer = self.book.borrow().find(charge.key);
        Ok(answer.ok().map(ChargeAnswer::answer))
    }

    async fn void(&self, key: &str, which: Voidable) -> Result<Answer, Fault> {
        self.answers(key)?;
        let answer = self.book.borrow_mut().void(key, which, now());
        Ok(answer.expect("a charge").answer())
    }

    async fn refund(&self, refund: &Refund<'_>) -> Result<Refunded, Fault> {
        let mut book = self.book.borrow_mut();
        let done = book.refund(refund.key, refund.charge, refund.amount, now());
        let refund = done.expect("refunded").id;
        Ok(Refunded::Done { refund })
    }

    async fn refund_status(&self, refund: &Refund<'_>) -> Result<Option<Refunded>, Fault> {
        let found = self.book.borrow().find_refund(refund.key).ok();
        found.map(|answer| answer.of(refund)).transpose()
    }
}

async fn mill() -> (Store<MemoryEngine>, Batch) {
    let store = Store::new(MemoryEngine::new(), 1);
    stock(&store, &[("A", 10)]).await;
    let orders = (1..=3).map(|row| order(row, &format!("O-{row}"), &[("A", 1)]));
    (store, batch("im_a", 0, orders.collect()))
}

async fn kept(store: &Store<MemoryEngine>, order_id: &str) -> OrderRecord {
    let found = store.order(order_id).await.expect("an answer");
    found.expect("an order")
}

fn at(now: Timestamp) -> Invocation {
    Invocation {
        now,
        remaining: Duration::from_secs(50),
        draw: 1,
    }
}

fn minutes(minutes: i64) -> Timestamp {
    now() + SignedDuration::from_mins(minutes)
}

/// Runs `expire`, and the saga for what it sends.
async fn expire(store: &Store<MemoryEngine>, gateway: &Scripted, now: Timestamp) -> usize {
    let batches = MemoryBatches::default();
    let sent = expire::handle(store, &batches, at(now))
        .await
        .expect("sent");
    for batch in batches.batches.into_inner().expect("batches") {
        assert_eq!(batch.review, Some(Review::Expiry));
        saga(store, gateway, &batch).await.expect("settled");
    }
    sent
}

#[tokio::test]
async fn a_pending_payment_waits_on_record_and_holds_up_nobody() {
    let (store, batch) = mill().await;
    let gateway = Scripted::new(&["O-2"]);
    saga(&store, &gateway, &batch).await.expect("settled");
    let pending = kept(&store, "O-2").await;
    assert_eq!(pending.status, Status::PaymentPending);
    assert_eq!(pending.pending_until, Some(minutes(60)));
    assert_eq!(kept(&store, "O-1").await.status, Status::Completed);
    assert_eq!(kept(&store, "O-3").await.status, Status::Completed);
    // The batch again, and before its time is up: it goes on waiting.
    saga(&store, &gateway, &batch).await.expect("settled");
    assert_eq!(expire(&store, &gateway, minutes(59)).await, 0);
    assert_eq!(kept(&store, "O-2").await.status, Status::PaymentPending);
    assert!(drift(&tally_and_verify(&store).await).is_empty());
}

#[tokio::test]
async fn when_time_is_up_the_gateway_is_told_first() {
    for approved in [false, true] {
        let (store, batch) = mill().await;
        let gateway = Scripted::new(&["O-2"]);
        saga(&store, &gateway, &batch).await.expect("settled");
        if approved {
            // In the last moment, and its webhook was lost.
            gateway.approve_after_all("O-2");
        }
        assert_eq!(expire(&store, &gateway, minutes(61)).await, 1);
        let order = kept(&store, "O-2").await;
        let expected = match approved {
            true => (Status::Completed, None),
            false => (Status::Failed, Some(Reason::PaymentExpired)),
        };
        assert_eq!((order.status, order.failure), expected);
        // Once is enough.
        assert_eq!(expire(&store, &gateway, minutes(600)).await, 0);
        let captured = gateway
            .book
            .borrow()
            .entries()
            .iter()
            .filter(|entry| entry.charge == "O-2")
            .count();
        assert_eq!(captured, usize::from(approved));
        assert!(drift(&tally_and_verify(&store).await).is_empty());
    }
}

#[tokio::test]
async fn a_gateway_that_is_away_is_asked_again_at_a_growing_distance() {
    let (store, batch) = mill().await;
    let gateway = Scripted::new(&["O-2"]);
    saga(&store, &gateway, &batch).await.expect("settled");
    let mut sent_at = Vec::new();
    for minute in 61..300 {
        let batches = MemoryBatches::default();
        if expire::handle(&store, &batches, at(minutes(minute)))
            .await
            .expect("sent")
            > 0
        {
            sent_at.push(minute);
        }
    }
    let distances: Vec<i64> = sent_at.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(
        distances.is_sorted() && distances.len() < 12,
        "{distances:?}"
    );
    assert_eq!(kept(&store, "O-2").await.pending_until, Some(minutes(60)));
}

#[tokio::test]
async fn money_that_comes_for_a_failed_order_goes_back_once() {
    let (store, batch) = mill().await;
    let gateway = Scripted::new(&["O-2"]);
    saga(&store, &gateway, &batch).await.expect("settled");
    expire(&store, &gateway, minutes(61)).await;
    gateway.approve_after_all("O-2");
    let order = kept(&store, "O-2").await.order();
    let review = Batch::review(Review::Approved, &batch.batch_id, "im_a", vec![order]);
    // The gateway dies after it said so: it is not forgotten, also not by the batch itself.
    gateway.silent.borrow_mut().insert("O-2".to_owned());
    assert!(saga(&store, &gateway, &review).await.is_err());
    gateway.silent.borrow_mut().clear();
    for batch in [&review, &review, &batch] {
        saga(&store, &gateway, batch).await.expect("settled");
    }
    let order = kept(&store, "O-2").await;
    assert_eq!(
        (order.status, order.given_back),
        (Status::Failed, Some(GivenBack::Voided))
    );
    let entries = gateway.book.borrow().entries().to_vec();
    assert_eq!(
        entries.iter().filter(|entry| entry.charge == "O-2").count(),
        2
    );
    assert!(drift(&tally_and_verify(&store).await).is_empty());
}

#[tokio::test]
async fn one_order_without_an_answer_keeps_no_others_from_being_settled() {
    let (store, batch) = mill().await;
    let gateway = Scripted::new(&[]);
    gateway.silent.borrow_mut().insert("O-2".to_owned());
    for _ in 0..2 {
        let left = saga(&store, &gateway, &batch).await;
        assert!(matches!(left, Err(Fault::Transient(_))), "{left:?}");
        for settled in ["O-1", "O-3"] {
            assert_eq!(kept(&store, settled).await.status, Status::Completed);
        }
        assert_eq!(kept(&store, "O-2").await.status, Status::Reserved);
    }
    gateway.silent.borrow_mut().clear();
    saga(&store, &gateway, &batch).await.expect("settled");
    assert_eq!(kept(&store, "O-2").await.status, Status::Completed);
}

#[tokio::test]
async fn an_order_that_costs_nothing_asks_nobody() {
    let (store, mut batch) = mill().await;
    let free = &mut batch.orders[1];
    free.lines[0].unit_price = Default::default();
    free.total = Default::default();
    let gateway = Scripted::new(&[]);
    gateway.silent.borrow_mut().insert("O-2".to_owned());
    saga(&store, &gateway, &batch).await.expect("settled");
    assert_eq!(kept(&store, "O-2").await.status, Status::Completed);
    assert!(drift(&tally_and_verify(&store).await).is_empty());
}

fn signed(key: &SigningKey, body: &str, at: Timestamp) -> (Option<String>, String) {
    (Some(key.sign(&[body.as_bytes()], at)), body.to_owned())
}

#[tokio::test]
async fn a_webhook_is_a_hint_and_only_from_whom_we_know() {
    let (store, batch) = mill().await;
    let gateway = Scripted::new(&["O-2"]);
    saga(&store, &gateway, &batch).await.expect("settled");
    let key = SigningKey::new("ours");
    let sample: ApiGatewayProxyRequest =
        serde_json::from_slice(&read("events/command-webhook.json")).expect("a request");
    let body = sample.body.expect("a body");
    let nobody = body.replace("O-2", "");
    let garbage = "not what it takes".to_owned();
    let other = body.replace("O-2", "O-9");
    let settled = body.replace("O-2", "O-1");
    let long = format!("{body}{}", " ".repeat(20_000));
    let theirs = SigningKey::new("somebody else's");
    let mut unsigned = signed(&key, &body, now());
    unsigned.0 = None;
    let mut changed = signed(&key, &body, now());
    changed.1 = other.clone();
    let cases = [
        (
            "as it should be",
            signed(&key, &body, now()),
            Taken::Sent,
            1,
        ),
        ("once more", signed(&key, &body, now()), Taken::Sent, 1),
        (
            "a little late",
            signed(&key, &body, minutes(-5)),
            Taken::Sent,
            1,
        ),
        (
            "recorded by somebody",
            signed(&key, &body, minutes(-6)),
            Taken::NotBelieved,
            0,
        ),
        (
            "signed by somebody else",
            signed(&theirs, &body, now()),
            Taken::NotBelieved,
            0,
        ),
        ("not signed", unsigned, Taken::NotBelieved, 0),
        ("changed on the way", changed, Taken::NotBelieved, 0),
        ("nobody", signed(&key, &nobody, now()), Taken::Unreadable, 0),
        (
            "garbage",
            signed(&key, &garbage, now()),
            Taken::Unreadable,
            0,
        ),
        ("too long", signed(&key, &long, now()), Taken::TooLong, 0),
        ("not ours", signed(&key, &other, now()), Taken::NotOurs, 0),
        (
            "settled before",
            signed(&key, &settled, now()),
            Taken::Known,
            0,
        ),
    ];
    for (what, request, expected, sent) in cases {
        let batches = MemoryBatches::default();
        let (signature, body) = &request;
        let parts = (signature.as_deref(), body.as_bytes());
        let taken = webhooks::take(&store, &key, &batches, parts, now()).await;
        let taken = taken.expect("an answer");
        let sent_batches = batches.batches.into_inner().expect("batches");
        assert_eq!((taken, sent_batches.len()), (expected, sent), "{what}");
        for review in sent_batches {
            // It claims an approval. The gateway says otherwise, and it is the gateway that is believed.
            saga(&store, &gateway, &review).await.expect("settled");
            assert_eq!(kept(&store, "O-2").await.status, Status::PaymentPending);
        }
    }
}
