//! The gateway of the simulation: the books of the reference server, and the moods of a seed.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use domain::{Fault, Money, ids};
use jiff::{SignedDuration, Timestamp};
use ordermill::gateway::{Book, Verdict};
use payments::contract::{ChargeAnswer, ChargeChanged, LedgerEntry, Problem, ProblemCode};
use payments::{Answer, Charge, Gateway, Refund, Refunded, Voidable};
use tokio::time::Instant;

use super::chance::Chance;

pub struct SimGateway {
    chance: Rc<Chance>,
    seed: u64,
    begun: Instant,
    /// What its clock said then.
    start: Timestamp,
    book: Arc<Mutex<Book>>,
    /// Webhooks that are on their way, each with the instant from which on it is sent.
    pub outbox: RefCell<Vec<Webhook>>,
    /// Charges about which the bank has yet to say something, and when it does.
    undecided: RefCell<Vec<(Instant, String, Late)>>,
}

#[derive(Debug, Clone)]
pub struct Webhook {
    pub due: Instant,
    pub changed: ChargeChanged,
    pub attempts: u32,
    /// It tells of money that was taken for an order that may have failed: nothing else will.
    pub precious: bool,
}

/// For so long the gateway knows under which keys it gave money back: as long as a run that asks may last.
const REMEMBERS: SignedDuration = SignedDuration::from_secs(20);

/// Whether the bank insists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Late {
    Yes,
    No { approves: bool },
}

impl SimGateway {
    pub fn new(seed: u64, start: Timestamp, chance: Rc<Chance>) -> SimGateway {
        let settles_after = chance.plan().gateway.settles_after;
        let settles_after = SignedDuration::try_from(settles_after).expect("a time");
        SimGateway {
            chance,
            seed,
            begun: Instant::now(),
            start,
            book: Arc::new(Mutex::new(Book::new(settles_after))),
            outbox: RefCell::default(),
            undecided: RefCell::default(),
        }
    }

    /// Under which name the books have what is asked for under a key: it is another one when the key was forgotten.
    fn name(&self, key: &str) -> String {
        let now = self.now();
        let forgotten = |entry: &&LedgerEntry| {
            let name = entry.refund.as_deref().unwrap_or_default();
            name.split('#').next() == Some(key) && now.duration_since(entry.at) > REMEMBERS
        };
        match self.book().entries().iter().filter(forgotten).count() {
            0 => key.to_owned(),
            times => format!("{key}#{times}"),
        }
    }

    /// What the auditor looks into.
    pub fn shared(&self) -> Arc<Mutex<Book>> {
        self.book.clone()
    }

    pub fn is_quiet(&self) -> bool {
        self.outbox.borrow().is_empty() && self.undecided.borrow().is_empty()
    }

    /// Its own clock, that does not jump.
    pub fn now(&self) -> Timestamp {
        let elapsed = SignedDuration::try_from(self.begun.elapsed()).expect("a time");
        self.start + elapsed
    }

    /// What the bank has to say by now.
    pub fn decide(&self) {
        let now = Instant::now();
        let mut due = Vec::new();
        self.undecided.borrow_mut().retain(|undecided| {
            let is_due = undecided.0 <= now;
            if is_due {
                due.push((undecided.1.clone(), undecided.2));
            }
            !is_due
        });
        for (key, late) in due {
            let at = self.now();
            let status = match late {
                Late::Yes => self.book().approve_after_all(&key, at),
                Late::No { approves } => self.book().resolve(&key, approves, at),
            };
            let Some(status) = status else { continue };
            let precious = late == Late::Yes;
            self.chance.count(
                if precious {
                    "approved late"
                } else {
                    "approved or declined later"
                },
                1,
            );
            let moods = self.chance.plan().gateway;
            if !precious && self.chance.hits(moods.webhook_lost, "webhook lost") {
                continue;
            }
            let copies = if self.chance.hits(moods.webhook_twice, "webhook twice") {
                2
            } else {
                1
            };
            for copy in 0..copies {
                let changed = ChargeChanged {
                    event_id: format!("ev-{key}"),
                    key: key.clone(),
                    status,
                    at,
                };
                let delay = self.chance.up_to_ms(1_000 + copy * 100_000);
                self.outbox.borrow_mut().push(Webhook {
                    due: now + delay,
                    changed,
                    attempts: 0,
                    precious,
                });
            }
        }
    }

    /// The webhooks whose time has come. They are not in the outbox any more.
    pub fn due(&self) -> Vec<Webhook> {
        let now = Instant::now();
        let mut outbox = self.outbox.borrow_mut();
        outbox
            .extract_if(.., |webhook| webhook.due <= now)
            .collect()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().expect("the books")
    }

    /// What the bank says at once, the same whenever it is asked about the key.
    fn verdict(&self, key: &str) -> Verdict {
        let moods = self.chance.plan().gateway;
        let drawn = (ids::uniform(&format!("{}-{key}", self.seed)) % 1000) as u16;
        let (declines, pending) = (moods.declines, moods.declines + moods.pending);
        if drawn < declines {
            Verdict::Decline
        } else if drawn < pending + moods.late {
            Verdict::Wait
        } else {
            Verdict::Approve
        }
    }

