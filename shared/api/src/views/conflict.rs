//! A row that states other content for an order id than the existing order has.

use domain::order::Line;
use domain::{Currency, Prices, Status};
use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::Serialize;
use store::conflicts::ListedConflict;
use utoipa::ToSchema;

use crate::money::{CurrencyCode, text};

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Conflict {
    /// The row of the file that was not taken.
    pub row: u64,
    pub order_id: String,
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// What differs: `customer_id`, `currency`, `total` or `lines`.
    pub differs: Vec<&'static str>,
    /// What the row states.
    pub stated: OrderContent,
    /// What the existing order has.
    pub existing: Option<ExistingOrder>,
}

/// What an order is about: two rows that agree in it state the same order.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct OrderContent {
    pub customer_id: String,
    #[schema(value_type = CurrencyCode)]
    pub currency: Currency,
    /// Nothing if the row leaves it to the catalog.
    pub total: Option<String>,
    pub lines: Vec<ContentLine>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ContentLine {
    pub sku: String,
    pub quantity: u32,
    /// Nothing if the row leaves it to the catalog.
    pub unit_price: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ExistingOrder {
    #[serde(flatten)]
    pub content: OrderContent,
    /// As an order has it.
    #[schema(value_type = String)]
    pub status: Status,
    /// The import that the existing order came with, and its row there.
    pub import_id: String,
    pub row: u64,
}

impl From<&ListedConflict> for Conflict {
    fn from(listed: &ListedConflict) -> Conflict {
        let conflict = &listed.conflict;
        let stated = OrderContent::new(
            &conflict.customer_id,
            conflict.currency,
            conflict.total,
            &conflict.lines,
            conflict.prices,
        );
        let existing = listed.existing.as_ref().map(|order| ExistingOrder {
            content: OrderContent::new(
                &order.customer_id,
                order.currency,
                order.total,
                &order.lines,
                Prices::Stated,
            ),
            status: order.status,
            import_id: order.import_id.clone(),
            row: order.row,
        });
        Conflict {
            row: conflict.row,
            order_id: conflict.order_id.clone(),
            at: listed.at,
            differs: existing
                .as_ref()
                .map_or(Vec::new(), |existing| stated.differs(&existing.content)),
            stated,
            existing,
        }
    }
}

impl OrderContent {
    fn new(
        customer_id: &str,
        currency: Currency,
        total: Decimal,
        lines: &[Line],
        prices: Prices,
    ) -> OrderContent {
        let amount = |amount: Decimal| text(amount, currency);
        let line = |line: &Line| ContentLine {
            sku: line.sku.clone(),
            quantity: line.quantity,
            unit_price: prices.are_stated().then(|| amount(line.unit_price)),
        };
        OrderContent {
            customer_id: customer_id.to_owned(),
            currency,
            total: (prices != Prices::Catalog).then(|| amount(total)),
            lines: lines.iter().map(line).collect(),
        }
    }

    /// In which parts this differs. What it leaves to the catalog differs from nothing.
    fn differs(&self, existing: &OrderContent) -> Vec<&'static str> {
        let priced = self.lines.iter().all(|line| line.unit_price.is_some());
        let sorted = |lines: &[ContentLine]| {
            let price = |line: &ContentLine| line.unit_price.clone().filter(|_| priced);
            let key = |line: &ContentLine| (line.sku.clone(), line.quantity, price(line));
            let mut keys: Vec<_> = lines.iter().map(key).collect();
            keys.sort();
            keys
        };
        let parts = [
            ("customer_id", self.customer_id != existing.customer_id),
            ("currency", self.currency != existing.currency),
            (
                "total",
                self.total.is_some() && self.total != existing.total,
            ),
            ("lines", sorted(&self.lines) != sorted(&existing.lines)),
        ];
        let differing = parts.into_iter().filter(|(_, differs)| *differs);
        differing.map(|(part, _)| part).collect()
    }
}
