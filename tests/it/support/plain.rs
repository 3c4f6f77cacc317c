//! Figures as anybody would add them up who has a pencil: from the raw items of the journal; and as they stand in the raw
//! items of the live books. Shares no code with what it is held against.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rust_decimal::Decimal;
use serde_json::Value as Json;
use store::ops::{Item, Value};

/// Every figure by a name: `book/kind/currency/…`. One that is not there is zero.
pub type Figures = BTreeMap<String, Decimal>;

/// Half of what the place of a score has room for: places are counted down from here.
const TOP: &str = "500000000000000000000000";

pub fn of_journal(entries: &[Item], zone: &TimeZone) -> Figures {
    let mut sums = Sums::default();
    for entry in entries {
        sums.entry(entry, zone);
    }
    sums.close()
}

#[derive(Default)]
struct Sums {
    figures: Figures,
    /// Day, currency, hour and customer of each order.
    ordered: BTreeSet<(String, String, i64, String)>,
    /// Book, currency and name of each customer, and of each product.
    customers: BTreeSet<(String, String, String)>,
    products: BTreeSet<(String, String, String)>,
}

impl Sums {
    fn add(&mut self, name: String, more: Decimal) {
        *self.figures.entry(name).or_default() += more;
    }

    fn entry(&mut self, entry: &Item, zone: &TimeZone) {
        let at: Timestamp = text(entry, "at").parse().expect("an instant");
        let local = at.to_zoned(zone.clone());
        let morning = local.start_of_day().expect("a beginning of the day");
        let hour = (at.as_second() - morning.timestamp().as_second()) / 3_600;
        let day = local.date().to_string();
        let import = text(entry, "import_id");
        for name in ["completed", "failed", "duplicates"] {
            self.add(format!("all/import/{import}/{name}"), number(entry, name));
        }
        // Counted by its content.
        let conflicts = Decimal::from(u8::from(entry.contains_key("conflict")));
        self.add(format!("all/import/{import}/conflicts"), conflicts);
        let changes: Json = serde_json::from_str(&text(entry, "changes")).expect("changes");
        for change in changes.as_array().expect("changes") {
            self.change(change, &day, hour);
        }
    }

    fn change(&mut self, change: &Json, day: &str, hour: i64) {
        let currency = change["m"].as_str().expect("a currency").to_owned();
        let total = amount(&change["t"]);
        let hourly = |name: &str| format!("{day}/hour/{currency}/{hour:02}/{name}");
        if let Some(reason) = change["f"].as_str() {
            return self.add(hourly(&format!("failed_{reason}")), Decimal::ONE);
        }
        let deed = change["s"]["k"].as_str();
        if let Some("shipped" | "delivered") = deed {
            return;
        }
        if deed == Some("cancelled") {
            // Units come back at once, and money by a refund.
            return self.lines(change, day, &currency, true, None);
        }
        let refund = change["r"].is_string();
        let customer = change["c"].as_str().expect("a customer").to_owned();
        let sign = if refund { -Decimal::ONE } else { Decimal::ONE };
        if refund {
            self.add(hourly("refunds"), total);
            self.add(hourly("refund_count"), Decimal::ONE);
        } else {
            self.add(hourly("gross"), total);
            self.add(hourly("orders"), Decimal::ONE);
            let ordered = (day.to_owned(), currency.clone(), hour, customer.clone());
            self.ordered.insert(ordered);
        }
        for book in [day, "all"] {
            let of = format!("{book}/customer/{currency}/{customer}");
            self.add(format!("{of}/amount"), sign * total);
            let orders = if refund { Decimal::ZERO } else { Decimal::ONE };
            self.add(format!("{of}/orders"), orders);
            let name = (book.to_owned(), currency.clone(), customer.clone());
            self.customers.insert(name);
        }
        let sold = (!refund).then(|| hourly("units"));
        self.lines(change, day, &currency, refund, sold);
    }

