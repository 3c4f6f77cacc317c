//! The loop from bytes to batches. What was read is announced before it is sent, and what was sent is on record with
//! the next announcement: a run that dies leaves at most the batches of a few windows to be sent again.

use domain::limits::ORDERS_PER_WINDOW;
use domain::{Batch, Contact, Fault, Order, batch};
use files::{Body, Files, Object, Opened};
use futures::stream::{FuturesOrdered, StreamExt};
use intake::{End, Reader, Row, Step};
use jiff::Timestamp;
use store::imports::{Checkpoint, ImportRecord, Lease, Read};
use store::{Engine, Store};
use tokio::time::Instant;

use edge::batches::Batches;

/// Windows whose batches are being sent while the next one is read. Two keep the reader busy; more would only hold
/// more of the file in memory.
const WINDOWS_UNDER_WAY: usize = 2;

/// A window ends after so many rows, also where most of them are rejected: how far a file was read has to be on record
/// every now and then.
const ROWS_PER_WINDOW: u64 = 10 * ORDERS_PER_WINDOW as u64;

/// Bytes of text that a run reads before it looks at its time in the middle of a window: each run gets on.
const BYTES_PER_LOOK: u64 = 64 * 1024 * 1024;

/// Why reading stopped before the end.
pub enum Pause {
    TimeIsUp,
    /// There is a whole window of orders, and there was to be less. It was neither announced nor sent.
    TooLarge,
    /// What is wrong with the file, or with the object.
    Unreadable(String),
}

pub struct Reading<'a, E, B> {
    store: &'a Store<E>,
    batches: &'a B,
    lease: Lease<'a>,
    deadline: Instant,
    /// Whether to give up before the first window is sent.
    pub stops_at_a_window: bool,
    /// What was announced, maybe by a run before this one: it is never taken back.
    announced: Read,
    read: Read,
    window: Vec<(Order, Contact)>,
    window_began: u64,
    next_batch: u32,
    uploaded_at: Timestamp,
    /// Up to here everything is sent, and it is not on record yet.
    sent: Option<Checkpoint>,
}

