//! The gateway as a process sees it: one book behind a lock, the requests that come in, and the bank that answers late.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use domain::ids;
use jiff::Timestamp;
use payments::SigningKey;
use payments::contract::{ChargeChanged, ChargeStatus, LedgerEntry, Problem, ProblemCode};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::behaviour::{Behaviour, Failure, Fate, Operation};
use super::book::{Book, problem};
use super::line::{Line, Lines};
use super::routes;
use super::summary::{self, Faults, Summary};
use super::webhooks::Webhooks;

/// Requests that are on their way when it stops are answered, if they are quick.
const FAREWELL: Duration = Duration::from_secs(2);

/// Serves until it is dropped.
pub struct Server {
    address: SocketAddr,
    desk: Arc<Desk>,
    /// Dropped: no more connections, and those that are idle are closed.
    _open: oneshot::Sender<()>,
    serving: JoinSet<()>,
    /// Ends with the server: what the bank has not said by then, it never says.
    _later: JoinSet<()>,
}

/// What all requests share.
pub struct Desk {
    pub key: SigningKey,
    pub behaviour: Behaviour,
    webhooks: Option<Webhooks>,
    state: Mutex<State>,
    later: mpsc::UnboundedSender<Later>,
}

struct State {
    book: Book,
    attempts: HashMap<(Operation, String), u32>,
    faults: Faults,
    webhooks: summary::Webhooks,
    unbelieved: u64,
}

/// What the bank will say.
struct Later {
    key: String,
    fate: Fate,
}

impl Server {
    /// Serves what connects to this listener. Events are posted to `webhook`.
    pub async fn start(
        listener: TcpListener,
        key: SigningKey,
        behaviour: Behaviour,
        webhook: Option<&str>,
    ) -> Result<Server> {
        behaviour.check().map_err(anyhow::Error::msg)?;
        let address = listener.local_addr()?;
        let webhooks = webhook.map(|url| Webhooks::new(url, key.clone()));
        let (later, to_come) = mpsc::unbounded_channel();
        let state = State {
            book: Book::new(behaviour.settle_after()),
            attempts: HashMap::new(),
            faults: Faults::default(),
            webhooks: summary::Webhooks::default(),
            unbelieved: 0,
        };
        let desk = Arc::new(Desk {
            key,
            behaviour,
            webhooks: webhooks.transpose()?,
            state: Mutex::new(state),
            later,
        });
        let (open, closed) = oneshot::channel::<()>();
        let app = routes::router(desk.clone()).into_make_service_with_connect_info::<Line>();
        let serve = axum::serve(Lines(listener), app).with_graceful_shutdown(async {
            let _dropped = closed.await;
        });
        let mut serving = JoinSet::new();
        serving.spawn(async {
            let _never_fails = serve.await;
        });
        let mut bank = JoinSet::new();
        bank.spawn(Desk::answer_later(desk.clone(), to_come));
        Ok(Server {
            address,
            desk,
            _open: open,
            serving,
            _later: bank,
        })
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn entries(&self) -> Vec<LedgerEntry> {
        self.desk.state().book.entries().to_vec()
    }

    pub fn summary(&self) -> Summary {
        self.desk.summary()
    }

    /// Answers who is waiting, and ends.
    pub async fn stop(self) -> Summary {
        let Server {
            desk,
            _open: open,
            mut serving,
            ..
        } = self;
        drop(open);
        let _in_time = tokio::time::timeout(FAREWELL, serving.join_next()).await;
        desk.summary()
    }
}

impl Desk {
    /// One attempt at something, with what goes wrong with it. It is carried through even when whoever asked for it
    /// does not wait for the answer: so does a bank.
    pub async fn attempt<T: Send + 'static>(
        self: &Arc<Desk>,
        line: &Line,
        operation: Operation,
        key: &str,
        work: impl FnOnce(&mut Book, Timestamp) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let (desk, line, key) = (self.clone(), line.clone(), key.to_owned());
        let attempt = tokio::spawn(async move {
            let (attempt, failure) = desk.begin(operation, &key);
            let latency = desk.behaviour.latency(operation, &key, attempt);
            if !latency.is_zero() {
                tokio::time::sleep(latency).await;
            }
            match failure {
                Some(Failure::Throttled) => {
                    return Err(problem(ProblemCode::TooManyRequests, "not now"));
                }
                Some(Failure::ErrorBefore) => return Err(unavailable()),
                Some(Failure::ErrorAfter | Failure::Dropped) | None => {}
            }
            let done = work(&mut desk.state().book, Timestamp::now());
            match failure {
                Some(Failure::ErrorAfter) => return Err(unavailable()),
                Some(Failure::Dropped) => line.cut(),
                Some(Failure::Throttled | Failure::ErrorBefore) | None => {}
            }
            done
        });
        attempt.await.unwrap_or_else(|_| Err(unavailable()))
    }

