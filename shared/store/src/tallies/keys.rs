//! Where figures stand. A key begins with the generation and the book, so that it says whether it is still live.

use domain::tally::{Book, Part, Score, Subject};
use domain::{Currency, ids};

use crate::ops::Key;
use crate::schema::Table;

/// Partitions of a board. Ten thousand customers a second who all move cost twenty thousand write units, and a partition
/// takes a thousand.
pub const BOARD_SHARDS: u8 = 32;

/// Above all shards and pages, in the order of keys.
const END: char = '~';

/// A book of one generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    pub book: Book,
    pub generation: u32,
}

impl Target {
    pub fn prefix(self) -> String {
        let generation = self.generation;
        match self.book {
            Book::AllTime => format!("{generation}#all"),
            Book::Day(day) => format!("{generation}#{day}"),
        }
    }

    pub fn claim(self, entry_id: &str, part: Part) -> Key {
        self.key(&format!("claim#{entry_id}"), &part.to_string())
    }

    pub fn figures(self) -> String {
        format!("{}#figures", self.prefix())
    }

    pub fn hour(self, currency: Currency, number: u8) -> Key {
        self.key("figures", &format!("{currency}#hour#{number:02}"))
    }

    /// How many customers ordered: on the day, and in each of its hours.
    pub fn customers(self, currency: Currency, shard: u8) -> Key {
        self.key("figures", &format!("{currency}#customers#{shard}"))
    }

    pub fn import(self, import_id: &str) -> Key {
        self.key(&format!("import#{import_id}"), "progress")
    }

    pub fn customer(self, subject: &Subject) -> Key {
        self.key(&format!("customer#{}", subject.id), subject.currency.code())
    }

    pub fn product(self, subject: &Subject) -> Key {
        self.key(&format!("product#{}", subject.id), subject.currency.code())
    }

    /// A copy of the pages of ranks. Pages are large, and written often: each copy is a partition of its own.
    pub fn ranks(self, shard: u8) -> String {
        format!("{}#ranks#{shard}", self.prefix())
    }

    pub fn page(self, currency: Currency, page: u8, shard: u8) -> Key {
        self.key(&format!("ranks#{shard}"), &format!("{currency}#{page:02}"))
    }

    /// The partition of a board that a subject is in.
    pub fn board_of(self, board: &str, subject: &Subject) -> String {
        let shard = ids::bucket(&subject.id, BOARD_SHARDS);
        self.board(board, subject.currency, shard)
    }

    pub fn board(self, board: &str, currency: Currency, shard: u8) -> String {
        format!("{}#{board}#{currency}#{shard:02}", self.prefix())
    }

    fn key(self, what: &str, sort: &str) -> Key {
        let partition = format!("{}#{what}", self.prefix());
        Key::sorted(Table::Tallies, &partition, sort)
    }
}

/// The pages of a currency, among those of all.
pub fn pages(currency: Currency) -> (String, String) {
    (format!("{currency}#"), format!("{currency}#{END}"))
}

/// What follows the pages of a currency.
pub fn after_pages(currency: Option<&str>) -> (String, String) {
    let from = currency.map_or("A".to_owned(), |currency| format!("{currency}#{END}"));
    (from, END.to_string())
}

/// Places from the highest to the lowest of these scores.
pub fn places(highest: Score, lowest: Score) -> (String, String) {
    (highest.place(), lowest.place())
}

/// The last part of a key's partition, which names a customer, a product, an import: it may hold any character.
pub fn name_in(partition: &str) -> Option<&str> {
    partition.splitn(4, '#').nth(3)
}
