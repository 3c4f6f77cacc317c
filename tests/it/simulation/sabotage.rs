//! Builds that are broken on purpose: each breaks one promise, and the auditor has to say so.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use domain::Fault;
use payments::{Answer, Charge, Gateway, Refund, Refunded, Voidable};
use store::Engine;
use store::memory::MemoryEngine;
use store::ops::{
    Change, Condition, Count, Item, Key, Page, Query, TransactError, Value, Verdict, Write,
    WriteError, text,
};
use store::schema::Table;

use super::auditor::Promise;
use super::miscounting;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    /// A message is acknowledged though its saga failed.
    AcknowledgesFailures,
    /// A charge is asked for under another key each time.
    DrawsANewKey,
    /// No answer of the gateway is taken for a no.
    TakesSilenceForNo,
    /// No answer of the gateway is taken for a yes.
    TakesSilenceForYes,
    /// A state catches faults, and rolls back.
    CatchesFaults,
    /// Stock that is sold is not taken out of what is reserved.
    SellsWithoutReserve,
    /// An order is moved on whatever its status is.
    ForgetsConditions,
    /// Orders are settled without an entry in the journal.
    SkipsTheJournal,
    /// A late payment is said to be given back, and is not.
    KeepsLatePayments,
    /// A charge is voided at the end of its time though it was approved.
    VoidsApprovals,
    /// Payments that are pending for too long are left alone.
    NeverExpires,
    /// An order id that is taken is written over.
    OverwritesOrders,
    /// An entry that could not be entered in the figures is left at that.
    DropsEntries,
    /// What was entered in the figures is entered once more.
    IgnoresClaims,
    /// What is claimed is entered in a transaction of its own.
    ClaimsApart,
    /// Figures are written over, whatever they have become since they were read.
    OverwritesFigures,
    /// Figures that are built anew take the place of the others before the journal was read.
    SwapsUnread,
    /// Some of what is entered is not, and found missing when it comes again.
    EntersSome,
    /// An import that is over does not say so.
    NeverSaysTheEnd,
    /// What comes back of a cancelled order is not in stock again.
    CancelsWithoutStock,
    /// A cancelled order does not say that its units came back.
    CancelsWithoutUnits,
    /// What is left of a cancelled order is said to be on its way, and is not.
    CancelsWithoutRefund,
    /// A refund is asked for again, and nobody asks first what became of it.
    RefundsUnasked,
    /// What nobody could be told of at once is left at that.
    ForgetsNotices,
    /// A notification that is on record already is counted again.
    CountsNotificationsAgain,
    /// A notification changes its status, and the counters stay as they are.
    CountsNoOutcomes,
}

impl Sabotage {
    pub const ALL: [Sabotage; 26] = [
        Sabotage::AcknowledgesFailures,
        Sabotage::DrawsANewKey,
        Sabotage::TakesSilenceForNo,
        Sabotage::TakesSilenceForYes,
        Sabotage::CatchesFaults,
        Sabotage::SellsWithoutReserve,
        Sabotage::ForgetsConditions,
        Sabotage::SkipsTheJournal,
        Sabotage::KeepsLatePayments,
        Sabotage::VoidsApprovals,
        Sabotage::NeverExpires,
        Sabotage::OverwritesOrders,
        Sabotage::DropsEntries,
        Sabotage::IgnoresClaims,
        Sabotage::ClaimsApart,
        Sabotage::OverwritesFigures,
        Sabotage::SwapsUnread,
        Sabotage::EntersSome,
        Sabotage::NeverSaysTheEnd,
        Sabotage::CancelsWithoutStock,
        Sabotage::CancelsWithoutUnits,
        Sabotage::CancelsWithoutRefund,
        Sabotage::RefundsUnasked,
        Sabotage::ForgetsNotices,
        Sabotage::CountsNotificationsAgain,
        Sabotage::CountsNoOutcomes,
    ];

