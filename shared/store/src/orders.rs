//! Orders as they are kept, and the writes that move them from one status to the next.

use domain::order::{Line, Order};
use domain::refund::{Account, PaymentStatus};
use domain::status::{Event, next, sources};
use domain::{Currency, Fault, Prices, Reason, Status};
use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::engine::Engine;
use crate::item::{item, record, value};
use crate::ops::{Change, Condition, Item, Key, Value, Write, text};
use crate::retry::Store;
use crate::schema::Table;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderRecord {
    pub order_id: String,
    pub status: Status,
    pub batch_id: String,
    pub import_id: String,
    pub row: u64,
    pub customer_id: String,
    pub currency: Currency,
    pub total: Decimal,
    #[serde(default, skip_serializing_if = "Decimal::is_zero")]
    pub adjustment: Decimal,
    pub lines: Vec<Line>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ordered_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<String>,
    /// Until when the gateway may take to decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_until: Option<Timestamp>,
    /// When it is looked at next, should it still wait by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_check: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Reason>,
    /// A payment that was approved after the order had failed, and what became of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late_payment: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_back: Option<GivenBack>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_back_at: Option<Timestamp>,
    pub refunded: Decimal,
    pub refundable: Decimal,
    /// What is on its way back. An order without refunds does without these two, and pays for none of their bytes.
    #[serde(default, skip_serializing_if = "Decimal::is_zero")]
    pub refunding: Decimal,
    /// Units of each line that came back, or are about to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub returned: Vec<u32>,
    #[serde(with = "crate::instant")]
    pub created_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paid_at: Option<Timestamp>,
    /// When it was completed, or when it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shipped_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancelled_at: Option<Timestamp>,
}

/// How the money of a late payment went back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GivenBack {
    Voided,
    Refunded,
}

impl OrderRecord {
    /// Money was taken for it after it had failed, and has yet to go back.
    pub fn owes(&self) -> bool {
        self.late_payment.is_some() && self.given_back.is_none()
    }

    pub fn origin(&self) -> Origin<'_> {
        Origin {
            import_id: &self.import_id,
            row: self.row,
        }
    }

    pub fn is_from(&self, origin: Origin<'_>) -> bool {
        self.origin() == origin
    }

    /// Whether it is what this order asks for, of the same customer.
    pub fn asks_for(&self, order: &Order) -> bool {
        self.customer_id == order.customer_id
            && order.is_kept_as(self.currency, self.total, &self.lines)
    }

    pub fn account(&self) -> Account {
        Account {
            refundable: self.refundable,
            refunding: self.refunding,
            refunded: self.refunded,
            returned: self.returned.clone(),
        }
    }

    /// Nothing where nobody has paid.
    pub fn payment_status(&self) -> Option<PaymentStatus> {
        self.paid_at
            .map(|_| PaymentStatus::of(self.total, self.refunded))
    }

    /// The order as it was asked for, priced.
    pub fn order(self) -> Order {
        Order {
            order_id: self.order_id,
            row: self.row,
            customer_id: self.customer_id,
            currency: self.currency,
            total: self.total,
            adjustment: self.adjustment,
            lines: self.lines,
            prices: Prices::Stated,
            ordered_at: self.ordered_at,
        }
    }
}

/// The row that an order came from. It tells a repetition from a duplicate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin<'a> {
    pub import_id: &'a str,
    pub row: u64,
}

/// What a refused write found in the place of the order.
#[derive(Debug, Clone, Deserialize)]
pub struct Found {
    pub status: Status,
    pub import_id: String,
    pub row: u64,
    customer_id: String,
    currency: Currency,
    total: Decimal,
    #[serde(default)]
    adjustment: Decimal,
    lines: Vec<Line>,
    late_payment: Option<String>,
    given_back: Option<GivenBack>,
}

impl Found {
    /// Money was taken for it after it had failed, and has yet to go back.
    pub fn owes(&self) -> bool {
        self.late_payment.is_some() && self.given_back.is_none()
    }

    pub fn read(item: Item) -> Result<Found, Fault> {
        record(item)
    }

    /// Whether what was put on record is what this order asks for. A row that was read under other settings is not.
    pub fn asks_for(&self, order: &Order) -> bool {
        order.is_kept_as(self.currency, self.total, &self.lines)
    }