    /// Products by what of them was sold, or came back; and all that was sold, under that name.
    fn lines(
        &mut self,
        change: &Json,
        day: &str,
        currency: &str,
        back: bool,
        sold: Option<String>,
    ) {
        let sign = if back { -Decimal::ONE } else { Decimal::ONE };
        let mut met = BTreeSet::new();
        for line in change["l"].as_array().expect("lines") {
            let sku = line[0].as_str().expect("a product").to_owned();
            let new = met.insert(sku.clone()) && !back;
            let units = Decimal::from(line[1].as_u64().expect("units"));
            if let Some(sold) = &sold {
                self.add(sold.clone(), units);
            }
            for book in [day, "all"] {
                let of = format!("{book}/product/{currency}/{sku}");
                self.add(format!("{of}/amount"), sign * units * amount(&line[2]));
                self.add(format!("{of}/units"), sign * units);
                self.add(format!("{of}/orders"), u8::from(new).into());
                let name = (book.to_owned(), currency.to_owned(), sku.clone());
                self.products.insert(name);
            }
        }
    }

    /// What follows from all of it: who ordered when, places on boards, and how many customers have which rank.
    fn close(mut self) -> Figures {
        let mut days = BTreeSet::new();
        for (day, currency, hour, customer) in std::mem::take(&mut self.ordered) {
            self.add(
                format!("{day}/customers/{currency}/h{hour:02}"),
                Decimal::ONE,
            );
            let bit = Decimal::from(1_u64 << hour);
            self.add(format!("{day}/customer/{currency}/{customer}/hours"), bit);
            if days.insert((day.clone(), currency.clone(), customer)) {
                self.add(format!("{day}/customers/{currency}/day"), Decimal::ONE);
            }
        }
        for (book, currency, customer) in std::mem::take(&mut self.customers) {
            let of = format!("{book}/customer/{currency}/{customer}");
            let score = self.figures[&format!("{of}/amount")] * smallest(&currency);
            self.add(format!("{of}/place"), score);
            if book == "all" {
                let bucket = bucket(score);
                self.add(format!("all/ranks/{currency}/{bucket}"), Decimal::ONE);
            }
        }
        for (book, currency, sku) in std::mem::take(&mut self.products) {
            let of = format!("{book}/product/{currency}/{sku}");
            let score = self.figures[&format!("{of}/amount")] * smallest(&currency);
            self.add(format!("{of}/place"), score);
            let units = self.figures[&format!("{of}/units")];
            self.add(format!("{of}/units_place"), units);
        }
        self.figures
    }
}

/// How many of the smallest unit make one.
fn smallest(currency: &str) -> Decimal {
    match currency {
        "JPY" => Decimal::ONE,
        "KWD" => Decimal::ONE_THOUSAND,
        _ => Decimal::ONE_HUNDRED,
    }
}

/// How many digits, and the first three of them.
fn bucket(score: Decimal) -> String {
    if score <= Decimal::ZERO {
        return "00/000".to_owned();
    }
    let digits = score.normalize().to_string();
    let padded = format!("{digits}00");
    format!("{:02}/{}", digits.len(), &padded[..3])
}

/// What stands in the live generation of each book.
pub fn of_tallies(items: &[Item]) -> Figures {
    let mut figures = Figures::new();
    let live = Live::read(items);
    for item in items {
        let (partition, sort) = (text(item, "pk"), text(item, "sk"));
        let parts: Vec<&str> = partition.splitn(4, '#').collect();
        let [generation, book, kind, ref id @ ..] = parts[..] else {
            continue;
        };
        if kind == "claim" || generation != live.of(book) {
            continue;
        }
        let mut sort = sort.split('#');
        let (currency, which) = (sort.next().unwrap_or_default(), sort.next());
        let which = which.unwrap_or_default();
        let last = sort.next().unwrap_or_default();
        let id = id.first().copied().unwrap_or_default();
        for (name, value) in item.iter() {
            let Some(value) = figure(name, value) else {
                continue;
            };
            let named = match (kind, which) {
                ("figures", "hour") => format!("{book}/hour/{currency}/{last}/{name}"),
                ("figures", "customers") => format!("{book}/customers/{currency}/{name}"),
                ("import", _) => format!("{book}/import/{id}/{name}"),
                ("customer" | "product", _) => format!("{book}/{kind}/{currency}/{id}/{name}"),
                // Of one copy of the pages.
                ("ranks", page) => {
                    format!("{book}/ranks/{currency}/{page}/{}", &name[1..])
                }
                _ => format!("{partition}/{name}, of which nothing is known"),
            };
            *figures.entry(named).or_default() += value;
        }
    }
    figures
}

