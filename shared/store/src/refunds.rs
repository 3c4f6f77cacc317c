//! Refunds as they are kept, how they are found, and what may be asked for. What moves them is in `refunding`.

use domain::refund::{Part, RefundStatus, Refusal, TakenBack, Wanted};
use domain::{Currency, Fault, Money, ids};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::engine::Engine;
use crate::item::{record, value};
use crate::ops::{Change, Condition, Item, Key, Query, Write, text};
use crate::orders::OrderRecord;
use crate::pending::{attribute, instant, shard};
use crate::refunding::first_look;
use crate::retry::Store;
use crate::schema::{BY_ORDER, OPEN, Table};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RefundRecord {
    pub refund_id: String,
    pub order_id: String,
    pub import_id: String,
    pub customer_id: String,
    pub currency: Currency,
    pub amount: Decimal,
    /// Whatever was left was asked for.
    pub full: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<TakenBack>,
    /// In the words of whoever asked.
    pub reason: String,
    pub requested_by: String,
    /// What was asked for, hashed: another wish under the same key is told from this one.
    pub fingerprint: String,
    pub status: RefundStatus,
    /// How often the gateway was to be asked: once, and once more for each retry.
    pub attempts: u32,
    /// Why the gateway said no, in its words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// The gateway's own reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    #[serde(with = "crate::instant")]
    pub created_at: Timestamp,
    /// That of its beginning, in UTC: lists go through refunds day by day.
    pub day: Date,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retried_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processing_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// Who tried it again last: somebody, or the gateway, which gave the money back after it had said no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retried_by: Option<String>,
    /// Who took it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancelled_by: Option<String>,
    /// Only while it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) open_shard: Option<String>,
    /// When it is looked at next, should it still be open by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_check: Option<Timestamp>,
}

impl RefundRecord {
    /// A new one: of an amount, and of no lines.
    pub(crate) fn pending(
        order: &OrderRecord,
        refund_id: String,
        amount: Decimal,
        now: Timestamp,
    ) -> RefundRecord {
        RefundRecord {
            open_shard: Some(shard(&refund_id)),
            open_check: Some(first_look(now)),
            refund_id,
            order_id: order.order_id.clone(),
            import_id: order.import_id.clone(),
            customer_id: order.customer_id.clone(),
            currency: order.currency,
            amount,
            full: false,
            lines: Vec::new(),
            reason: String::new(),
            requested_by: String::new(),
            fingerprint: String::new(),
            status: RefundStatus::Pending,
            attempts: 0,
            failure: None,
            reference: None,
            created_at: now,
            day: TimeZone::UTC.to_datetime(now).date(),
            retried_at: None,
            processing_at: None,
            ended_at: None,
            retried_by: None,
            cancelled_by: None,
        }
    }

    /// Since when it is on its way.
    pub fn open_since(&self) -> Timestamp {
        self.retried_at.unwrap_or(self.created_at)
    }

    pub fn money(&self) -> Result<Money, Fault> {
        Money::new(self.amount, self.currency)
            .map_err(|error| Fault::Corrupt(format!("refund {}: {error}", self.refund_id)))
    }

    pub fn part(&self) -> Part<'_> {
        (self.amount, &self.lines)
    }

    pub(crate) fn is_of_cancellation(&self) -> bool {
        self.refund_id == ids::refund_id_of_cancelled(&self.order_id)
    }

    /// Why it was not cancelled, where somebody wished it.
    pub fn why_not_cancelled(&self) -> String {
        let status = self.status.name().to_ascii_lowercase();
        match self.status {
            _ if self.is_of_cancellation() => {
                "what goes back of a cancelled order cannot be cancelled".to_owned()
            }
            RefundStatus::Pending => {
                "the gateway was asked before, and may have given the money back".to_owned()
            }
            _ => format!("a refund that is {status} cannot be cancelled"),
        }
    }
}

/// What somebody asks for. Under the same key, the same is asked for once.
#[derive(Debug, Clone, Copy)]
pub struct RefundRequest<'a> {
    pub key: &'a str,
    pub order_id: &'a str,
    pub wanted: &'a Wanted,
    pub reason: &'a str,
    /// Who asks.
    pub requested_by: &'a str,
}

