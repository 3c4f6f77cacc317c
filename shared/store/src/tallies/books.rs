//! Which generation of each book is live, which one is being built, and by whose days they are counted.

use std::collections::BTreeMap;

use domain::Fault;
use domain::tally::Book;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::keys::Target;
use crate::engine::Engine;
use crate::item::{item, record};
use crate::ops::{Condition, Key, Write, number};
use crate::retry::Store;
use crate::schema::Table;

/// So long somebody who builds is believed to live, after he last said so. Whoever enters an entry later takes his building
/// away, and does not enter it there: nothing is entered twice for ever because somebody died.
const LEASE: SignedDuration = SignedDuration::from_mins(15);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Books {
    /// Counts what was written here, so that nobody overwrites what he has not read.
    version: u64,
    /// The generation of all books that were not built anew by themselves.
    live: u32,
    #[serde(default)]
    days: BTreeMap<String, u32>,
    /// Whose days the live figures are counted by. It stays until everything is built anew: an entry that is entered in a
    /// day must not be entered in another one.
    zone: String,
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
    zone: String,
    /// Until then, whoever builds it may be believed to live.
    until: Timestamp,
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

    pub fn zone(&self) -> Result<TimeZone, Fault> {
        named(&self.zone)
    }

    /// Whether it is time to say that somebody still builds it.
    pub(super) fn is_to_be_kept(&self, now: Timestamp) -> bool {
        now > self.until - LEASE / 2
    }
}

impl Books {
    fn new(zone: String) -> Books {
        Books {
            version: 0,
            live: 1,
            days: BTreeMap::new(),
            zone,
            building: None,
            next: 2,
        }
    }

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

    pub fn zone(&self) -> Result<TimeZone, Fault> {
        named(&self.zone)
    }

    pub fn building(&self) -> Option<&Building> {
        self.building.as_ref()
    }

    /// Without what is being built, if whoever builds it is believed to be dead.
    fn without_dead(&self, now: Timestamp) -> Option<Books> {
        let building = self.building.as_ref()?;
        (now > building.until).then(|| self.without(building))?
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

    /// Everything may be counted by the days of another zone, and a day by those of its neighbours only.
    fn begin(&self, scope: Scope, zone: &str, now: Timestamp) -> (Books, Building) {
        let generation = self.next;
        let building = Building {
            scope,
            generation,
            zone: match scope {
                Scope::Everything => zone.to_owned(),
                Scope::Day(_) => self.zone.clone(),
            },
            until: now + LEASE,
        };
        let books = Books {
            building: Some(building.clone()),
            next: generation + 1,
            ..self.clone()
        };
        (books, building)
    }

    /// Nothing where somebody else builds something by now.
    fn without(&self, built: &Building) -> Option<Books> {
        let building = self.building.as_ref()?;
        (building.generation == built.generation).then(|| Books {
            building: None,
            ..self.clone()
        })
    }

    fn keep(&self, built: &Building) -> Option<Books> {
        let mut books = self.without(built)?;
        books.building = Some(built.clone());
        Some(books)
    }

    fn swap(&self, built: &Building) -> Option<Books> {
        let mut books = self.without(built)?;
        match built.scope {
            Scope::Everything => {
                books.live = built.generation;
                books.zone.clone_from(&built.zone);
                books.days.clear();
            }
            Scope::Day(day) => drop(books.days.insert(day.to_string(), built.generation)),
        }
        Some(books)
    }
}

fn named(zone: &str) -> Result<TimeZone, Fault> {
    TimeZone::get(zone).map_err(|error| Fault::Corrupt(format!("the zone of the figures: {error}")))
}

fn name_of(zone: &TimeZone) -> Result<String, Fault> {
    let name = zone.iana_name().map(str::to_owned);
    name.ok_or_else(|| Fault::Malformed("a time zone without a name".to_owned()))
}

impl<E: Engine> Store<E> {
    /// As they are read: where nothing was ever entered, in the zone that figures would be counted by.
    pub async fn books(&self) -> Result<Books, Fault> {
        let found = self.get(&key()).await?.map(record).transpose()?;
        Ok(found.unwrap_or_else(|| Books::new("UTC".to_owned())))
    }