    /// Reads that never fail.
    pub fn read<T>(&self, work: impl FnOnce(&Book) -> T) -> T {
        work(&self.state().book)
    }

    pub fn count_unbelieved(&self) {
        self.state().unbelieved += 1;
    }

    /// The bank will say later what becomes of a charge.
    pub fn expect(&self, key: &str, fate: Fate) {
        let later = Later {
            key: key.to_owned(),
            fate,
        };
        // Nobody listens any more when the server is about to end.
        let _ending = self.later.send(later);
    }

    fn summary(&self) -> Summary {
        let state = self.state();
        Summary {
            unbelieved: state.unbelieved,
            faults: state.faults,
            webhooks: state.webhooks,
            ..Summary::of(&state.book)
        }
    }

    fn begin(&self, operation: Operation, key: &str) -> (u32, Option<Failure>) {
        let mut state = self.state();
        let attempts = state.attempts.entry((operation, key.to_owned()));
        let next = attempts.or_default();
        let attempt = *next;
        *next = next.saturating_add(1);
        let failure = self.behaviour.failure(operation, key, attempt);
        if let Some(failure) = failure {
            state.faults.count(failure);
        }
        (attempt, failure)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The book is changed in steps that do not panic, so it is whole whoever else did.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer_later(desk: Arc<Desk>, mut to_come: mpsc::UnboundedReceiver<Later>) {
        let mut running = JoinSet::new();
        loop {
            tokio::select! {
                later = to_come.recv() => match later {
                    Some(later) => drop(running.spawn(desk.clone().resolve(later))),
                    None => return,
                },
                Some(_) = running.join_next() => {}
            }
        }
    }

    async fn resolve(self: Arc<Desk>, Later { key, fate }: Later) {
        let wait = match fate {
            Fate::Late => self.behaviour.late_after,
            Fate::Approve | Fate::Decline | Fate::Pending { .. } => self.behaviour.pending_for,
        };
        tokio::time::sleep(wait).await;
        let now = Timestamp::now();
        let changed = {
            let book = &mut self.state().book;
            match fate {
                Fate::Late => book.approve_after_all(&key, now),
                Fate::Pending { approved } => book.resolve(&key, approved, now),
                Fate::Approve | Fate::Decline => None,
            }
        };
        if let Some(status) = changed {
            self.tell(key, status, now).await;
        }
    }

    async fn tell(&self, key: String, status: ChargeStatus, at: Timestamp) {
        let Some(webhooks) = &self.webhooks else {
            return;
        };
        let event = ChargeChanged {
            event_id: format!("ev_{}", ids::short_hash(&[&key, &format!("{status:?}")])),
            key,
            status,
            at,
        };
        let sending = self.behaviour.sending(&event.event_id);
        let first = self.send(webhooks, &event, Some(sending.first_after));
        let again = self.send(webhooks, &event, sending.again_after);
        tokio::join!(first, again);
    }

    async fn send(&self, webhooks: &Webhooks, event: &ChargeChanged, after: Option<Duration>) {
        let Some(after) = after else { return };
        tokio::time::sleep(after).await;
        let delivered = webhooks.deliver(event).await;
        let counts = &mut self.state().webhooks;
        match delivered {
            true => counts.delivered += 1,
            false => counts.given_up += 1,
        }
    }
}

fn unavailable() -> Problem {
    problem(ProblemCode::Unavailable, "something went wrong")
}