    /// The promise that is broken first of all.
    pub fn breaks(self) -> Promise {
        match self {
            Sabotage::AcknowledgesFailures => Promise::RowsAreAccountedFor,
            Sabotage::DrawsANewKey => Promise::NobodyIsChargedTwice,
            Sabotage::TakesSilenceForNo | Sabotage::CatchesFaults => {
                Promise::FailedOrdersAreNotCharged
            }
            Sabotage::TakesSilenceForYes => Promise::CompletedOrdersAreCharged,
            Sabotage::SellsWithoutReserve | Sabotage::CancelsWithoutStock => Promise::StockAddsUp,
            Sabotage::CancelsWithoutUnits | Sabotage::CancelsWithoutRefund => {
                Promise::CancelledOrdersGoBack
            }
            Sabotage::ForgetsConditions => Promise::StatusesFollowTheGraph,
            Sabotage::SkipsTheJournal => Promise::TheJournalIsTheOrders,
            Sabotage::KeepsLatePayments | Sabotage::VoidsApprovals | Sabotage::RefundsUnasked => {
                Promise::TheLedgerIsOurBooks
            }
            Sabotage::NeverExpires => Promise::EverythingEnds,
            Sabotage::OverwritesOrders => Promise::OrdersKeepTheirRow,
            Sabotage::DropsEntries
            | Sabotage::IgnoresClaims
            | Sabotage::ClaimsApart
            | Sabotage::OverwritesFigures
            | Sabotage::SwapsUnread => Promise::FiguresAreTheJournal,
            Sabotage::EntersSome => Promise::ImportsEndLast,
            Sabotage::NeverSaysTheEnd => Promise::ImportsEndOnce,
            Sabotage::ForgetsNotices => Promise::EverythingIsToldOnce,
            Sabotage::CountsNotificationsAgain | Sabotage::CountsNoOutcomes => {
                Promise::NotificationsAreCounted
            }
        }
    }
}

/// The store's engine, broken or not.
#[derive(Clone)]
pub struct SimEngine {
    pub memory: MemoryEngine,
    pub sabotage: Option<Sabotage>,
    /// Nothing can be entered in the figures for a while.
    pub no_figures: Arc<AtomicBool>,
}

impl SimEngine {
    pub fn new(memory: MemoryEngine, sabotage: Option<Sabotage>) -> SimEngine {
        SimEngine {
            memory,
            sabotage,
            no_figures: Arc::default(),
        }
    }

    fn broken(&self, writes: &[Write]) -> Vec<Write> {
        let cancels = writes.iter().any(cancels_an_order);
        let kept = writes.iter().filter(|write| {
            let left_out = match self.sabotage {
                Some(Sabotage::CancelsWithoutStock) => Some(Table::Products),
                Some(Sabotage::CancelsWithoutRefund) => Some(Table::Refunds),
                _ => None,
            };
            if cancels && Some(table(write)) == left_out {
                return false;
            }
            let journal = matches!(
                write,
                Write::Put {
                    table: Table::Journal,
                    ..
                }
            );
            !(journal && self.sabotage == Some(Sabotage::SkipsTheJournal) && writes.len() > 1)
        });
        kept.cloned().map(|write| self.broken_one(write)).collect()
    }

    fn broken_one(&self, write: Write) -> Write {
        match (self.sabotage, write) {
            (
                Some(Sabotage::SellsWithoutReserve),
                Write::Update {
                    key,
                    changes,
                    condition,
                },
            ) if key.table == Table::Products => {
                let sells = changes
                    .iter()
                    .any(|change| matches!(change, Change::Add("sold", _)));
                let reserved = |change: &Change| matches!(change, Change::Add("reserved", _));
                let changes = changes
                    .into_iter()
                    .filter(|change| !(sells && reserved(change)))
                    .collect();
                Write::Update {
                    key,
                    changes,
                    condition,
                }
            }
            (Some(Sabotage::ForgetsConditions), Write::Update { key, changes, .. })
                if key.table == Table::Orders =>
            {
                Write::Update {
                    key,
                    changes,
                    condition: Condition::Always,
                }
            }
            (
                Some(Sabotage::CancelsWithoutUnits),
                Write::Update {
                    key,
                    mut changes,
                    condition,
                },
            ) if changes.iter().any(is_cancelled) => {
                changes.retain(|change| !matches!(change, Change::Set("returned", _)));
                Write::Update {
                    key,
                    changes,
                    condition,
                }
            }
            (
                Some(Sabotage::OverwritesOrders),
                Write::Put {
                    table: Table::Orders,
                    item,
                    ..
                },
            ) => Write::Put {
                table: Table::Orders,
                item,
                condition: Condition::Always,
            },
            (_, write) => self.broken_figure(write),
        }
    }

