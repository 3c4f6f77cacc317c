//! A standard queue in memory: at least once, in any order, late, and sometimes to two at the same time.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use domain::{Batch, Fault};
use edge::batches::Batches;
use edge::messages::{Hold, Queue};
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
    visible_at: Instant,
    received: u32,
}

/// What was put aside, with what is wrong with it.
#[derive(Debug, Clone)]
pub struct Buried {
    pub body: String,
    pub fault: Fault,
}

pub struct SimQueue {
    name: &'static str,
    chance: Rc<Chance>,
    messages: RefCell<Vec<Message>>,
    sent: RefCell<u64>,
    visibility: Duration,
    /// Which message a receipt was for.
    receipts: RefCell<HashMap<String, u64>>,
    pub buried: RefCell<Vec<Buried>>,
}

impl SimQueue {
    pub fn new(name: &'static str, visibility: Duration, chance: Rc<Chance>) -> SimQueue {
        SimQueue {
            name,
            chance,
            messages: RefCell::default(),
            sent: RefCell::default(),
            visibility,
            receipts: RefCell::default(),
            buried: RefCell::default(),
        }
    }

    pub fn push(&self, body: String) {
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
                visible_at: Instant::now() + delay,
                received: 0,
            });
        }
    }

    pub fn is_empty(&self) -> bool {
        self.messages.borrow().is_empty()
    }

    /// When there is something to receive, if nothing is sent meanwhile.
    pub fn next(&self) -> Option<Instant> {
        let messages = self.messages.borrow();
        messages.iter().map(|message| message.visible_at).min()
    }

    /// Some of the visible messages, any of them.
    pub fn receive(&self, most: usize) -> Vec<SqsMessage> {
        let now = Instant::now();
        let mut messages = self.messages.borrow_mut();
        let mut visible: Vec<usize> = (0..messages.len())
            .filter(|at| messages[*at].visible_at <= now)
            .collect();
        self.chance.shuffle(&mut visible);
        visible.truncate(most);
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
            received.attributes.insert(
                "ApproximateReceiveCount".to_owned(),
                message.received.to_string(),
            );
            received
        });
        received.collect()
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
        Ok(())
    }

    async fn bury(&self, message: &SqsMessage, fault: &Fault) -> Result<(), Fault> {
        tokio::task::yield_now().await;
        self.buried.borrow_mut().push(Buried {
            body: message.body.clone().unwrap_or_default(),
            fault: fault.clone(),
        });
        Ok(())
    }
}

impl Batches for SimQueue {
    async fn send(&self, batches: Vec<Batch>) -> Result<(), Fault> {
        for batch in batches {
            tokio::task::yield_now().await;
            let refused = self
                .chance
                .hits(self.chance.plan().queue.unanswered, "sending unanswered");
            if !refused || self.chance.half() {
                self.push(serde_json::to_string(&batch).expect("json"));
            }
            if refused {
                return Err(Fault::Transient("the queue gave no answer".to_owned()));
            }
        }
        Ok(())
    }
}
