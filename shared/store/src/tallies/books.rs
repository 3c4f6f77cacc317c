//! Which generation of each book is live, and which one is being built.

use std::collections::BTreeMap;

use domain::Fault;
use domain::tally::Book;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::keys::Target;
use crate::engine::Engine;
use crate::item::{item, record};
use crate::ops::{Condition, Key, Write, number, text};
use crate::retry::Store;
use crate::schema::Table;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Books {
    /// Counts what was written here, so that nobody overwrites what he has not read.
    version: u64,
    /// The generation of all books that were not built anew by themselves.
    live: u32,
    #[serde(default)]
    days: BTreeMap<String, u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    building: Option<Building>,
    /// Of whatever is built next: no generation is used twice.
    next: u32,
}

/// What is being built beside the live figures: until it takes their place, entries are entered in both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Building {
    pub scope: Scope,
    pub generation: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    Everything,
    Day(Date),
}

impl Scope {
    /// One of the books that it is about.
    fn book(self) -> Book {
        match self {
            Scope::Everything => Book::AllTime,
            Scope::Day(day) => Book::Day(day),
        }
    }
}

impl Building {
    /// This book, if it is being built.
    pub fn target(&self, book: Book) -> Option<Target> {
        let concerned = match (self.scope, book) {
            (Scope::Everything, _) => true,
            (Scope::Day(built), Book::Day(day)) => built == day,
            (Scope::Day(_), Book::AllTime) => false,
        };
        let generation = self.generation;
        concerned.then_some(Target { book, generation })
    }
}

impl Default for Books {
    fn default() -> Books {
        Books {
            version: 0,
            live: 1,
            days: BTreeMap::new(),
            building: None,
            next: 2,
        }
    }
}

impl Books {
    pub fn live(&self, book: Book) -> Target {
        let own = match book {
            Book::Day(day) => self.days.get(&day.to_string()),
            Book::AllTime => None,
        };
        Target {
            book,
            generation: own.copied().unwrap_or(self.live),
        }
    }

    pub fn building(&self) -> Option<&Building> {
        self.building.as_ref()
    }

    /// Whether anybody may still read or build what stands under this key.
    pub fn keeps(&self, partition: &str) -> bool {
        let mut parts = partition.split('#');
        let (generation, book) = (parts.next().unwrap_or_default(), parts.next());
        let Ok(generation) = generation.parse::<u32>() else {
            // The record of the books themselves.
            return true;
        };
        let book = match book.map(str::parse::<Date>) {
            Some(Ok(day)) => Book::Day(day),
            _ => Book::AllTime,
        };
        let of = |target: Target| target.generation == generation;
        let building = self.building.as_ref();
        let building = building.and_then(|building| building.target(book));
        generation >= self.next || of(self.live(book)) || building.is_some_and(of)
    }

    fn begin(&self, scope: Scope) -> (Books, Building) {
        let generation = self.next;
        let building = Building { scope, generation };
        let books = Books {
            building: Some(building.clone()),
            next: generation + 1,
            ..self.clone()
        };
        (books, building)
    }

    fn swap(&self, built: &Building) -> Option<Books> {
        if self.building.as_ref() != Some(built) {
            return None;
        }
        let mut books = Books {
            building: None,
            ..self.clone()
        };
        match built.scope {
            Scope::Everything => {
                books.live = built.generation;
                books.days.clear();
            }
            Scope::Day(day) => drop(books.days.insert(day.to_string(), built.generation)),
        }
        Some(books)
    }
}

impl<E: Engine> Store<E> {
    pub async fn books(&self) -> Result<Books, Fault> {
        let found = self.get(&key()).await?.map(record).transpose()?;
        Ok(found.unwrap_or_default())
    }

    /// From here on, whoever enters an entry enters it in what is being built, too. What somebody else was building is
    /// given up.
    pub(super) async fn begin_building(&self, scope: Scope) -> Result<Building, Fault> {
        loop {
            let books = self.books().await?;
            let (begun, building) = books.begin(scope);
            if self.write_books(&books, &begun).await? {
                return Ok(building);
            }
        }
    }

    /// What was built takes the place of what is live. Returns whether it did: somebody else may have begun anew.
    pub(super) async fn swap(&self, built: &Building) -> Result<bool, Fault> {
        loop {
            let books = self.books().await?;
            let Some(swapped) = books.swap(built) else {
                // It may have been done, and the answer lost: no generation is used twice.
                return Ok(books.live(built.scope.book()).generation == built.generation);
            };
            if self.write_books(&books, &swapped).await? {
                return Ok(true);
            }
        }
    }

    async fn write_books(&self, read: &Books, next: &Books) -> Result<bool, Fault> {
        let next = Books {
            version: read.version + 1,
            ..next.clone()
        };
        let mut item = item(&next)?;
        let key = key();
        item.insert(Table::Tallies.partition().to_owned(), text(key.partition));
        item.insert("sk".to_owned(), text(key.sort.unwrap_or_default()));
        let condition = match read.version {
            0 => Condition::Absent,
            version => Condition::Is("version", number(version)),
        };
        let put = Write::Put {
            table: Table::Tallies,
            item,
            condition,
        };
        match self.write(&put).await? {
            Ok(()) => Ok(true),
            // An attempt whose answer was lost may have been ours.
            Err(Some(found)) => Ok(record::<Books>(found)? == next),
            Err(None) => Ok(false),
        }
    }
}

fn key() -> Key {
    Key::sorted(Table::Tallies, "books", "live")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_book_is_live_in_one_generation_and_built_in_another() {
        let (one, two): (Date, Date) = (
            "2026-03-01".parse().expect("a day"),
            "2026-03-02".parse().expect("a day"),
        );
        let generation = |books: &Books, book| books.live(book).generation;
        let (books, built) = Books::default().begin(Scope::Day(one));
        assert_eq!(books.building(), Some(&built));
        assert_eq!(
            built.target(Book::Day(one)).map(|target| target.generation),
            Some(2)
        );
        assert_eq!(built.target(Book::Day(two)), None);
        assert_eq!(built.target(Book::AllTime), None);
        let books = books.swap(&built).expect("what was begun");
        assert_eq!(books.swap(&built), None);
        assert_eq!(generation(&books, Book::Day(one)), 2);
        assert_eq!(generation(&books, Book::Day(two)), 1);
        assert!(books.keeps("2#2026-03-01#figures") && books.keeps("1#2026-03-02#claim#e"));
        assert!(!books.keeps("1#2026-03-01#claim#e") && !books.keeps("2#all#ranks"));
        assert!(books.keeps("books") && books.keeps("3#all#ranks"));

        let (books, given_up) = books.begin(Scope::Everything);
        let (books, built) = books.begin(Scope::Everything);
        assert_eq!(books.swap(&given_up), None);
        assert!(!books.keeps("3#all#ranks") && books.keeps("4#all#ranks"));
        let books = books.swap(&built).expect("what was begun");
        assert_eq!(generation(&books, Book::Day(one)), 4);
        assert!(!books.keeps("2#2026-03-01#figures"));
    }
}
