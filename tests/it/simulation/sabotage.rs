//! Builds that are broken on purpose: each breaks one promise, and the auditor has to say so.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use domain::Fault;
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
    /// A row that states other content is counted as a duplicate.
    CountsConflictsAsDuplicates,
    /// Contact data of all rows is stored, also of those that are duplicates.
    StoresContactsOfAllRows,
    /// Contact data is stored after the saga, so notifications may not find the address.
    StoresContactsLate,
    /// Contact data is not dated: what comes last wins, also from an older upload.
    ForgetsUploadTimes,
    /// A notification that is on record already is counted again.
    CountsNotificationsAgain,
    /// A notification changes its status, and the counters stay as they are.
    CountsNoOutcomes,
    /// Single orders, small files and reviews go through the lane of large files.
    SendsSmallWorkWithBulk,
}

impl Sabotage {
    pub const ALL: &[Sabotage] = &[
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
        Sabotage::CountsConflictsAsDuplicates,
        Sabotage::StoresContactsOfAllRows,
        Sabotage::StoresContactsLate,
        Sabotage::ForgetsUploadTimes,
        Sabotage::CountsNotificationsAgain,
        Sabotage::CountsNoOutcomes,
        Sabotage::SendsSmallWorkWithBulk,
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
            Sabotage::CountsConflictsAsDuplicates => Promise::RepeatsAreToldApart,
            Sabotage::StoresContactsOfAllRows | Sabotage::ForgetsUploadTimes => {
                Promise::ContactsAreOfOrders
            }
            Sabotage::StoresContactsLate => Promise::AddressesAreFound,
            Sabotage::CountsNotificationsAgain | Sabotage::CountsNoOutcomes => {
                Promise::NotificationsAreCounted
            }
            Sabotage::SendsSmallWorkWithBulk => Promise::SmallWorkWaitsForNoBulk,
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
            (
                Some(Sabotage::CountsConflictsAsDuplicates),
                Write::Put {
                    table: Table::Journal,
                    mut item,
                    condition,
                },
            ) => {
                if item.remove("conflict").is_some() {
                    item.insert("duplicates".to_owned(), Value::N("1".to_owned()));
                }
                Write::Put {
                    table: Table::Journal,
                    item,
                    condition,
                }
            }
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

    async fn get_many_now(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        self.memory.get_many_now(keys).await
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