    fn broken_figure(&self, write: Write) -> Write {
        let claims = is_claim(&write);
        match write {
            Write::Put {
                table: Table::Tallies,
                item,
                condition,
            } => {
                let ignored = match self.sabotage {
                    Some(Sabotage::IgnoresClaims) => claims,
                    Some(Sabotage::OverwritesFigures) => !claims && !is_of_books(&item),
                    _ => false,
                };
                let condition = if ignored {
                    Condition::Always
                } else {
                    condition
                };
                Write::Put {
                    table: Table::Tallies,
                    item,
                    condition,
                }
            }
            write => write,
        }
    }

    /// Claims are the first writes of a transaction.
    async fn transact_apart(&self, writes: &[Write], token: &str) -> Result<(), TransactError> {
        let claims = writes.iter().take_while(|write| is_claim(write)).count();
        let (claims, figures) = writes.split_at(claims);
        match self.memory.transact(claims, token).await {
            Err(TransactError::Cancelled(mut verdicts)) => {
                verdicts.resize(writes.len(), Verdict::Fine);
                return Err(TransactError::Cancelled(verdicts));
            }
            answer => answer?,
        }
        let answer = self.memory.transact(figures, &format!("{token}-2")).await;
        answer.map_err(|error| match error {
            TransactError::Cancelled(verdicts) => {
                let claims = claims.iter().map(|_| Verdict::Fine);
                TransactError::Cancelled(claims.chain(verdicts).collect())
            }
            fault => fault,
        })
    }
}

fn is_of_books(item: &Item) -> bool {
    item.get("pk") == Some(&text("books"))
}

fn is_claim(write: &Write) -> bool {
    matches!(write, Write::Put { table: Table::Tallies, item, .. }
        if matches!(item.get("pk"), Some(Value::S(partition)) if partition.contains("#claim#")))
}

fn table(write: &Write) -> Table {
    match write {
        Write::Put { table, .. } => *table,
        Write::Update { key, .. } | Write::Delete { key, .. } => key.table,
    }
}

fn is_cancelled(change: &Change) -> bool {
    matches!(change, Change::Set("cancelled_at", _))
}

fn cancels_an_order(write: &Write) -> bool {
    matches!(write, Write::Update { changes, .. } if changes.iter().any(is_cancelled))
}

/// An update, of what only adds.
fn ends_an_import(write: &Write) -> bool {
    matches!(write, Write::Update { key, .. } if key.partition.contains("#import#"))
}

impl Engine for SimEngine {
    async fn get(&self, key: &Key) -> Result<Option<Item>, Fault> {
        self.memory.get(key).await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        self.memory.get_many(keys).await
    }

    async fn write(&self, write: &Write) -> Result<(), WriteError> {
        let ends = |change: &Change| matches!(change, Change::Set("completed_at", _));
        let never = self.sabotage == Some(Sabotage::NeverSaysTheEnd);
        if never && matches!(write, Write::Update { changes, .. } if changes.iter().any(ends)) {
            return Ok(());
        }
        self.memory.write(&self.broken_one(write.clone())).await
    }

    async fn update_many(&self, updates: &[Write]) -> Result<Vec<Result<(), WriteError>>, Fault> {
        self.memory.update_many(&self.broken(updates)).await
    }

