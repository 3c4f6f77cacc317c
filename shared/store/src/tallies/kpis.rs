//! The figures of days, as they are read.

use std::collections::BTreeMap;

use domain::tally::hour::HOURS_PER_DAY;
use domain::tally::{Book, Figures};
use domain::{Currency, Fault, Reason};
use futures::stream::{self, StreamExt, TryStreamExt};
use jiff::Span;
use jiff::civil::Date;

use super::numbers::{count, decimal, hour, string};
use super::plan::failed;
use crate::engine::Engine;
use crate::ops::{Item, Query};
use crate::retry::Store;
use crate::schema::Table;

/// Days that are read at the same time.
const DAYS_AT_ONCE: usize = 8;

/// What happened on a day, in each currency.
pub type Day = (Date, BTreeMap<Currency, DayFigures>);

/// A day in one currency.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DayFigures {
    /// By number of the hour: those in which something happened.
    pub hours: BTreeMap<u8, Figures>,
    /// Customers who ordered, each counted once.
    pub customers: u64,
    /// The same for each hour.
    pub customers_by_hour: BTreeMap<u8, u64>,
}

impl DayFigures {
    pub fn total(&self) -> Result<Figures, Fault> {
        let mut total = Figures::default();
        for figures in self.hours.values() {
            total.add(figures)?;
        }
        Ok(total)
    }

    /// Takes in an item, by the parts of its sort key.
    fn take(&mut self, what: &str, which: &str, item: &Item) -> Result<(), Fault> {
        if what == "hour" {
            let unreadable = |_| Fault::Corrupt(format!("{which} is no hour"));
            let number = which.parse().map_err(unreadable)?;
            let figures = self.hours.entry(number).or_default();
            return figures.add(&read(item)?);
        }
        self.customers += count(item, "day")?;
        for number in 0..HOURS_PER_DAY {
            let ordered = count(item, hour(number)?)?;
            if ordered > 0 {
                *self.customers_by_hour.entry(number).or_default() += ordered;
            }
        }
        Ok(())
    }
}

fn read(item: &Item) -> Result<Figures, Fault> {
    let mut reasons = BTreeMap::new();
    for reason in Reason::ALL {
        let times = count(item, failed(reason))?;
        if times > 0 {
            reasons.insert(reason, times);
        }
    }
    Ok(Figures {
        orders: count(item, "orders")?,
        units: count(item, "units")?,
        gross: decimal(item, "gross")?,
        refund_count: count(item, "refund_count")?,
        refunds: decimal(item, "refunds")?,
        failed: reasons,
    })
}

impl<E: Engine> Store<E> {
    /// The days from one to another, both included.
    pub async fn days(&self, first: Date, last: Date) -> Result<Vec<Day>, Fault> {
        let days = first.series(Span::new().days(1));
        stream::iter(days.take_while(|day| *day <= last))
            .map(async |day| Ok((day, self.day(day).await?)))
            .buffered(DAYS_AT_ONCE)
            .try_collect()
            .await
    }

    /// The figures of a business day, in each currency in which something happened.
    pub async fn day(&self, day: Date) -> Result<BTreeMap<Currency, DayFigures>, Fault> {
        let figures = self.books().await?.live(Book::Day(day)).figures();
        let figures = Query::of(Table::Tallies, None, figures);
        let mut days: BTreeMap<Currency, DayFigures> = BTreeMap::new();
        for item in self.query_all(figures).await? {
            let sort = string(&item, "sk")?;
            let unreadable = || Fault::Corrupt(format!("{sort} is no figure of a day"));
            let mut parts = sort.split('#');
            let currency = parts.next().and_then(|code| code.parse().ok());
            let (what, which) = (parts.next(), parts.next());
            let (Some(currency), Some(what), Some(which)) = (currency, what, which) else {
                return Err(unreadable());
            };
            days.entry(currency).or_default().take(what, which, &item)?;
        }
        Ok(days)
    }
}
