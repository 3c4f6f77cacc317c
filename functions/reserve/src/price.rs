//! Prices for orders that state none: the catalog's, at this moment.

use std::collections::BTreeSet;

use domain::{Batch, Fault, Order, Prices, Reason};
use store::{Engine, Store};

/// An order of which all is known that it costs, or why it has no price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Priced {
    pub order: Order,
    /// Where its prices were to come from.
    pub prices: Prices,
    pub refused: Option<Reason>,
}

impl Priced {
    /// The order as its row asks for it: prices that the catalog gave do not count.
    pub fn asked(&self) -> Order {
        Order {
            prices: self.prices,
            ..self.order.clone()
        }
    }
}

/// Reads nothing where all orders state their prices, as most do.
pub async fn orders<E: Engine>(store: &Store<E>, batch: &Batch) -> Result<Vec<Priced>, Fault> {
    let unpriced = batch
        .orders
        .iter()
        .filter(|order| !order.prices.are_stated());
    let skus: BTreeSet<&str> = unpriced
        .flat_map(|order| order.lines.iter().map(|line| line.sku.as_str()))
        .collect();
    let prices = store.prices(&skus).await?;
    let priced = batch.orders.iter().map(|order| {
        let found = match order.prices.are_stated() {
            true => Ok(order.clone()),
            false => order.priced(|sku| prices.get(sku).copied()),
        };
        let refused = found.as_ref().err().copied();
        Priced {
            order: found.unwrap_or_else(|_| order.clone()),
            prices: order.prices,
            refused,
        }
    });
    Ok(priced.collect())
}