/// Numbers, but for the version; and places, turned back into what they place.
fn figure(name: &str, value: &Value) -> Option<Decimal> {
    match (name, value) {
        ("v", _) => None,
        (_, Value::N(digits)) => Some(digits.parse().expect("a number")),
        ("place" | "units_place", Value::S(place)) => {
            let top: Decimal = TOP.parse().expect("a number");
            Some(top - place.parse::<Decimal>().expect("a place"))
        }
        _ => None,
    }
}

/// Which generation of each book is the one that counts.
#[derive(Debug, Clone)]
pub struct Live {
    all: String,
    days: BTreeMap<String, String>,
}

impl Default for Live {
    fn default() -> Live {
        Live::of_record(None)
    }
}

impl Live {
    fn read(items: &[Item]) -> Live {
        Live::of_record(items.iter().find(|item| text(item, "pk") == "books"))
    }

    pub fn of_record(record: Option<&Item>) -> Live {
        let digits = |value: Option<&Value>| match value {
            Some(Value::N(digits)) => digits.clone(),
            _ => "1".to_owned(),
        };
        let mut live = Live {
            all: digits(record.and_then(|record| record.get("live"))),
            days: BTreeMap::new(),
        };
        if let Some(Value::M(days)) = record.and_then(|record| record.get("days")) {
            let days = days.iter();
            live.days = days
                .map(|(day, own)| (day.clone(), digits(Some(own))))
                .collect();
        }
        live
    }

    pub fn of(&self, book: &str) -> &str {
        self.days.get(book).unwrap_or(&self.all)
    }
}

pub fn differences(expected: &Figures, kept: &Figures) -> Vec<String> {
    let names: BTreeSet<&String> = expected.keys().chain(kept.keys()).collect();
    let of = |figures: &Figures, name: &String| figures.get(name).copied().unwrap_or_default();
    let differ = names.into_iter().filter_map(|name| {
        let (expected, kept) = (of(expected, name), of(kept, name));
        (expected != kept).then(|| format!("{name} is {kept}, and should be {expected}"))
    });
    differ.collect()
}

/// Names and scores, the highest first, with the ranks that equal ones share.
pub fn board(figures: &Figures, prefix: &str, score: &str) -> Vec<(u64, String, Decimal)> {
    let mut rows: Vec<(u64, String, Decimal)> = figures
        .iter()
        .filter_map(|(name, score_of)| {
            let id = name.strip_prefix(prefix)?.strip_suffix(score)?;
            Some((0, id.to_owned(), *score_of))
        })
        .collect();
    rows.sort_by(|one, other| (other.2, &one.1).cmp(&(one.2, &other.1)));
    let scores: Vec<Decimal> = rows.iter().map(|row| row.2).collect();
    for row in &mut rows {
        let better = scores.iter().filter(|score| **score > row.2).count();
        row.0 = 1 + better as u64;
    }
    rows
}

fn amount(value: &Json) -> Decimal {
    let digits = value.as_str().expect("an amount");
    digits.parse().expect("a decimal")
}

fn text(item: &Item, name: &str) -> String {
    match item.get(name) {
        Some(Value::S(text)) => text.clone(),
        _ => String::new(),
    }
}

fn number(item: &Item, name: &str) -> Decimal {
    match item.get(name) {
        Some(Value::N(digits)) => digits.parse().expect("a number"),
        _ => Decimal::ZERO,
    }
}
