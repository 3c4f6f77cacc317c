//! What may be asked of a table: a typed subset of DynamoDB, small enough to be exactly the same in two engines.

use domain::Fault;
use rust_decimal::Decimal;
pub use serde_dynamo::{AttributeValue as Value, Item};

use crate::schema::{Index, Table};

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    pub table: Table,
    pub partition: String,
    pub sort: Option<String>,
}

impl Key {
    pub fn new(table: Table, partition: &str) -> Key {
        Key {
            table,
            partition: partition.to_owned(),
            sort: None,
        }
    }

    pub fn sorted(table: Table, partition: &str, sort: &str) -> Key {
        Key {
            table,
            partition: partition.to_owned(),
            sort: Some(sort.to_owned()),
        }
    }

    /// The key of an item of a table. A key attribute that is missing, or not a string, is an empty string.
    pub fn of_item(table: Table, item: &Item) -> Key {
        let string = |name: &str| match item.get(name) {
            Some(Value::S(value)) => value.clone(),
            _ => String::new(),
        };
        Key {
            table,
            partition: string(table.partition()),
            sort: table.sort().map(string),
        }
    }

    /// An item that holds its key, and nothing else.
    pub fn item(&self) -> Item {
        let mut item = Item::default();
        item.insert(
            self.table.partition().to_owned(),
            text(self.partition.clone()),
        );
        if let (Some(name), Some(sort)) = (self.table.sort(), &self.sort) {
            item.insert(name.to_owned(), text(sort.clone()));
        }
        item
    }
}

/// What a write has to find. It is evaluated on the item as it is stored, or on nothing.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    Always,
    /// There is no such item.
    Absent,
    Is(&'static str, Value),
    /// At least one value, and at most a hundred.
    AnyOf(&'static str, Vec<Value>),
    /// The attribute is a number of at least this much.
    AtLeast(&'static str, u64),
    /// The attribute is a number below this.
    Below(&'static str, u64),
    Missing(&'static str),
    All(Vec<Condition>),
}

/// Values of one [`Condition::AnyOf`]: the service's limit.
pub const OPERANDS: usize = 100;

impl Condition {
    /// Whether the service takes the condition, whatever is stored. Not every emulator asks.
    pub fn check(&self) -> Result<(), Fault> {
        match self {
            Condition::AnyOf(name, values) if !(1..=OPERANDS).contains(&values.len()) => {
                let count = values.len();
                let why = format!("{name} is to be any of {count} values");
                Err(Fault::Malformed(why))
            }
            Condition::All(conditions) => conditions.iter().try_for_each(Condition::check),
            _ => Ok(()),
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    Set(&'static str, Value),
    /// Adds to a number, exactly; a missing attribute counts as zero.
    Add(&'static str, Decimal),
    Remove(&'static str),
}

#[derive(Debug, Clone, PartialEq)]
pub enum Write {
    /// Replaces the whole item.
    Put {
        table: Table,
        item: Item,
        condition: Condition,
    },
    /// Makes at least one change to the item, which is created if it is not there and the condition lets it be.
    Update {
        key: Key,
        changes: Vec<Change>,
        condition: Condition,
    },
    /// Takes the whole item away. Where there is none, and the condition lets it be, nothing is left to do.
    Delete { key: Key, condition: Condition },
}

impl Write {
    pub fn table(&self) -> Table {
        match self {
            Write::Put { table, .. } => *table,
            Write::Update { key, .. } | Write::Delete { key, .. } => key.table,
        }
    }
}

/// Why a single write did not happen.
#[derive(Debug, Clone, PartialEq)]
pub enum WriteError {
    /// The condition did not hold; this is the item that was found.
    Condition(Option<Item>),
    Fault(Fault),
}

/// Why one write of a cancelled transaction was at fault, or not.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// This one could have been written.
    Fine,
    /// Its condition did not hold; this is the item that was found.
    Condition(Option<Item>),
    /// Another transaction had the item in hand.
    Conflict,
    Throttled,
}

#[derive(Debug, Clone, PartialEq)]
pub enum TransactError {
    /// Nothing was written. One verdict for each write, in their sequence.
    Cancelled(Vec<Verdict>),
    Fault(Fault),
}

/// Items of one partition of an index, in the order of its sort key.
#[derive(Debug, Clone)]
pub struct Query {
    pub table: Table,
    /// None: the table itself.
    pub index: Option<&'static Index>,
    pub partition: String,
    /// From and to, both included, in the sort key of what is asked: the index, or the table, if it has one. They have to
    /// be in their order.
    pub range: Option<(String, String)>,
    /// From the last one to the first.
    pub backwards: bool,
    /// At most so many in one page.
    pub limit: Option<u32>,
    /// The `next` of the page before.
    pub start: Option<Item>,
}

impl Query {
    /// Everything in the partition, the first one first.
    pub fn of(table: Table, index: Option<&'static Index>, partition: impl Into<String>) -> Query {
        Query {
            table,
            index,
            partition: partition.into(),
            range: None,
            backwards: false,
            limit: None,
            start: None,
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    pub items: Vec<Item>,
    /// Where the next page starts; nothing where this was the last. A page that is just full may be the last all the same.
    pub next: Option<Item>,
}

/// A page of which only the number of its items is wanted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Count {
    pub items: u64,
    /// As a page's: what is counted so far may not be all.
    pub next: Option<Item>,
}

pub fn text(value: impl Into<String>) -> Value {
    Value::S(value.into())
}

pub fn number(value: impl ToString) -> Value {
    Value::N(value.to_string())
}
