//! Payments that take longer: orders that wait for one, and payments that came when nobody waited any more.

use std::str::FromStr;

use domain::status::Event;
use domain::{Fault, Order, Status, ids};
use jiff::{Timestamp, Unit};

use crate::engine::Engine;
use crate::item::value;
use crate::ops::{Change, Condition, Item, Key, Query, Value, Write, number, text};
use crate::orders::{GivenBack, OrderRecord, Origin, moved};
use crate::retry::Store;
use crate::schema::{Index, PENDING_PAYMENT, Table};

/// Partitions of an index of what waits, so that no single one takes all the writes.
const SHARDS: u8 = 8;

/// What an order that is in the index may be.
const WAITING: [Status; 2] = [Status::PaymentPending, Status::Paid];

/// The gateway decides later: until then, the order waits.
pub fn hold(
    origin: Origin<'_>,
    order: &Order,
    payment: &str,
    until: Timestamp,
) -> Result<Write, Fault> {
    let changes = vec![
        Change::Set("payment", text(payment)),
        Change::Set("pending_shard", text(shard(&order.order_id))),
        Change::Set("pending_until", text(instant(until)?)),
        Change::Set("pending_check", text(instant(until)?)),
    ];
    moved(origin, &order.order_id, Event::Hold, changes)
}

/// In whole seconds, so that the index sorts by time.
pub(crate) fn instant(at: Timestamp) -> Result<String, Fault> {
    let rounded = at.round(Unit::Second);
    let rounded = rounded.map_err(|error| Fault::Corrupt(error.to_string()))?;
    Ok(rounded.to_string())
}

/// The partition of an index of what waits.
pub(crate) fn shard(id: &str) -> String {
    shard_name(ids::bucket(id, SHARDS))
}

fn shard_name(shard: u8) -> String {
    format!("{shard:02}")
}

pub(crate) fn attribute<T: FromStr>(item: &Item, name: &str) -> Result<T, Fault> {
    let found = match item.get(name) {
        Some(Value::S(text)) => text.parse().ok(),
        _ => None,
    };
    found.ok_or_else(|| Fault::Corrupt(format!("an entry of an index has no {name}")))
}

impl<E: Engine> Store<E> {
    /// Orders whose payment is pending for too long, and about so many at most. Also those that were paid meanwhile and
    /// not completed: something keeps them from it, and another look does no harm.
    pub async fn overdue(&self, now: Timestamp, most: usize) -> Result<Vec<OrderRecord>, Fault> {
        let overdue = self.due(Table::Orders, &PENDING_PAYMENT, now, most).await?;
        // The index may be behind, and so may this read: who acts on it restates what it found.
        let waits = |order: &OrderRecord| WAITING.contains(&order.status);
        let found = self.orders(&overdue).await?.into_iter().flatten();
        Ok(found.filter(waits).collect())
    }

    /// The ids of what waits, and whose next look is due: about so many at most.
    pub(crate) async fn due(
        &self,
        table: Table,
        index: &'static Index,
        now: Timestamp,
        most: usize,
    ) -> Result<Vec<String>, Fault> {
        let mut due = Vec::new();
        for shard in 0..SHARDS {
            // So that the last shards have their turn, too.
            let most = most * (usize::from(shard) + 1) / usize::from(SHARDS);
            let mut query = Query::of(table, Some(index), shard_name(shard));
            'shard: loop {
                let page = self.query(&query).await?;
                for item in page.items {
                    let check: Timestamp = attribute(&item, index.sort)?;
                    if check > now || due.len() >= most {
                        break 'shard;
                    }
                    due.push(attribute(&item, table.partition())?);
                }
                match page.next {
                    Some(next) => query.start = Some(next),
                    None => break,
                }
            }
        }
        Ok(due)
    }

    /// Leaves an overdue order alone until then. Returns whether nobody else did so before.
    pub async fn postpone(&self, order: &OrderRecord, until: Timestamp) -> Result<bool, Fault> {
        let Some(before) = order.pending_check else {
            return Ok(false);
        };
        let update = Write::Update {
            key: Key::new(Table::Orders, &order.order_id),
            changes: vec![Change::Set("pending_check", text(instant(until)?))],
            condition: Condition::All(vec![
                Condition::Is("status", value(&order.status)?),
                Condition::Is("pending_check", value(&before)?),
            ]),
        };
        Ok(self.write(&update).await?.is_ok())
    }

    /// Puts on record that a payment was approved for an order that had failed. Returns whether it has yet to be given
    /// back.
    pub async fn late_payment(
        &self,
        origin: Origin<'_>,
        order_id: &str,
        payment: &str,
    ) -> Result<bool, Fault> {
        let late = Change::Set("late_payment", text(payment));
        let open = Condition::Missing("given_back");
        self.on_failed(origin, order_id, vec![late], open).await
    }

    /// The money of a late payment went back. Returns whether this says so for the first time.
    pub async fn given_back(
        &self,
        origin: Origin<'_>,
        order_id: &str,
        payment: &str,
        how: GivenBack,
        now: Timestamp,
    ) -> Result<bool, Fault> {
        let changes = vec![
            Change::Set("given_back", value(&how)?),
            Change::Set("given_back_at", text(now.to_string())),
        ];
        let open = Condition::All(vec![
            Condition::Is("late_payment", text(payment)),
            Condition::Missing("given_back"),
        ]);
        self.on_failed(origin, order_id, changes, open).await
    }

    async fn on_failed(
        &self,
        origin: Origin<'_>,
        order_id: &str,
        changes: Vec<Change>,
        condition: Condition,
    ) -> Result<bool, Fault> {
        let update = Write::Update {
            key: Key::new(Table::Orders, order_id),
            changes,
            condition: Condition::All(vec![
                Condition::Is("status", value(&Status::Failed)?),
                Condition::Is("import_id", text(origin.import_id)),
                Condition::Is("row", number(origin.row)),
                condition,
            ]),
        };
        Ok(self.write(&update).await?.is_ok())
    }
}
