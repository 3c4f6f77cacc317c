//! The rank of a customer, without reading those before him.
//!
//! Customers are counted in buckets: scores that have as many digits and begin with the same three. A page holds the
//! buckets of one number of digits, and there are a few copies of it. A rank is one more than all that the buckets above
//! count, and those of the same bucket that are on the board above; where the bucket holds nobody else, nothing more is read.

use std::collections::{BTreeMap, BTreeSet};

use domain::tally::parts::COUNT_SHARDS;
use domain::tally::{Book, Bucket, Score, Subject};
use domain::{Currency, Fault};
use futures::future::try_join_all;

use super::boards::{Board, shard};
use super::keys::{BOARD_SHARDS, Target, after_pages, pages, places};
use super::numbers::{signed, string};
use super::stored::StoredCustomer;
use crate::engine::Engine;
use crate::ops::{Item, Query, Value};
use crate::retry::Store;
use crate::schema::Table;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rank {
    pub rank: u64,
    /// How many customers are on the board.
    pub of: u64,
    pub customer: StoredCustomer,
}

impl<E: Engine> Store<E> {
    /// Nothing, where the customer never bought anything in that currency.
    pub async fn rank(&self, customer_id: &str, currency: Currency) -> Result<Option<Rank>, Fault> {
        let target = self.books().await?.live(Book::AllTime);
        let subject = Subject {
            currency,
            id: customer_id.to_owned(),
        };
        let Some(item) = self.get(&target.customer(&subject)).await? else {
            return Ok(None);
        };
        let customer = StoredCustomer::read(&item)?;
        let score = Score::of_amount(customer.spend.amount, currency)?;
        let own = score.bucket();
        let buckets = self.buckets(target, currency).await?;
        let above: i64 = buckets
            .range(own..)
            .skip_while(|(bucket, _)| **bucket == own)
            .map(|(_, count)| count)
            .sum();
        let of: i64 = buckets.values().sum();
        let alone = buckets.get(&own) == Some(&1);
        let beside = match alone {
            true => 0,
            false => {
                self.between(target, currency, own.highest(), score.above())
                    .await?
            }
        };
        Ok(Some(Rank {
            rank: u64::try_from(above).unwrap_or_default() + beside + 1,
            of: u64::try_from(of).unwrap_or_default(),
            customer,
        }))
    }

    /// How many customers each bucket counts.
    async fn buckets(
        &self,
        target: Target,
        currency: Currency,
    ) -> Result<BTreeMap<Bucket, i64>, Fault> {
        let copies = (0..COUNT_SHARDS).map(|shard| {
            let query = of_ranks(target, shard, pages(currency), None);
            self.query_all(query)
        });
        let mut buckets: BTreeMap<Bucket, i64> = BTreeMap::new();
        for page in try_join_all(copies).await?.into_iter().flatten() {
            let (number, counts) = page_of(&page)?;
            for (slot, count) in counts {
                *buckets.entry(Bucket { page: number, slot }).or_default() += count;
            }
        }
        Ok(buckets)
    }

    async fn between(
        &self,
        target: Target,
        currency: Currency,
        highest: Score,
        lowest: Score,
    ) -> Result<u64, Fault> {
        if lowest > highest {
            return Ok(0);
        }
        let range = places(highest, lowest);
        let shards = (0..BOARD_SHARDS).map(|number| {
            let range = Some(range.clone());
            self.count_all(shard(target, Board::Customers, currency, number, range))
        });
        Ok(try_join_all(shards).await?.into_iter().sum())
    }

    /// Those in which anybody ever bought something.
    pub async fn currencies(&self) -> Result<Vec<Currency>, Fault> {
        let target = self.books().await?.live(Book::AllTime);
        let copies = (0..COUNT_SHARDS).map(|shard| self.currencies_of(target, shard));
        let found: BTreeSet<String> = try_join_all(copies).await?.into_iter().flatten().collect();
        let unreadable = |code: &str| Fault::Corrupt(format!("{code} is no currency"));
        let currencies = found
            .iter()
            .map(|code| code.parse().map_err(|_| unreadable(code)));
        currencies.collect()
    }

    /// From one to the next, without reading what is in between.
    async fn currencies_of(&self, target: Target, shard: u8) -> Result<BTreeSet<String>, Fault> {
        let mut codes: BTreeSet<String> = BTreeSet::new();
        loop {
            let range = after_pages(codes.last().map(String::as_str));
            let query = of_ranks(target, shard, range, Some(1));
            let Some(item) = self.query(&query).await?.items.pop() else {
                return Ok(codes);
            };
            let sort = string(&item, "sk")?;
            codes.extend(sort.split('#').next().map(str::to_owned));
        }
    }
}

fn of_ranks(target: Target, shard: u8, range: (String, String), limit: Option<u32>) -> Query {
    Query {
        range: Some(range),
        limit,
        ..Query::of(Table::Tallies, None, target.ranks(shard))
    }
}

/// The number of a page, and what its buckets count.
fn page_of(item: &Item) -> Result<(u8, Vec<(u16, i64)>), Fault> {
    let sort = string(item, "sk")?;
    let unreadable = || Fault::Corrupt(format!("{sort} is no page of ranks"));
    let number = sort
        .split('#')
        .nth(1)
        .and_then(|number| number.parse().ok());
    let mut counts = Vec::new();
    for (name, value) in item.iter() {
        let slot = name.strip_prefix('b').and_then(|slot| slot.parse().ok());
        if let (Some(slot), Value::N(_)) = (slot, value) {
            counts.push((slot, signed(item, name)?));
        }
    }
    Ok((number.ok_or_else(unreadable)?, counts))
}