    /// Whether a row of another origin states this order again, or other content.
    pub fn is_repeated_by(&self, order: &Order) -> bool {
        order.repeats(&self.customer_id, self.currency, self.total, &self.lines)
    }

    /// An order that the catalog has to price, as it was priced then.
    pub fn as_priced(&self, order: &Order) -> Option<Order> {
        self.asks_for(order).then(|| Order {
            total: self.total,
            adjustment: self.adjustment,
            lines: self.lines.clone(),
            prices: Prices::Stated,
            ..order.clone()
        })
    }

    pub fn is_from(&self, origin: Origin<'_>) -> bool {
        self.import_id == origin.import_id && self.row == origin.row
    }
}

/// A new order whose stock is taken in the same transaction.
pub fn reserve(
    batch_id: &str,
    import_id: &str,
    order: &Order,
    now: Timestamp,
) -> Result<Write, Fault> {
    born(batch_id, import_id, order, None, now)
}

/// A new order that failed at once.
pub fn refuse(
    batch_id: &str,
    import_id: &str,
    order: &Order,
    reason: Reason,
    now: Timestamp,
) -> Result<Write, Fault> {
    born(batch_id, import_id, order, Some(reason), now)
}

fn born(
    batch_id: &str,
    import_id: &str,
    order: &Order,
    failure: Option<Reason>,
    now: Timestamp,
) -> Result<Write, Fault> {
    let event = if failure.is_some() {
        Event::Refuse
    } else {
        Event::Reserve
    };
    let status = next(None, event)
        .ok_or_else(|| Fault::Corrupt(format!("no order can begin with {event:?}")))?;
    let record = OrderRecord {
        order_id: order.order_id.clone(),
        status,
        batch_id: batch_id.to_owned(),
        import_id: import_id.to_owned(),
        row: order.row,
        customer_id: order.customer_id.clone(),
        currency: order.currency,
        total: order.total,
        adjustment: order.adjustment,
        lines: order.lines.clone(),
        ordered_at: order.ordered_at.clone(),
        payment: None,
        pending_until: None,
        pending_check: None,
        failure,
        late_payment: None,
        given_back: None,
        given_back_at: None,
        refunded: Decimal::ZERO,
        refundable: Decimal::ZERO,
        refunding: Decimal::ZERO,
        returned: Vec::new(),
        created_at: now,
        paid_at: None,
        settled_at: failure.map(|_| now),
        shipped_at: None,
        delivered_at: None,
        cancelled_at: None,
    };
    Ok(Write::Put {
        table: Table::Orders,
        item: item(&record)?,
        condition: Condition::Absent,
    })
}

/// The customer was charged: from now on the order can only be completed.
pub fn pay(
    origin: Origin<'_>,
    order: &Order,
    payment: &str,
    now: Timestamp,
) -> Result<Write, Fault> {
    let changes = vec![
        Change::Set("payment", text(payment)),
        Change::Set("paid_at", text(now.to_string())),
        Change::Set("refundable", text(order.total.to_string())),
    ];
    moved(origin, &order.order_id, Event::Pay, changes)
}

pub fn complete(origin: Origin<'_>, order: &Order, now: Timestamp) -> Result<Write, Fault> {
    moved(origin, &order.order_id, Event::Complete, settled(now))
}

/// An order that is settled waits for no payment any more. The attributes go here, and not where it is paid: removing
/// what most orders never had is known to be harmless in a transaction.
fn settled(now: Timestamp) -> Vec<Change> {
    vec![
        Change::Set("settled_at", text(now.to_string())),
        Change::Remove("pending_shard"),
        Change::Remove("pending_check"),
    ]
}

pub fn fail(
    origin: Origin<'_>,
    order: &Order,
    reason: Reason,
    now: Timestamp,
) -> Result<Write, Fault> {
    let mut changes = settled(now);
    changes.push(Change::Set("failure", text(reason.name())));
    moved(origin, &order.order_id, Event::Fail, changes)
}

/// Moves the money of an order between what can be refunded, what is on its way back, and what went back. Amounts are kept
/// as texts, which the service cannot add to; so this restates all of them, and whoever was slower looks again.
pub(crate) fn account(
    found: &OrderRecord,
    account: &Account,
    only_refundable: bool,
) -> Result<Write, Fault> {
    let mut conditions = restated(&found.account())?;
    if only_refundable {
        let statuses = Status::ALL.into_iter();
        let refundable = statuses.filter(|status| status.is_refundable());
        conditions.push(Condition::AnyOf(
            "status",
            refundable.map(|status| text(status.name())).collect(),
        ));
    }
    Ok(Write::Update {
        key: Key::new(Table::Orders, &found.order_id),
        changes: changed(account)?,
        condition: Condition::All(conditions),
    })
}

