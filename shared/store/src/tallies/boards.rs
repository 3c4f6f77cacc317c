//! Who is at the top: boards of customers and products, for a day or for all time.

use domain::tally::{Book, Score, ranks};
use domain::{Currency, Fault};
use futures::future::try_join_all;
use serde::Deserialize;

use super::keys::{BOARD_SHARDS, Target, name_in};
use super::numbers::{count, decimal, signed, string};
use crate::engine::Engine;
use crate::item::record;
use crate::ops::{Item, Key, Query};
use crate::retry::Store;
use crate::schema::{BOARD, Index, Table, UNITS_BOARD};

pub(super) const CUSTOMERS: &str = "customers";
pub(super) const PRODUCTS: &str = "products";
pub(super) const UNITS: &str = "units";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Board {
    /// By what they spent and did not get back.
    Customers,
    ProductsByRevenue,
    ProductsByUnits,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoardRow {
    /// Equal ones share it: 1, 2, 2, 4.
    pub rank: u64,
    /// The customer, or the product.
    pub id: String,
    pub score: Score,
    /// Orders of a customer, or those that a product is in.
    pub orders: u64,
    /// Of a product.
    pub units: i64,
    /// What was spent by a customer, or for a product.
    pub amount: rust_decimal::Decimal,
}

impl Board {
    fn name(self) -> &'static str {
        match self {
            Board::Customers => CUSTOMERS,
            Board::ProductsByRevenue => PRODUCTS,
            Board::ProductsByUnits => UNITS,
        }
    }

    fn index(self) -> &'static Index {
        match self {
            Board::Customers | Board::ProductsByRevenue => &BOARD,
            Board::ProductsByUnits => &UNITS_BOARD,
        }
    }

    fn row(self, currency: Currency, item: &Item) -> Result<BoardRow, Fault> {
        let partition = string(item, Table::Tallies.partition())?;
        let unreadable = || Fault::Corrupt(format!("{partition} is on no board"));
        let score = Score::of_place(&string(item, self.index().sort)?)?;
        let amount = match self {
            Board::Customers | Board::ProductsByRevenue => score.amount(currency),
            Board::ProductsByUnits => decimal(item, "amount")?,
        };
        let units = match self {
            Board::ProductsByUnits => score.units(),
            Board::Customers | Board::ProductsByRevenue => signed(item, "units")?,
        };
        Ok(BoardRow {
            rank: 0,
            id: name_in(&partition).ok_or_else(unreadable)?.to_owned(),
            score,
            orders: count(item, "orders")?,
            units,
            amount,
        })
    }
}

/// A shard of a board, between these places.
pub(super) fn shard(
    target: Target,
    board: Board,
    currency: Currency,
    shard: u8,
    range: Option<(String, String)>,
) -> Query {
    let partition = target.board(board.name(), currency, shard);
    Query {
        range,
        ..Query::of(Table::Tallies, Some(board.index()), partition)
    }
}

impl<E: Engine> Store<E> {
    async fn first(&self, mut query: Query, limit: usize) -> Result<Vec<Item>, Fault> {
        let mut items = Vec::new();
        while items.len() < limit {
            query.limit = u32::try_from(limit - items.len()).ok();
            let page = self.query(&query).await?;
            items.extend(page.items);
            match page.next {
                Some(next) => query.start = Some(next),
                None => break,
            }
        }
        Ok(items)
    }

    /// The first ones, with their ranks. What was entered a moment ago may be missing.
    pub async fn board(
        &self,
        board: Board,
        book: Book,
        currency: Currency,
        limit: usize,
    ) -> Result<Vec<BoardRow>, Fault> {
        let target = self.books().await?.live(book);
        // The first ones of all are among the first ones of each shard.
        let shards = (0..BOARD_SHARDS).map(|number| {
            let query = shard(target, board, currency, number, None);
            self.first(query, limit)
        });
        let items = try_join_all(shards).await?.into_iter().flatten();
        let mut rows = items
            .map(|item| board.row(currency, &item))
            .collect::<Result<Vec<_>, Fault>>()?;
        rows.sort_by(|one, other| (other.score, &one.id).cmp(&(one.score, &other.id)));
        rows.truncate(limit);
        let scores: Vec<Score> = rows.iter().map(|row| row.score).collect();
        for (row, rank) in rows.iter_mut().zip(ranks(&scores)) {
            row.rank = rank;
        }
        Ok(rows)
    }

    /// The same, each with its name where that is known.
    pub async fn named_board(
        &self,
        board: Board,
        book: Book,
        currency: Currency,
        limit: usize,
    ) -> Result<Vec<(BoardRow, Option<String>)>, Fault> {
        #[derive(Deserialize)]
        struct Named {
            name: Option<String>,
        }
        let table = match board {
            Board::Customers => Table::Customers,
            Board::ProductsByRevenue | Board::ProductsByUnits => Table::Products,
        };
        let rows = self.board(board, book, currency, limit).await?;
        let keys: Vec<Key> = rows.iter().map(|row| Key::new(table, &row.id)).collect();
        let found = self.get_many(&keys).await?;
        let named = rows.into_iter().zip(found).map(|(row, found)| {
            let name = found.map(record::<Named>).transpose()?;
            Ok((row, name.and_then(|found| found.name)))
        });
        named.collect()
    }
}