    async fn transact(&self, writes: &[Write], token: &str) -> Result<(), TransactError> {
        let figures = writes.iter().any(is_claim);
        if figures && self.no_figures.load(Ordering::Relaxed) {
            let away = Fault::Transient("the figures are away".to_owned());
            return Err(TransactError::Fault(away));
        }
        match self.sabotage {
            Some(Sabotage::CountsNotificationsAgain) if miscounting::adds(writes) => {
                miscounting::count_again(&self.memory, writes, token).await
            }
            Some(Sabotage::CountsNoOutcomes) if miscounting::changes(writes) => {
                let uncounted = miscounting::without_counters(writes);
                self.memory.transact(&uncounted, token).await
            }
            Some(Sabotage::ClaimsApart) if figures => self.transact_apart(writes, token).await,
            Some(Sabotage::EntersSome)
                if figures && token < "8" && !writes.iter().any(ends_an_import) =>
            {
                Ok(())
            }
            _ => self.memory.transact(&self.broken(writes), token).await,
        }
    }

    async fn query(&self, query: &Query) -> Result<Page, Fault> {
        self.memory.query(query).await
    }

    async fn count(&self, query: &Query) -> Result<Count, Fault> {
        self.memory.count(query).await
    }

    async fn scan(
        &self,
        table: Table,
        start: Option<Item>,
        limit: Option<u32>,
    ) -> Result<Page, Fault> {
        match (self.sabotage, table) {
            (Some(Sabotage::SwapsUnread), Table::Journal) => Ok(Page::default()),
            _ => self.memory.scan(table, start, limit).await,
        }
    }
}

/// The way to the gateway, broken or not.
pub struct Wired<'a, G> {
    pub gateway: &'a G,
    pub sabotage: Option<Sabotage>,
    pub draw: u64,
}

impl<G: Gateway> Gateway for Wired<'_, G> {
    async fn charge(&self, charge: &Charge<'_>) -> Result<Answer, Fault> {
        let another = format!("{}#{}", charge.key, self.draw % 1000);
        let charge = match self.sabotage {
            Some(Sabotage::DrawsANewKey) => Charge {
                key: &another,
                ..*charge
            },
            _ => *charge,
        };
        let answer = self.gateway.charge(&charge).await;
        match (self.sabotage, answer) {
            (Some(Sabotage::TakesSilenceForNo), Err(Fault::Transient(_))) => Ok(Answer::Declined),
            (Some(Sabotage::TakesSilenceForYes), Err(Fault::Transient(_))) => {
                Ok(Answer::Approved {
                    payment: "?".to_owned(),
                })
            }
            (_, answer) => answer,
        }
    }

    async fn status(&self, charge: &Charge<'_>) -> Result<Option<Answer>, Fault> {
        self.gateway.status(charge).await
    }

    async fn void(&self, key: &str, which: Voidable) -> Result<Answer, Fault> {
        match (self.sabotage, which) {
            (Some(Sabotage::KeepsLatePayments), Voidable::Any) => Ok(Answer::Voided),
            (Some(Sabotage::VoidsApprovals), _) => self.gateway.void(key, Voidable::Any).await,
            _ => self.gateway.void(key, which).await,
        }
    }

    async fn refund(&self, refund: &Refund<'_>) -> Result<Refunded, Fault> {
        let answer = self.gateway.refund(refund).await;
        match self.sabotage {
            // Seldom told, so that it is asked again often.
            Some(Sabotage::RefundsUnasked) if !self.draw.is_multiple_of(8) => {
                Err(Fault::Transient("no answer".to_owned()))
            }
            _ => answer,
        }
    }

    async fn refund_status(&self, refund: &Refund<'_>) -> Result<Option<Refunded>, Fault> {
        match self.sabotage {
            Some(Sabotage::RefundsUnasked) => Ok(None),
            _ => self.gateway.refund_status(refund).await,
        }
    }
}
