//! What is going on now.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Context, Result};
use domain::Currency;
use domain::tally::Figures;
use edge::queues;
use futures::future::try_join_all;
use serde::Serialize;
use store::tallies::DayFigures;
use store::{Engine, Store};

use crate::cloud::Stack;
use crate::output;

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Realtime {
    /// Rows of files that are on their way, and orders that came by themselves. Nobody knows, where an import does not add up.
    pending_rows: Option<u64>,
    /// Of files.
    running_imports: u64,
    /// That came by themselves.
    running_orders: u64,
    /// In the queues of both lanes, as they say: they do not know it exactly.
    batches_waiting: u64,
    batches_in_flight: u64,
    completed_today: u64,
    failed_today: u64,
    /// Net revenue, by currency.
    revenue_today: BTreeMap<&'static str, String>,
}

impl Realtime {
    /// `today` in every currency: what is pending does not say which one it will be.
    pub async fn read<E: Engine>(
        stack: &Stack,
        store: &Store<E>,
        today: &BTreeMap<Currency, DayFigures>,
    ) -> Result<Realtime> {
        let underway = store.underway().await?;
        let sqs = stack.cloud.sqs();
        let of_batches = [
            stack.output("BatchesQueueUrl")?,
            stack.output("BulkBatchesQueueUrl")?,
        ];
        let counts = of_batches.map(|url| queues::count(&sqs, url));
        let counts = try_join_all(counts).await;
        let counts = counts.context("asking the queues of batches")?;
        let mut realtime = Realtime {
            pending_rows: underway.rows,
            running_imports: underway.files,
            running_orders: underway.orders,
            batches_waiting: counts.iter().map(|(waiting, _)| waiting).sum(),
            batches_in_flight: counts.iter().map(|(_, in_flight)| in_flight).sum(),
            completed_today: 0,
            failed_today: 0,
            revenue_today: BTreeMap::new(),
        };
        for (currency, day) in today {
            realtime.take(*currency, &day.total()?);
        }
        Ok(realtime)
    }

    fn take(&mut self, currency: Currency, total: &Figures) {
        self.completed_today = self.completed_today.saturating_add(total.orders);
        self.failed_today = self.failed_today.saturating_add(total.failed_orders());
        let revenue = output::amount(total.net(), currency);
        self.revenue_today.insert(currency.code(), revenue);
    }
}

impl fmt::Display for Realtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pending = match self.pending_rows {
            Some(pending) => pending.to_string(),
            None => "?".to_owned(),
        };
        let revenue = self.revenue_today.iter();
        let revenue = revenue.map(|(currency, amount)| format!(", {amount} {currency}"));
        write!(
            f,
            " now     {pending} rows pending, {} imports and {} single orders not over\n         \
             about {} batches waiting, about {} in flight\n \
             today   {} completed, {} failed{}",
            self.running_imports,
            self.running_orders,
            self.batches_waiting,
            self.batches_in_flight,
            self.completed_today,
            self.failed_today,
            revenue.collect::<String>()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Reason;
    use rust_decimal::Decimal;

    #[test]
    fn what_is_going_on_is_said_in_three_lines() {
        let mut realtime = Realtime {
            pending_rows: Some(120),
            running_imports: 2,
            running_orders: 3,
            batches_waiting: 3,
            batches_in_flight: 1,
            completed_today: 0,
            failed_today: 0,
            revenue_today: BTreeMap::new(),
        };
        let total = Figures {
            orders: 7,
            gross: Decimal::new(5, 0),
            failed: BTreeMap::from([(Reason::OutOfStock, 2)]),
            ..Figures::default()
        };
        for currency in ["USD", "JPY"] {
            realtime.take(currency.parse().expect("a currency"), &total);
        }
        let said = realtime.to_string();
        assert_eq!(
            said.lines().collect::<Vec<_>>(),
            [
                " now     120 rows pending, 2 imports and 3 single orders not over",
                "         about 3 batches waiting, about 1 in flight",
                " today   14 completed, 4 failed, 5 JPY, 5.00 USD",
            ]
        );
        realtime.pending_rows = None;
        assert!(realtime.to_string().contains("? rows pending"));
    }
}
