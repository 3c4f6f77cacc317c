//! Lists of refunds, the newest first, and what they add up to. What was written a moment ago may be missing.
//!
//! Days are those of UTC here, on which a refund was asked for. Figures count it on the business day on which it succeeds.

use std::collections::BTreeMap;

use domain::refund::RefundStatus;
use domain::{Currency, Fault};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use rust_decimal::Decimal;
use serde::Serialize;

use crate::engine::Engine;
use crate::ops::Query;
use crate::page::{List, ListError, Listed, Position, Walk, is_name};
use crate::refunds::RefundRecord;
use crate::retry::Store;
use crate::schema::{BY_CUSTOMER, BY_DAY, BY_ORDER, Index, Table};

/// Days of a list of the refunds, or notifications, of all orders.
pub(super) const DAYS_LISTED: usize = 366;

/// Days whose refunds are added up.
const DAYS_ADDED_UP: usize = 92;

/// A list of those of all orders goes back so far, where nobody says how far.
pub(super) const DAYS_BACK: i64 = 30;

/// Entries that are looked at for one page.
pub(super) const LOOKED_AT: usize = 1_000;

/// Days that are read at the same time.
pub(super) const DAYS_AT_ONCE: usize = 8;

/// All of it has to be so.
#[derive(Debug, Clone, Copy, Default)]
pub struct RefundFilter<'a> {
    pub status: Option<RefundStatus>,
    /// Whether whatever was left was asked for.
    pub full: Option<bool>,
    pub customer_id: Option<&'a str>,
    pub order_id: Option<&'a str>,
    /// Both days are included. Without an order or a customer they are today and the thirty days before, unless they are
    /// said, and 366 at most.
    pub from: Option<Date>,
    pub to: Option<Date>,
}

impl RefundFilter<'_> {
    fn wants(&self, refund: &RefundRecord) -> bool {
        self.status.is_none_or(|status| refund.status == status)
            && self.full.is_none_or(|full| refund.full == full)
            && self.customer_id.is_none_or(|id| refund.customer_id == id)
            && self.order_id.is_none_or(|id| refund.order_id == id)
    }

    /// The refunds of an order or of a customer.
    fn of(&self, index: &'static Index, id: &str) -> Result<List, ListError> {
        let range = match (self.from, self.to) {
            (None, None) => None,
            (from, to) => {
                let (from, to) = (from.unwrap_or(Date::ZERO), to.unwrap_or(Date::MAX));
                in_order(from, to)?;
                // As instants are written here.
                let first = format!("{from}T00:00:00.000000000Z");
                Some((first, format!("{to}T23:59:59.999999999Z")))
            }
        };
        Ok(self.list(index, vec![id.to_owned()], range))
    }

    fn of_days(&self, days: &[Date]) -> List {
        let days = days.iter().map(Date::to_string).collect();
        self.list(&BY_DAY, days, None)
    }

    fn list(
        &self,
        index: &'static Index,
        partitions: Vec<String>,
        range: Option<(String, String)>,
    ) -> List {
        let both = self.customer_id.is_some() && self.order_id.is_some();
        List {
            table: Table::Refunds,
            index,
            partitions,
            range,
            oldest_first: false,
            filtered: both || self.status.is_some() || self.full.is_some(),
            most: LOOKED_AT,
        }
    }
}

/// What the refunds of one currency and status add up to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RefundSum {
    pub currency: Currency,
    pub status: RefundStatus,
    pub refunds: u64,
    pub amount: Decimal,
}

