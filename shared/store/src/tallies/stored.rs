//! Customers and products on their boards, as they are stored: read whole, and written whole if nobody did so meanwhile.

use domain::Fault;
use domain::tally::{Book, Customer, Sales, Score, Spend, Subject};
use rust_decimal::Decimal;

use super::boards::{CUSTOMERS, PRODUCTS, UNITS};
use super::keys::{Target, name_in};
use super::numbers::{count, decimal, signed, string};
use crate::engine::Engine;
use crate::ops::{Condition, Item, Key, Value, Write, number, text};
use crate::retry::Store;
use crate::schema::{BOARD, Index, Table, UNITS_BOARD};

const VERSION: &str = "v";

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoredCustomer {
    version: u64,
    pub spend: Spend,
    /// In which hours of the day they ordered: a bit each.
    pub hours: u32,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoredProduct {
    version: u64,
    pub sales: Sales,
}

/// A figure of a live book, as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub enum Live {
    /// Of a day, or of the progress of imports, or of ranks: the names of its numbers, and what they are.
    Counts {
        book: Book,
        key: Vec<String>,
        numbers: Vec<(String, Decimal)>,
    },
    Customer {
        book: Book,
        subject: Subject,
        stored: StoredCustomer,
        /// Whether it is on the board where its customer is looked for.
        on_board: bool,
        place: Option<String>,
    },
    Product {
        book: Book,
        subject: Subject,
        stored: StoredProduct,
        on_board: bool,
        places: [Option<String>; 2],
    },
}

impl StoredCustomer {
    pub fn read(item: &Item) -> Result<StoredCustomer, Fault> {
        Ok(StoredCustomer {
            version: count(item, VERSION)?,
            spend: Spend {
                amount: decimal(item, "amount")?,
                orders: count(item, "orders")?,
            },
            hours: u32::try_from(count(item, "hours")?).unwrap_or_default(),
        })
    }

    pub fn with(&self, more: &Customer) -> Result<StoredCustomer, Fault> {
        let mut next = self.clone();
        next.spend.add(&more.spend)?;
        next.hours |= more.hours;
        Ok(next)
    }

    /// `next` in the place of this one.
    pub fn write(
        &self,
        next: &StoredCustomer,
        target: Target,
        subject: &Subject,
    ) -> Result<Write, Fault> {
        let score = Score::of_amount(next.spend.amount, subject.currency)?;
        let mut numbers = vec![
            ("amount", number(next.spend.amount)),
            ("orders", number(next.spend.orders)),
            (BOARD.partition, text(target.board_of(CUSTOMERS, subject))),
            (BOARD.sort, text(score.place())),
        ];
        if next.hours > 0 {
            numbers.push(("hours", number(next.hours)));
        }
        Ok(put(target.customer(subject), self.version, numbers))
    }
}

impl StoredProduct {
    pub fn read(item: &Item) -> Result<StoredProduct, Fault> {
        Ok(StoredProduct {
            version: count(item, VERSION)?,
            sales: Sales {
                amount: decimal(item, "amount")?,
                units: signed(item, "units")?,
                orders: count(item, "orders")?,
            },
        })
    }

    pub fn with(&self, more: &Sales) -> Result<StoredProduct, Fault> {
        let mut next = self.clone();
        next.sales.add(more)?;
        Ok(next)
    }

    pub fn write(
        &self,
        next: &StoredProduct,
        target: Target,
        subject: &Subject,
    ) -> Result<Write, Fault> {
        let amount = Score::of_amount(next.sales.amount, subject.currency)?;
        let units = Score::of_units(next.sales.units);
        let numbers = vec![
            ("amount", number(next.sales.amount)),
            ("units", number(next.sales.units)),
            ("orders", number(next.sales.orders)),
            (BOARD.partition, text(target.board_of(PRODUCTS, subject))),
            (BOARD.sort, text(amount.place())),
            (UNITS_BOARD.partition, text(target.board_of(UNITS, subject))),
            (UNITS_BOARD.sort, text(units.place())),
        ];
        Ok(put(target.product(subject), self.version, numbers))
    }
}

/// Only where the item is still the version that was read; versions count from one.
fn put(key: Key, version: u64, values: Vec<(&'static str, Value)>) -> Write {
    let condition = match version {
        0 => Condition::Absent,
        version => Condition::Is(VERSION, number(version)),
    };
    let mut item = key.item();
    item.insert(VERSION.to_owned(), number(version + 1));
    for (name, value) in values {
        item.insert(name.to_owned(), value);
    }
    Write::Put {
        table: Table::Tallies,
        item,
        condition,
    }
}

impl<E: Engine> Store<E> {
    /// Every figure of every live book.
    pub async fn each_live_figure(&self, mut each: impl FnMut(Live)) -> Result<(), Fault> {
        let books = self.books().await?;
        let mut live = |item: Item| {
            let partition = string(&item, Table::Tallies.partition())?;
            let mut parts = partition.split('#');
            let (generation, book) = (parts.next(), parts.next());
            let book = match book.map(str::parse) {
                Some(Ok(day)) => Book::Day(day),
                Some(Err(_)) => Book::AllTime,
                None => return Ok(()),
            };
            let target = books.live(book);
            let is_live = generation == Some(target.generation.to_string().as_str());
            let kind = parts.next().unwrap_or_default();
            if is_live && kind != "claim" {
                each(read(target, kind, &partition, &item)?);
            }
            Ok(())
        };
        self.scan_all(Table::Tallies, &mut live).await
    }
}

fn read(target: Target, kind: &str, partition: &str, item: &Item) -> Result<Live, Fault> {
    let book = target.book;
    let sort = string(item, "sk")?;
    let unreadable = || Fault::Corrupt(format!("{partition} {sort} is no figure"));
    let subject = || {
        Ok::<_, Fault>(Subject {
            currency: sort.parse().map_err(|_| unreadable())?,
            id: name_in(partition).ok_or_else(unreadable)?.to_owned(),
        })
    };
    let place = |name: &str| string(item, name).ok();
    let is_on = |index: &Index, board: &str| {
        let belongs = target.board_of(board, &subject()?);
        Ok::<_, Fault>(place(index.partition) == Some(belongs))
    };
    Ok(match kind {
        "customer" => Live::Customer {
            book,
            subject: subject()?,
            stored: StoredCustomer::read(item)?,
            on_board: is_on(&BOARD, CUSTOMERS)?,
            place: place(BOARD.sort),
        },
        "product" => Live::Product {
            book,
            subject: subject()?,
            stored: StoredProduct::read(item)?,
            on_board: is_on(&BOARD, PRODUCTS)? && is_on(&UNITS_BOARD, UNITS)?,
            places: [place(BOARD.sort), place(UNITS_BOARD.sort)],
        },
        _ => {
            let mut key = vec![kind.to_owned()];
            key.extend(name_in(partition).map(str::to_owned));
            key.extend(sort.split('#').map(str::to_owned));
            let names = item
                .iter()
                .filter(|(_, value)| matches!(value, Value::N(_)));
            let numbers = names.map(|(name, _)| Ok((name.clone(), decimal(item, name)?)));
            Live::Counts {
                book,
                key,
                numbers: numbers.collect::<Result<_, Fault>>()?,
            }
        }
    })
}
