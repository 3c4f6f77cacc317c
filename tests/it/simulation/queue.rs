//! A standard queue in memory: at least once, in any order, late, and sometimes to two at the same time.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::time::Duration;

use aws_lambda_events::sqs::{SqsEvent, SqsMessage, SqsMessageAttribute};
use domain::{Batch, Fault};
use edge::aside;
use edge::batches::Batches;
use edge::messages::{Hold, Queue};
use edge::refunds::{RefundMessage, Refunds};
use edge::resend::{NotSent, Resent};
use tokio::time::Instant;

use super::chance::Chance;

/// How unkind the queue is, in per mille.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unkindness {
    /// A message is handed to somebody, and stays visible to others.
    pub twice: u16,
    /// A message that was sent once is there twice.
    pub copied: u16,
    /// A message is not seen for a while after it was sent.
    pub late: u16,
    /// Sending is refused, though the message may be in the queue.
    pub unanswered: u16,
    /// A message that was worked off is not deleted.
    pub undeleted: u16,
}

#[derive(Debug)]
struct Message {
    number: u64,
    body: String,
    said: Said,
    visible_at: Instant,
    received: u32,
}

/// What a message says of itself.
#[derive(Debug, Clone, Default)]
struct Said {
    attributes: BTreeMap<&'static str, String>,
    /// The queue moved it, after it was received too often.
    moved: bool,
}

pub struct SimQueue {
    pub name: &'static str,
    chance: Rc<Chance>,
    messages: RefCell<Vec<Message>>,
    sent: RefCell<u64>,
    visibility: Duration,
    /// Which message a receipt was for.
    receipts: RefCell<HashMap<String, u64>>,
    /// Where messages go that were received too often, or are hopeless.
    dead: Option<Rc<SimQueue>>,
    /// What contradicts the books is never to be.
    pub corrupt: RefCell<Vec<String>>,
    /// Something was sent, or is visible sooner than it was to be.
    changed: tokio::sync::Notify,
    /// Looks at what is taken, and at what could have been taken and is not.
    pub watcher: RefCell<Option<Watcher>>,
}

pub type Watcher = Box<dyn Fn(&str, &[&str], &[&str])>;

impl SimQueue {
    pub fn new(
        name: &'static str,
        visibility: Duration,
        chance: Rc<Chance>,
        dead: Option<Rc<SimQueue>>,
    ) -> SimQueue {
        SimQueue {
            name,
            chance,
            messages: RefCell::default(),
            sent: RefCell::default(),
            visibility,
            receipts: RefCell::default(),
            dead,
            corrupt: RefCell::default(),
            changed: tokio::sync::Notify::new(),
            watcher: RefCell::default(),
        }
    }

    pub fn push(&self, body: String) {
        self.push_saying(body, Said::default());
    }

    fn push_saying(&self, body: String, said: Said) {
        let unkind = self.chance.plan().queue;
        let copies = if self.chance.hits(unkind.copied, "message copied") {
            2
        } else {
            1
        };
        for _ in 0..copies {
            let mut delay = self.chance.up_to_ms(200);
            if self.chance.hits(unkind.late, "message late") {
                delay += self.chance.up_to_ms(60_000);
            }
            let mut sent = self.sent.borrow_mut();
            *sent += 1;
            self.messages.borrow_mut().push(Message {
                number: *sent,
                body: body.clone(),
                said: said.clone(),
                visible_at: Instant::now() + delay,
                received: 0,
            });
        }
        self.changed.notify_waiters();
    }

    pub fn is_empty(&self) -> bool {
        self.messages.borrow().is_empty()
    }

    /// How many messages there are, and how often the unluckiest was received.
    pub fn depth(&self) -> (usize, u32) {
        let messages = self.messages.borrow();
        let received = messages.iter().map(|message| message.received).max();
        (messages.len(), received.unwrap_or_default())
    }

