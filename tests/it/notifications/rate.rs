//! The rate of mails: reached, and never exceeded.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use domain::journal::Change;
use domain::notification::{OrderTold, Standing, Told};
use domain::preferences::Channel;
use domain::{Fault, Status};
use edge::mail::{MailMessage, Mails};
use futures::future::join_all;
use notices::Notices;
use rust_decimal::Decimal;
use send::{Letter, Pace, Post, Posted};
use store::Store;
use store::memory::MemoryEngine;
use store::notifications::{New, NotificationRecord};
use tokio::time::Instant;

use super::support::{Outbox, at, has_address, links, records};
use crate::support::memory::MemoryInbox;
use crate::support::{now, order, read};

/// Takes 100 ms for an answer, and says of every so manieth request that it is too much.
struct Slow {
    asked: Mutex<Vec<Instant>>,
    accepted: AtomicUsize,
    throttles: usize,
}

impl Post for Slow {
    async fn mail(&self, _: &Letter<'_>) -> Result<Posted, Fault> {
        let number = {
            let mut asked = self.asked.lock().expect("a lock");
            asked.push(Instant::now());
            asked.len()
        };
        tokio::time::sleep(Duration::from_millis(100)).await;
        if number.is_multiple_of(self.throttles) {
            let why = "Throttling: Maximum sending rate exceeded.".to_owned();
            return Ok(Posted::Throttled { why });
        }
        self.accepted.fetch_add(1, Ordering::Relaxed);
        Ok(Posted::Accepted {
            message_id: format!("ses-{number}"),
        })
    }
}

/// So many notifications that are to be mailed, and their messages.
async fn waiting(store: &Store<MemoryEngine>, mails: u64) -> Vec<SqsMessage> {
    has_address(store, "C-1", "one@customers.example").await;
    let record = |number| {
        let order = order(1, &format!("O-{number}"), &[("A", 1)]);
        let told = Told::Order(OrderTold {
            change: Change::new(&order, None),
            back: Vec::new(),
            status: Status::Completed,
            total: Decimal::new(999, 2),
        });
        let new = New {
            channel: Channel::Email,
            told,
            message: "Your order is confirmed".to_owned(),
        };
        NotificationRecord::new(new, now())
    };
    let records: Vec<NotificationRecord> = (0..mails).map(record).collect();
    store.put_notifications(&records).await.expect("put");
    let outbox = Outbox::default();
    let messages = records.iter().map(|one| MailMessage::of(&one.name()));
    outbox.send(messages.collect()).await.expect("sent");
    outbox.mail_event().records
}

/// All of the template's processes at work on these messages; what comes back is worked on once more.
async fn sent_by_all(
    store: &Store<MemoryEngine>,
    post: &Slow,
    messages: Vec<SqsMessage>,
    (rate, processes): (u32, u32),
) {
    let queue = Mutex::new(messages);
    let process = async |_| {
        let (inbox, notices) = (MemoryInbox::default(), Notices::new().expect("texts"));
        let ports = send::Ports {
            store,
            queue: &inbox,
            post,
            pace: &Pace::shared(rate, processes),
            notices: &notices,
            language: "en",
            operator: None,
            links: &links(),
        };
        loop {
            let mut event = SqsEvent::default();
            {
                let mut queue = queue.lock().expect("a lock");
                let left = queue.len().saturating_sub(10);
                event.records = queue.split_off(left);
            }
            if event.records.is_empty() {
                return;
            }
            // What it takes to get a batch, and to read what it is about.
            tokio::time::sleep(Duration::from_millis(50)).await;
            let answer = send::handle(&ports, event.clone(), at(now())).await;
            let back = answer.expect("an answer").batch_item_failures;
            let is_back = |message: &SqsMessage| {
                let id = message.message_id.as_ref();
                back.iter()
                    .any(|failure| Some(&failure.item_identifier) == id)
            };
            let back = event.records.into_iter().filter(is_back);
            queue.lock().expect("a lock").extend(back);
        }
    };
    join_all((0..processes).map(process)).await;
}

/// How many requests in a second, on the whole. Never more than the rate within any second.
async fn reached(rate: u32, processes: u32, throttles: usize) -> f64 {
    const MAILS: u64 = 1_000;
    let store = Store::new(MemoryEngine::new(), 1);
    let messages = waiting(&store, MAILS).await;
    let post = Slow {
        asked: Mutex::default(),
        accepted: AtomicUsize::new(0),
        throttles,
    };
    let begun = Instant::now();
    sent_by_all(&store, &post, messages, (rate, processes)).await;
    let seconds = begun.elapsed().as_secs_f64();
    let kept = records(&store).await;
    assert!(kept.values().all(|one| one.status == Standing::Sent));
    assert_eq!(
        post.accepted.into_inner() as u64,
        MAILS,
        "each of them once"
    );
    let mut asked = post.asked.into_inner().expect("a lock");
    asked.sort();
    // The clock of the tests counts in milliseconds.
    let second = Duration::from_millis(998);
    for pair in asked.windows(rate as usize + 1) {
        let took = pair[rate as usize] - pair[0];
        assert!(took >= second, "{} requests within {took:?}", pair.len());
    }
    asked.len() as f64 / seconds
}

/// One process for every five mails in a second, as the template says, and two at least.
#[tokio::test(start_paused = true)]
async fn a_hundred_mails_a_second_go_out_where_each_takes_a_tenth_of_one() {
    for (rate, processes, at_least) in
        [(100, 20, 98.0), (50, 10, 49.0), (20, 2, 19.0), (10, 2, 9.8)]
    {
        let reached = reached(rate, processes, usize::MAX).await;
        println!("{reached:.1} mails a second of {rate}, by {processes} processes");
        assert!(reached >= at_least, "{reached}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_mail_once_more_waits_for_its_turn_as_well() {
    let reached = reached(100, 20, 4).await;
    println!("{reached:.1} requests a second, of which every fourth is refused");
    // Who was refused waits before he takes his turn, and his process may have nothing else to do by then.
    assert!(reached > 60.0, "{reached}");
}

/// What the function is told to share is what the mapping lets be.
#[test]
fn as_many_processes_send_as_share_the_rate() {
    let template = String::from_utf8(read("template.yaml")).expect("a text");
    let function = template.split("CodeUri: target/lambda/send/").nth(1);
    let function = function.and_then(|rest| rest.split("\n  SendRole:").next());
    let function = function.expect("the function");
    for line in [
        "MAIL_RATE: !Ref MailRate\n",
        "MAIL_CONCURRENCY: !Ref MailConcurrency\n",
        "ScalingConfig: {MaximumConcurrency: !Ref MailConcurrency}\n",
        "BatchSize: 10\n",
    ] {
        assert_eq!(function.matches(line).count(), 1, "{line}");
    }
}