impl<'a, E: Engine, B: Batches> Reading<'a, E, B> {
    pub fn new(
        store: &'a Store<E>,
        batches: &'a B,
        lease: Lease<'a>,
        record: &ImportRecord,
        uploaded_at: Timestamp,
        deadline: Instant,
    ) -> Reading<'a, E, B> {
        let checkpoint = record.checkpoint.as_ref();
        let read = checkpoint.map(|checkpoint| checkpoint.read);
        let read = read.unwrap_or_default();
        Reading {
            store,
            batches,
            lease,
            deadline,
            stops_at_a_window: false,
            announced: record.read,
            read,
            window: Vec::new(),
            window_began: read.rows,
            uploaded_at,
            next_batch: checkpoint.map_or(0, |checkpoint| checkpoint.batches),
            sent: None,
        }
    }

    pub fn read_so_far(&self) -> Read {
        self.read
    }

    /// Reads the object and sends its orders.
    pub async fn read(
        &mut self,
        files: &impl Files,
        object: &Object,
        mut reader: Reader,
    ) -> Result<Result<End, Pause>, Fault> {
        let batches = self.batches;
        let send = |window: Vec<Batch>, behind: Option<Checkpoint>| async move {
            batches.send(window).await?;
            Ok::<_, Fault>(behind)
        };
        let mut sending = FuturesOrdered::new();
        let mut rows = Vec::new();
        let began = self.read.offset;
        let mut body = match files.open(object, 0).await? {
            Opened::Body(body) => body,
            unreadable => return Ok(Err(gone(&unreadable))),
        };
        let ended = loop {
            match reader.step(&mut rows) {
                Ok(Step::Row) => {
                    rows.drain(..).for_each(|row| self.take(row));
                    if !self.window_is_full() {
                        continue;
                    }
                    if self.stops_at_a_window {
                        return Ok(Err(Pause::TooLarge));
                    }
                    let (window, behind) = self.cut(&mut reader).await?;
                    sending.push_back(send(window, behind));
                    while sending.len() > WINDOWS_UNDER_WAY {
                        self.was_sent(sending.next().await.transpose()?.flatten());
                    }
                    if Instant::now() >= self.deadline {
                        break Err(Pause::TimeIsUp);
                    }
                }
                // A file may hold nothing that fills a window.
                Ok(Step::More)
                    if reader.text_bytes() >= began + BYTES_PER_LOOK
                        && Instant::now() >= self.deadline =>
                {
                    break Err(Pause::TimeIsUp);
                }
                Ok(Step::More) => {
                    if let Some(offset) = reader.jump() {
                        body = match files.open(object, offset).await? {
                            Opened::Body(body) => body,
                            unreadable => break Err(gone(&unreadable)),
                        };
                    }
                    // Sending goes on while the next piece of the file is on its way.
                    let piece = tokio::select! {
                        biased;
                        Some(sent) = sending.next() => {
                            self.was_sent(sent?);
                            continue;
                        }
                        piece = body.next() => piece?,
                    };
                    match piece {
                        Some(bytes) => reader.push(&bytes),
                        None => reader.end(),
                    }
                }
                Ok(Step::Over(end @ End::Content(_))) => return Ok(Ok(end)),
                Ok(Step::Over(End::Rows)) => break Ok(End::Rows),
                Err(error) => break Err(Pause::Unreadable(error.to_string())),
            }
        };
        if !self.window.is_empty() || self.read != self.announced {
            let (window, behind) = self.cut(&mut reader).await?;
            sending.push_back(send(window, behind));
        }
        while let Some(sent) = sending.next().await {
            self.was_sent(sent?);
        }
        self.announce().await?;
        Ok(ended)
    }

    fn take(&mut self, row: Row) {
        match row {
            Row::Order {
                order,
                contact,
                continued,
            } => {
                self.read.rows += 1 + continued;
                self.read.continued += continued;
                self.window.push((order, contact));
            }
            Row::Reject(_) => {
                self.read.rows += 1;
                self.read.rejected += 1;
            }
        }
    }

    fn window_is_full(&self) -> bool {
        self.window.len() == ORDERS_PER_WINDOW
            || self.read.rows - self.window_began >= ROWS_PER_WINDOW
    }

    fn was_sent(&mut self, behind: Option<Checkpoint>) {
        self.sent = behind.or(self.sent.take());
    }

    /// The batches of the window, and where the file stands behind it: nowhere, if that is where it broke off.
    async fn cut(
        &mut self,
        reader: &mut Reader,
    ) -> Result<(Vec<Batch>, Option<Checkpoint>), Fault> {
        let mark = reader.mark();
        if let Some(mark) = &mark {
            self.read.offset = mark.offset();
        }
        self.announce().await?;
        let window = std::mem::take(&mut self.window);
        let batches = batch::cut(
            self.lease.import_id,
            self.uploaded_at,
            self.next_batch,
            window,
        );
        self.next_batch += u32::try_from(batches.len()).unwrap_or(u32::MAX);
        self.window_began = self.read.rows;
        let behind = mark.map(|mark| {
            let mark = serde_json::to_string(&mark)
                .map_err(|error| Fault::Corrupt(format!("a mark could not be written: {error}")))?;
            Ok(Checkpoint {
                read: self.read,
                batches: self.next_batch,
                mark,
            })
        });
        Ok((batches, behind.transpose()?))
    }

    async fn announce(&mut self) -> Result<(), Fault> {
        if self.read.rows > self.announced.rows {
            self.announced = self.read;
        } else if self.sent.is_none() {
            return Ok(());
        }
        let sent = self.sent.take();
        self.store
            .announce_rows(self.lease, self.announced, sent.as_ref())
            .await
    }
}

fn gone<B>(opened: &Opened<B>) -> Pause {
    let reason = match opened {
        Opened::Replaced => "the object was replaced while it was read",
        Opened::Gone | Opened::Body(_) => "the object is gone",
    };
    Pause::Unreadable(reason.to_owned())
}