impl RefundRequest<'_> {
    pub fn refund_id(&self) -> String {
        ids::refund_id(self.key)
    }

    /// The same for what means the same: 5 and 5.00 do. Whoever asks: who renewed a token may ask again.
    pub(crate) fn fingerprint(&self) -> Result<String, Fault> {
        let wanted = match self.wanted {
            Wanted::Amount(amount) => Wanted::Amount(amount.normalize()),
            Wanted::Full | Wanted::Lines(_) => self.wanted.clone(),
        };
        let wanted = serde_json::to_string(&wanted)
            .map_err(|error| Fault::Corrupt(format!("a request could not be written: {error}")))?;
        Ok(ids::short_hash(&[self.order_id, &wanted, self.reason]))
    }
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Requested {
    /// It is on record, and has to be sent to whoever asks the gateway.
    New(Box<RefundRecord>),
    /// The same was asked for before under this key.
    Replayed(Box<RefundRecord>),
    /// Something else was asked for before under this key.
    KeyReused,
    NoSuchOrder,
    Refused(Refusal),
}

/// A refund that the gateway may be asked for, while it is open.
#[derive(Debug, Clone, PartialEq)]
pub struct Begun {
    pub refund: RefundRecord,
    /// Nobody can have asked for it before this call.
    pub is_first: bool,
}

/// What became of a wish to move a refund on.
#[derive(Debug, Clone, PartialEq)]
pub enum Moved {
    /// By this call or an earlier one. As the refund is now.
    Done(Box<RefundRecord>),
    /// The refund is in no state for it, and stays as it is.
    Stays(Box<RefundRecord>),
    /// Its order has not enough left for it any more.
    Refused(Refusal),
    Unknown,
}

impl<E: Engine> Store<E> {
    pub async fn refund(&self, refund_id: &str) -> Result<Option<RefundRecord>, Fault> {
        if refund_id.is_empty() {
            return Ok(None);
        }
        self.get(&key(refund_id)).await?.map(record).transpose()
    }

    /// The refunds of an order, the first one first. What was written a moment ago may be missing.
    pub async fn refunds_of(&self, order_id: &str) -> Result<Vec<RefundRecord>, Fault> {
        let query = Query::of(Table::Refunds, Some(&BY_ORDER), order_id);
        let entries = self.query_all(query).await?;
        let found = self.refunds_in(entries).await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// The refunds that entries of an index stand for, in their sequence.
    pub(crate) async fn refunds_in(
        &self,
        entries: Vec<Item>,
    ) -> Result<Vec<Option<RefundRecord>>, Fault> {
        let ids = entries
            .iter()
            .map(|entry| attribute(entry, Table::Refunds.partition()));
        self.refunds(&ids.collect::<Result<Vec<_>, Fault>>()?).await
    }

    /// As many answers as ids, in their sequence.
    async fn refunds(&self, refund_ids: &[String]) -> Result<Vec<Option<RefundRecord>>, Fault> {
        let keys: Vec<Key> = refund_ids.iter().map(|id| key(id)).collect();
        let found = self.get_many(&keys).await?.into_iter();
        found.map(|item| item.map(record).transpose()).collect()
    }

    pub async fn each_refund(&self, mut each: impl FnMut(RefundRecord)) -> Result<(), Fault> {
        self.scan_all(Table::Refunds, |item| record(item).map(&mut each))
            .await
    }

    /// Refunds that have been open for too long, and about so many at most.
    pub async fn overdue_refunds(
        &self,
        now: Timestamp,
        most: usize,
    ) -> Result<Vec<RefundRecord>, Fault> {
        let due = self.due(Table::Refunds, &OPEN, now, most).await?;
        // The index may be behind, and so may this read: who acts on it restates what it found.
        let found = self.refunds(&due).await?.into_iter().flatten();
        Ok(found.filter(|refund| refund.status.is_open()).collect())
    }

    /// Leaves an overdue refund alone until then. Returns whether nobody else did so before.
    pub async fn postpone_refund(
        &self,
        refund: &RefundRecord,
        until: Timestamp,
    ) -> Result<bool, Fault> {
        let Some(before) = refund.open_check else {
            return Ok(false);
        };
        let update = Write::Update {
            key: key(&refund.refund_id),
            changes: vec![Change::Set("open_check", text(instant(until)?))],
            condition: Condition::All(vec![
                Condition::Is("status", value(&refund.status)?),
                Condition::Is("open_check", value(&before)?),
            ]),
        };
        Ok(self.write(&update).await?.is_ok())
    }
}

pub(crate) fn key(refund_id: &str) -> Key {
    Key::new(Table::Refunds, refund_id)
}