    /// Waits until there may be something to receive.
    pub async fn wait(&self) {
        let next = {
            let messages = self.messages.borrow();
            messages.iter().map(|message| message.visible_at).min()
        };
        let changed = self.changed.notified();
        match next {
            Some(next) => {
                let _changed = tokio::time::timeout_at(next, changed).await;
            }
            None => changed.await,
        }
        // Nobody sees a message in the moment in which it comes.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    /// Some of the visible messages, any of them.
    pub fn receive(&self, most: usize) -> Vec<SqsMessage> {
        let now = Instant::now();
        self.put_aside(now);
        let mut messages = self.messages.borrow_mut();
        let mut visible: Vec<usize> = (0..messages.len())
            .filter(|at| messages[*at].visible_at <= now)
            .collect();
        self.chance.shuffle(&mut visible);
        let left = visible.split_off(visible.len().min(most));
        self.watched(&messages, &visible, &left);
        let unkind = self.chance.plan().queue;
        let received = visible.into_iter().map(|at| {
            let message = &mut messages[at];
            message.received += 1;
            if !self.chance.hits(unkind.twice, "message received twice") {
                message.visible_at = now + self.visibility;
            }
            let receipt = format!("{}-{}-{}", self.name, message.number, message.received);
            self.receipts
                .borrow_mut()
                .insert(receipt.clone(), message.number);
            let mut received = SqsMessage::default();
            received.message_id = Some(format!("{}-{}", self.name, message.number));
            received.receipt_handle = Some(receipt);
            received.body = Some(message.body.clone());
            received.event_source_arn = Some(format!("arn:aws:sqs:here:0:mill-{}", self.name));
            for (name, text) in &message.said.attributes {
                let mut attribute = SqsMessageAttribute::default();
                attribute.string_value = Some(text.clone());
                let name = (*name).to_owned();
                received.message_attributes.insert(name, attribute);
            }
            if message.said.moved {
                let moved = ("DeadLetterQueueSourceArn".to_owned(), "arn".to_owned());
                received.attributes.extend([moved]);
            }
            received.attributes.insert(
                "ApproximateReceiveCount".to_owned(),
                message.received.to_string(),
            );
            received
        });
        received.collect()
    }

    fn watched(&self, messages: &[Message], taken: &[usize], left: &[usize]) {
        let watcher = self.watcher.borrow();
        let Some(watcher) = watcher.as_ref() else {
            return;
        };
        let bodies = |of: &[usize]| -> Vec<&str> {
            of.iter().map(|at| messages[*at].body.as_str()).collect()
        };
        watcher(self.name, &bodies(taken), &bodies(left));
    }

    /// What was received too often is not received again.
    fn put_aside(&self, now: Instant) {
        let Some(dead) = &self.dead else { return };
        let most = self.chance.plan().most_received;
        let mut messages = self.messages.borrow_mut();
        let spent = messages.extract_if(.., |message| {
            message.visible_at <= now && message.received >= most
        });
        for message in spent {
            self.chance.count("message received too often", 1);
            let said = Said {
                moved: true,
                ..message.said
            };
            dead.push_saying(message.body, said);
        }
    }

    /// Deletes what was worked off.
    pub fn delete(&self, messages: &[SqsMessage]) {
        let undeleted = self.chance.plan().queue.undeleted;
        for message in messages {
            if self.chance.hits(undeleted, "message not deleted") {
                continue;
            }
            let number = self.number(message.receipt_handle.as_deref().unwrap_or_default());
            let mut messages = self.messages.borrow_mut();
            messages.retain(|message| Some(message.number) != number);
        }
    }

    fn number(&self, receipt: &str) -> Option<u64> {
        self.receipts.borrow().get(receipt).copied()
    }
}

pub fn event(messages: &[SqsMessage]) -> SqsEvent {
    let mut event = SqsEvent::default();
    event.records = messages.to_vec();
    event
}

impl Queue for SimQueue {
    async fn hold(&self, holds: Vec<Hold>) -> Result<(), Fault> {
        tokio::task::yield_now().await;
        for hold in holds {
            let number = self.number(&hold.receipt);
            let mut messages = self.messages.borrow_mut();
            if let Some(message) = messages
                .iter_mut()
                .find(|message| Some(message.number) == number)
            {
                message.visible_at = Instant::now() + hold.time;
            }
        }
        self.changed.notify_waiters();
        Ok(())
    }

    async fn bury(&self, message: &SqsMessage, fault: &Fault) -> Result<(), Fault> {
        tokio::task::yield_now().await;
        if let Fault::Corrupt(why) = fault {
            self.corrupt.borrow_mut().push(why.clone());
        }
        let dead = self.dead.as_ref().expect("a queue for what is hopeless");
        let said = Said {
            attributes: aside::attributes(message, fault),
            moved: false,
        };
        dead.push_saying(message.body.clone().unwrap_or_default(), said);
        Ok(())
    }

    async fn take_over(&self, message: &SqsMessage) -> Result<(), Fault> {
        self.chance.count("large file passed on", 1);
        let body = message.body.clone().unwrap_or_default();
        self.send_all(vec![body]).await
    }
}

impl SimQueue {
    /// What somebody sends again.
    pub async fn resend(&self, message: Resent) -> Result<(), NotSent> {
        tokio::task::yield_now().await;
        let refused = self
            .chance
            .hits(self.chance.plan().queue.unanswered, "sending unanswered");
        if !refused || self.chance.half() {
            let said = Said {
                attributes: aside::of_retry(&message.retry).into(),
                moved: false,
            };
            self.push_saying(message.body, said);
        }
        match refused {
            true => Err(NotSent::Perhaps("no answer".to_owned())),
            false => Ok(()),
        }
    }
}

impl SimQueue {
    /// Any of them may be refused, and be there all the same.
    pub async fn send_all(&self, bodies: Vec<String>) -> Result<(), Fault> {
        for body in bodies {
            tokio::task::yield_now().await;
            let refused = self
                .chance
                .hits(self.chance.plan().queue.unanswered, "sending unanswered");
            if !refused || self.chance.half() {
                self.push(body);
            }
            if refused {
                return Err(Fault::Transient("the queue gave no answer".to_owned()));
            }
        }
        Ok(())
    }
}

impl Refunds for SimQueue {
    async fn send(&self, refunds: Vec<RefundMessage>) -> Result<(), Fault> {
        let bodies = refunds.iter().map(serde_json::to_string);
        let bodies = bodies.map(|body| body.expect("json"));
        self.send_all(bodies.collect()).await
    }
}

impl Batches for SimQueue {
    async fn send(&self, batches: Vec<Batch>) -> Result<(), Fault> {
        let bodies = batches.iter().map(serde_json::to_string);
        let bodies = bodies.map(|body| body.expect("json"));
        self.send_all(bodies.collect()).await
    }
}
