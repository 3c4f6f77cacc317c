//! A gateway with the books of the reference gateway, that loses answers, and says no where it is told to; and the
//! function `refund` at work on messages.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use aws_lambda_events::sqs::SqsEvent;
use domain::Fault;
use edge::Invocation;
use edge::refunds::{RefundMessage, Refunds};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use ordermill::gateway::{Book, Verdict};
use ordermill::verify::{self, Books};
use payments::contract::ChargeAnswer;
use payments::{Answer, Charge, Gateway, Refund, Refunded, Voidable};
use refund::Ports;
use rust_decimal::Decimal;
use store::{Engine, Store};

use crate::support::failed::message;
use crate::support::memory::MemoryInbox;
use crate::support::now;

pub struct Bank {
    pub book: RefCell<Book>,
    random: RefCell<fastrand::Rng>,
    /// Of a hundred requests, so many get no answer, half of them after they were done.
    silent: u8,
    /// It has forgotten under which keys it gave money back, and gives again what it is asked for.
    pub forgets: Cell<bool>,
    /// How often it says no to a refund before it says yes.
    pub refuses: RefCell<HashMap<String, u32>>,
}

impl Bank {
    pub fn new(seed: u64, silent: u8) -> Bank {
        Bank {
            book: RefCell::new(Book::new(SignedDuration::from_hours(1))),
            random: RefCell::new(fastrand::Rng::with_seed(seed)),
            silent,
            forgets: Cell::default(),
            refuses: RefCell::default(),
        }
    }

    pub fn refuse(&self, refund_id: &str, times: u32) {
        let mut refuses = self.refuses.borrow_mut();
        refuses.insert(refund_id.to_owned(), times);
    }

    /// What is left of a charge, by the ledger.
    pub fn given_back(&self, charge: &str) -> Decimal {
        let book = self.book.borrow();
        let entries = book.entries().iter();
        let refunds = entries.filter(|entry| entry.charge == charge && entry.refund.is_some());
        refunds.map(|entry| entry.amount).sum()
    }

    /// Whether a request is lost: on the way there, or on the way back.
    fn loses(&self) -> (bool, bool) {
        let mut random = self.random.borrow_mut();
        let lost = random.u8(..100) < self.silent;
        let there = random.bool();
        (lost && there, lost && !there)
    }
}

fn lost() -> Fault {
    Fault::Transient("no answer".to_owned())
}

impl Gateway for Bank {
    async fn charge(&self, charge: &Charge<'_>) -> Result<Answer, Fault> {
        let mut book = self.book.borrow_mut();
        let answer = book.charge(charge.key, charge.amount, Verdict::Approve, now());
        Ok(answer.expect("a charge").answer())
    }

    async fn status(&self, charge: &Charge<'_>) -> Result<Option<Answer>, Fault> {
        let answer = self.book.borrow().find(charge.key);
        Ok(answer.ok().map(ChargeAnswer::answer))
    }

    async fn void(&self, key: &str, which: Voidable) -> Result<Answer, Fault> {
        let answer = self.book.borrow_mut().void(key, which, now());
        Ok(answer.expect("a charge").answer())
    }

    async fn refund(&self, refund: &Refund<'_>) -> Result<Refunded, Fault> {
        tokio::task::yield_now().await;
        let (there, back) = self.loses();
        if there {
            return Err(lost());
        }
        if let Some(left) = self.refuses.borrow_mut().get_mut(refund.key)
            && *left > 0
        {
            *left -= 1;
            let why = "not today".to_owned();
            return Ok(Refunded::Refused { why });
        }
        let answer = {
            let mut book = self.book.borrow_mut();
            let key = match self.forgets.get() && book.find_refund(refund.key).is_ok() {
                true => &format!("{}#{}", refund.key, book.entries().len()),
                false => refund.key,
            };
            book.refund(key, refund.charge, refund.amount, now())
        };
        tokio::task::yield_now().await;
        match answer {
            _ if back => Err(lost()),
            Ok(answer) => Ok(Refunded::Done { refund: answer.id }),
            Err(problem) => Ok(Refunded::Refused {
                why: problem.message,
            }),
        }
    }

    async fn refund_status(&self, refund: &Refund<'_>) -> Result<Option<Refunded>, Fault> {
        tokio::task::yield_now().await;
        if self.loses() != (false, false) {
            return Err(lost());
        }
        let found = self.book.borrow().find_refund(refund.key).ok();
        found.map(|answer| answer.of(refund)).transpose()
    }
}

/// What was sent to whoever asks the gateway.
#[derive(Default)]
pub struct Outbox(pub Mutex<Vec<String>>);

impl Refunds for Outbox {
    async fn send(&self, refunds: Vec<RefundMessage>) -> Result<(), Fault> {
        tokio::task::yield_now().await;
        let ids = refunds.into_iter().map(|message| message.refund_id);
        self.0.lock().expect("a lock").extend(ids);
        Ok(())
    }
}

impl Outbox {
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("a lock"))
    }
}

pub fn at(now: Timestamp) -> Invocation {
    Invocation {
        now,
        remaining: Duration::from_secs(20),
        draw: 1,
    }
}

pub fn messages(ids: &[String]) -> SqsEvent {
    let mut event = SqsEvent::default();
    for (at, refund_id) in ids.iter().enumerate() {
        let body = format!(r#"{{"refund_id": "{refund_id}"}}"#);
        event.records.push(message(&at.to_string(), &body, []));
    }
    event
}

/// One run of the function. Returns how many messages come back, and what was put aside.
pub async fn run<E: Engine>(
    store: &Store<E>,
    bank: &Bank,
    event: SqsEvent,
) -> Result<(usize, Vec<Fault>), Fault> {
    let queue = MemoryInbox::default();
    let ports = Ports {
        store,
        gateway: bank,
        queue: &queue,
        zone: &TimeZone::UTC,
    };
    let response = refund::handle(&ports, event, at(now())).await?;
    let buried = queue.buried.into_inner().expect("a lock");
    Ok((response.batch_item_failures.len(), buried))
}

/// Runs the function until no message comes back.
pub async fn worked_off<E: Engine>(store: &Store<E>, bank: &Bank, ids: &[String]) {
    for _ in 0..200 {
        match run(store, bank, messages(ids)).await {
            Ok((0, buried)) => {
                assert_eq!(buried, [], "put aside");
                return;
            }
            Ok(_) | Err(Fault::Transient(_)) => {}
            Err(fault) => panic!("{fault}"),
        }
    }
    panic!("{ids:?} do not come to an end");
}

/// Our books against those of the bank.
pub async fn compared<E: Engine>(store: &Store<E>, bank: &Bank) -> Vec<String> {
    let books = Books::load(store, &TimeZone::UTC).await;
    let books = books.expect("books that can be read");
    let check = verify::payments::check(&books, bank.book.borrow().entries(), Timestamp::MAX);
    check.drift
}