    /// Whose days the figures are counted by: those of this zone, where nothing was ever entered.
    pub async fn zone_of_figures(&self, zone: &TimeZone) -> Result<TimeZone, Fault> {
        let books = self.books().await?;
        match books.version {
            0 => Ok(zone.clone()),
            _ => books.zone(),
        }
    }

    /// As they are written in: who comes first says by whose days they are counted.
    pub(super) async fn books_in(&self, zone: &TimeZone, now: Timestamp) -> Result<Books, Fault> {
        loop {
            let books = self.books().await?;
            let next = match books.version {
                0 => Some(Books::new(name_of(zone)?)),
                _ => books.without_dead(now),
            };
            let Some(next) = next else {
                return Ok(books);
            };
            self.write_books(&books, &next).await?;
        }
    }

    /// From here on, whoever enters an entry enters it in what is being built, too. What somebody else was building is
    /// given up.
    pub(super) async fn begin_building(
        &self,
        scope: Scope,
        zone: &TimeZone,
        now: Timestamp,
    ) -> Result<Building, Fault> {
        let name = name_of(zone)?;
        loop {
            let books = self.books_in(zone, now).await?;
            let (begun, building) = books.begin(scope, &name, now);
            if self.write_books(&books, &begun).await? {
                return Ok(building);
            }
        }
    }

    /// Whoever builds it lives.
    pub(super) async fn keep_building(
        &self,
        built: &mut Building,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let kept = Building {
            until: now + LEASE,
            ..built.clone()
        };
        if !self.change_books(|books| books.keep(&kept)).await? {
            return Err(replaced());
        }
        *built = kept;
        Ok(())
    }

    /// What was built takes the place of what is live.
    pub(super) async fn swap(&self, built: &Building) -> Result<(), Fault> {
        let swapped = self.change_books(|books| books.swap(built)).await?;
        // It may have been done, and the answer lost: no generation is used twice.
        let live = self.books().await?.live(built.scope.book()).generation;
        match swapped || live == built.generation {
            true => Ok(()),
            false => Err(replaced()),
        }
    }

    /// Nobody builds it any more.
    pub(super) async fn give_up(&self, built: &Building) -> Result<(), Fault> {
        self.change_books(|books| books.without(built)).await?;
        Ok(())
    }

    /// Returns whether there was something to change.
    async fn change_books(&self, change: impl Fn(&Books) -> Option<Books>) -> Result<bool, Fault> {
        loop {
            let books = self.books().await?;
            let Some(changed) = change(&books) else {
                return Ok(false);
            };
            if self.write_books(&books, &changed).await? {
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
        item.extend(key().item().into_inner());
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

fn replaced() -> Fault {
    let why = "somebody else began to rebuild meanwhile, or this stood still for too long";
    Fault::Refused(why.to_owned())
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
        let now: Timestamp = "2026-03-03T12:00:00Z".parse().expect("an instant");
        let berlin = "Europe/Berlin";
        let (books, built) = Books::new("UTC".to_owned()).begin(Scope::Day(one), berlin, now);
        assert_eq!(books.building(), Some(&built));
        assert_eq!(books.without_dead(now + LEASE), None);
        let without = books.without_dead(now + LEASE * 2).expect("nobody builds");
        assert_eq!((without.building(), without.swap(&built)), (None, None));
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

        let (books, given_up) = books.begin(Scope::Everything, berlin, now);
        let (books, built) = books.begin(Scope::Everything, berlin, now);
        assert_eq!(books.swap(&given_up), None);
        assert!(!books.keeps("3#all#ranks") && books.keeps("4#all#ranks"));
        let books = books.swap(&built).expect("what was begun");
        assert_eq!(generation(&books, Book::Day(one)), 4);
        assert!(!books.keeps("2#2026-03-01#figures"));
    }
}