impl<E: Engine> Store<E> {
    pub async fn list_refunds(
        &self,
        filter: &RefundFilter<'_>,
        now: Timestamp,
        limit: u32,
        position: Option<&Position>,
    ) -> Result<Listed<RefundRecord>, ListError> {
        let named = filter.order_id.into_iter().chain(filter.customer_id);
        if !named.into_iter().all(is_name) {
            return Ok(Listed::nothing());
        }
        let list = match (filter.order_id, filter.customer_id) {
            (Some(order_id), _) => filter.of(&BY_ORDER, order_id)?,
            (None, Some(customer_id)) => filter.of(&BY_CUSTOMER, customer_id)?,
            (None, None) => {
                let today = || TimeZone::UTC.to_datetime(now).date();
                let to = filter.to.unwrap_or_else(today);
                let back = || to.saturating_sub(Span::new().days(DAYS_BACK));
                let from = filter.from.unwrap_or_else(back);
                let days = days(from, to, DAYS_LISTED)?;
                // Midnight has passed since the page before, and its next day is not one of the last thirty any more.
                if position.is_some_and(|position| position.is_of_day_before(from)) {
                    return Ok(Listed::nothing());
                }
                filter.of_days(&days)
            }
        };
        self.refunds_on(list, filter, limit, position).await
    }

    /// The refunds of an order, the first one first.
    pub async fn list_refunds_of(
        &self,
        order_id: &str,
        limit: u32,
        position: Option<&Position>,
    ) -> Result<Listed<RefundRecord>, ListError> {
        if !is_name(order_id) {
            return Ok(Listed::nothing());
        }
        let all = RefundFilter::default();
        let list = List {
            oldest_first: true,
            ..all.of(&BY_ORDER, order_id)?
        };
        self.refunds_on(list, &all, limit, position).await
    }

    async fn refunds_on(
        &self,
        list: List,
        filter: &RefundFilter<'_>,
        limit: u32,
        position: Option<&Position>,
    ) -> Result<Listed<RefundRecord>, ListError> {
        let mut walk = Walk::new(list, limit, position)?;
        while let Some(entries) = walk.entries(self).await? {
            let found = self.refunds_in(entries).await?.into_iter();
            walk.take(found.map(|found| found.filter(|refund| filter.wants(refund))));
        }
        Ok(walk.listed())
    }

    /// What the refunds of these days add up to, both included, by currency and status.
    pub async fn refund_stats(&self, from: Date, to: Date) -> Result<Vec<RefundSum>, ListError> {
        let days = days(from, to, DAYS_ADDED_UP)?;
        let refunds: Vec<Vec<RefundRecord>> = stream::iter(days)
            .map(|day| self.refunds_of_day(day))
            .buffer_unordered(DAYS_AT_ONCE)
            .try_collect()
            .await?;
        let mut sums: BTreeMap<(Currency, RefundStatus), (u64, Decimal)> = BTreeMap::new();
        for refund in refunds.iter().flatten() {
            let (count, amount) = sums.entry((refund.currency, refund.status)).or_default();
            *count += 1;
            *amount = amount.checked_add(refund.amount).ok_or_else(|| {
                Fault::Corrupt(format!("refunds of {} have no sum", refund.currency))
            })?;
        }
        let sums = sums.into_iter();
        let sum = |((currency, status), (refunds, amount))| RefundSum {
            currency,
            status,
            refunds,
            amount,
        };
        Ok(sums.map(sum).collect())
    }

    async fn refunds_of_day(&self, day: Date) -> Result<Vec<RefundRecord>, Fault> {
        let query = Query::of(Table::Refunds, Some(&BY_DAY), day.to_string());
        let entries = self.query_all(query).await?;
        let found = self.refunds_in(entries).await?;
        Ok(found.into_iter().flatten().collect())
    }
}

/// The days from one to the other, the last one first.
pub(super) fn days(from: Date, to: Date, most: usize) -> Result<Vec<Date>, ListError> {
    in_order(from, to)?;
    let days = std::iter::successors(Some(to), |day| day.yesterday().ok());
    let days: Vec<Date> = days.take_while(|day| *day >= from).take(most + 1).collect();
    if days.len() > most {
        let why = format!("from {from} to {to} are more than {most} days");
        return Err(ListError::BadDays(why));
    }
    Ok(days)
}

fn in_order(from: Date, to: Date) -> Result<(), ListError> {
    if from > to || from < Date::ZERO {
        let why = format!("there are no days from {from} to {to}");
        return Err(ListError::BadDays(why));
    }
    Ok(())
}