/// Cancelled, all that was left of the order is on its way back.
pub(crate) fn cancel(
    found: &OrderRecord,
    account: &Account,
    now: Timestamp,
) -> Result<Write, Fault> {
    let mut changes = changed(account)?;
    changes.push(Change::Set("cancelled_at", text(now.to_string())));
    let account = restated(&found.account())?;
    moved_if(
        found.origin(),
        &found.order_id,
        Event::Cancel,
        changes,
        account,
    )
}

fn restated(account: &Account) -> Result<Vec<Condition>, Fault> {
    let attributes = attributes(account)?.into_iter();
    let conditions = attributes.map(|(name, value)| match value {
        Some(value) => Condition::Is(name, value),
        None => Condition::Missing(name),
    });
    Ok(conditions.collect())
}

fn changed(account: &Account) -> Result<Vec<Change>, Fault> {
    let attributes = attributes(account)?.into_iter();
    let changes = attributes.map(|(name, value)| match value {
        Some(value) => Change::Set(name, value),
        None => Change::Remove(name),
    });
    Ok(changes.collect())
}

type Attribute = (&'static str, Option<Value>);

/// As an order has them: two of them only where they say something.
fn attributes(account: &Account) -> Result<[Attribute; 4], Fault> {
    let amount = |amount: Decimal| text(amount.to_string());
    let (refunding, returned) = (account.refunding, &account.returned);
    Ok([
        ("refundable", Some(amount(account.refundable))),
        ("refunded", Some(amount(account.refunded))),
        (
            "refunding",
            (!refunding.is_zero()).then(|| amount(refunding)),
        ),
        (
            "returned",
            (!returned.is_empty())
                .then(|| value(returned))
                .transpose()?,
        ),
    ])
}

/// The write restates what the state machine of the domain allows, and that the order is the one that is meant.
pub(crate) fn moved(
    origin: Origin<'_>,
    order_id: &str,
    event: Event,
    changes: Vec<Change>,
) -> Result<Write, Fault> {
    moved_if(origin, order_id, event, changes, Vec::new())
}

fn moved_if(
    origin: Origin<'_>,
    order_id: &str,
    event: Event,
    mut changes: Vec<Change>,
    more: Vec<Condition>,
) -> Result<Write, Fault> {
    let sources = sources(event);
    let target = sources.iter().find_map(|source| next(Some(*source), event));
    let target = target.ok_or_else(|| Fault::Corrupt(format!("{event:?} leads nowhere")))?;
    changes.push(Change::Set("status", text(target.name())));
    let mut conditions = vec![
        Condition::AnyOf(
            "status",
            sources
                .into_iter()
                .map(|status| text(status.name()))
                .collect(),
        ),
        Condition::Is("import_id", text(origin.import_id)),
        Condition::Is("row", Value::N(origin.row.to_string())),
    ];
    conditions.extend(more);
    Ok(Write::Update {
        key: Key::new(Table::Orders, order_id),
        changes,
        condition: Condition::All(conditions),
    })
}

impl<E: Engine> Store<E> {
    pub async fn order(&self, order_id: &str) -> Result<Option<OrderRecord>, Fault> {
        self.get(&Key::new(Table::Orders, order_id))
            .await?
            .map(record)
            .transpose()
    }

    /// As many answers as ids, in their sequence, of which none may be there twice. What was written a moment ago may be
    /// missing.
    pub async fn orders(&self, order_ids: &[String]) -> Result<Vec<Option<OrderRecord>>, Fault> {
        let keys: Vec<Key> = order_ids
            .iter()
            .map(|order_id| Key::new(Table::Orders, order_id))
            .collect();
        let items = self.get_many(&keys).await?;
        let orders = items.into_iter().map(|item| item.map(record).transpose());
        orders.collect()
    }

    pub async fn each_order(&self, mut each: impl FnMut(OrderRecord)) -> Result<(), Fault> {
        self.scan_all(Table::Orders, |item| record(item).map(&mut each))
            .await
    }
}