    fn wait_for_the_bank(&self, key: &str) {
        let moods = self.chance.plan().gateway;
        let drawn = ids::uniform(&format!("{}-{key}", self.seed));
        let late = (drawn % 1000) as u16 >= moods.declines + moods.pending;
        let (time, late) = if late {
            (Duration::from_secs(700 + drawn / 7_000 % 3_000), Late::Yes)
        } else {
            let approves = !(drawn / 5_000).is_multiple_of(4);
            // Many in the moment in which time is up: orders expire at full minutes.
            let since = self.begun.elapsed().as_millis() as u64;
            let time = match drawn / 20_000 % 2 {
                0 => 660_000 - since % 60_000 + drawn / 7_000 % 8_000,
                _ => drawn / 7_000 % 900_000,
            };
            (Duration::from_millis(time), Late::No { approves })
        };
        self.undecided
            .borrow_mut()
            .push((Instant::now() + time, key.to_owned(), late));
    }

    fn latency(&self) -> Duration {
        let most = if self.chance.below(8) == 0 { 2_500 } else { 30 };
        self.chance.up_to_ms(most)
    }

    /// One request: refused before anything is done, or done without an answer.
    async fn request<T>(&self, work: impl FnOnce() -> T) -> Result<T, Fault> {
        self.decide();
        let moods = self.chance.plan().gateway;
        tokio::time::sleep(self.latency()).await;
        let no_answer = || Fault::Transient("the gateway gave no answer".to_owned());
        let away = self.chance.no_gateway.get();
        if away || self.chance.hits(moods.refuses, "gateway refused") {
            return Err(no_answer());
        }
        self.decide();
        let done = work();
        tokio::time::sleep(self.latency()).await;
        if self.chance.hits(moods.drops, "gateway's answer lost") {
            return Err(no_answer());
        }
        Ok(done)
    }
}

fn unexpected(problem: Problem) -> Fault {
    Fault::Corrupt(problem.message)
}

impl Gateway for SimGateway {
    async fn charge(&self, charge: &Charge<'_>) -> Result<Answer, Fault> {
        let cursed = (ids::uniform(&format!("{}-{}", charge.key, self.seed)) % 1000) as u16;
        if cursed < self.chance.plan().gateway.cursed {
            self.chance.count("charge of a cursed key", 1);
            let why = "this charge always goes wrong".to_owned();
            return Err(match cursed % 2 {
                0 => Fault::Transient(why),
                _ => Fault::Malformed(why),
            });
        }
        let answer = self.request(|| {
            let new = self.book().find(charge.key).is_err();
            let verdict = self.verdict(charge.key);
            let answer = self
                .book()
                .charge(charge.key, charge.amount, verdict, self.now());
            if new && verdict == Verdict::Wait {
                self.wait_for_the_bank(charge.key);
            }
            answer
        });
        let answer = answer.await?.map_err(unexpected)?;
        Ok(answer.of(charge.key, charge.amount)?.answer())
    }

    async fn status(&self, charge: &Charge<'_>) -> Result<Option<Answer>, Fault> {
        match self.request(|| self.book().find(charge.key)).await? {
            Ok(answer) => Ok(Some(answer.of(charge.key, charge.amount)?.answer())),
            Err(problem) if problem.code == ProblemCode::NotFound => Ok(None),
            Err(problem) => Err(unexpected(problem)),
        }
    }

    async fn void(&self, key: &str, which: Voidable) -> Result<Answer, Fault> {
        let answer = self
            .request(|| self.book().void(key, which, self.now()))
            .await?;
        answer.map(ChargeAnswer::answer).map_err(unexpected)
    }

    async fn refund(&self, refund: &Refund<'_>) -> Result<Refunded, Fault> {
        let money: Money = refund.amount;
        let answer = self.request(|| {
            let drawn = (ids::uniform(&format!("{}-{}", refund.key, self.seed)) % 1000) as u16;
            // A late payment that cannot be given back contradicts the books, and people decide. No seed is about that.
            let is_late = refund.key.starts_with("late-");
            if !is_late && drawn < self.chance.plan().gateway.no_refund {
                self.chance.count("refund refused", 1);
                let message = "not today".to_owned();
                let code = ProblemCode::NotRefundable;
                return Err(Problem { code, message });
            }
            let name = self.name(refund.key);
            self.book().refund(&name, refund.charge, money, self.now())
        });
        match answer.await? {
            Ok(answer) => Ok(Refunded::Done { refund: answer.id }),
            Err(problem) if problem.code == ProblemCode::NotRefundable => Ok(Refunded::Refused {
                why: problem.message,
            }),
            Err(problem) => Err(unexpected(problem)),
        }
    }

    async fn refund_status(&self, refund: &Refund<'_>) -> Result<Option<Refunded>, Fault> {
        let found = self.request(|| self.book().find_refund(refund.key)).await?;
        match found {
            Ok(answer) => answer.of(refund).map(Some),
            Err(problem) if problem.code == ProblemCode::NotFound => Ok(None),
            Err(problem) => Err(unexpected(problem)),
        }
    }
}
