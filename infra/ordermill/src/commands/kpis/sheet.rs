//! The figures of a period in one currency, as they are shown.

use std::collections::BTreeSet;

use domain::tally::{Figures, Hour};
use domain::{Currency, Fault};
use jiff::Zoned;
use jiff::tz::TimeZone;
use store::tallies::{Day, DayFigures};

use crate::cli::figures::{By, Period};

#[derive(Debug, Clone, PartialEq)]
pub struct Sheet {
    pub currency: Currency,
    pub total: Figures,
    /// Customers of each day, added up: of one day, each is counted once; of many, once for each day on which they
    /// ordered.
    pub customers: u64,
    /// By day or by hour, also where nothing happened. None, where only the total is asked for.
    pub rows: Vec<Row>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Row {
    /// The day, or the hour as clocks show it.
    pub label: String,
    /// The beginning of an hour.
    pub begins: Option<Zoned>,
    pub figures: Figures,
    /// Each counted once.
    pub customers: u64,
}

/// A sheet for each currency in which something happened; or for the one that is asked for, whatever happened.
pub fn of(
    days: &[Day],
    period: Period,
    zone: &TimeZone,
    only: Option<Currency>,
) -> Result<Vec<Sheet>, Fault> {
    let currencies: BTreeSet<Currency> = match only {
        Some(currency) => BTreeSet::from([currency]),
        None => days
            .iter()
            .flat_map(|(_, day)| day.keys().copied())
            .collect(),
    };
    let sheet = |currency| sheet(days, period, zone, currency);
    currencies.into_iter().map(sheet).collect()
}

fn sheet(
    days: &[Day],
    period: Period,
    zone: &TimeZone,
    currency: Currency,
) -> Result<Sheet, Fault> {
    let mut sheet = Sheet {
        currency,
        total: Figures::default(),
        customers: 0,
        rows: Vec::new(),
    };
    for (date, day) in days {
        let day = day.get(&currency).cloned().unwrap_or_default();
        let figures = day.total()?;
        sheet.total.add(&figures)?;
        sheet.customers = sheet.customers.saturating_add(day.customers);
        match period.by {
            By::Day => {}
            By::Hours => sheet.rows.extend(hours(&day, Hour::of_day(*date, zone)?)),
            By::Days => sheet.rows.push(Row {
                label: date.to_string(),
                begins: None,
                figures,
                customers: day.customers,
            }),
        }
    }
    Ok(sheet)
}

/// Each hour of the day; and what counts as an hour beyond its last one, as happens where the time zone was another one
/// when it was entered: the rows have to add up to the total.
fn hours(day: &DayFigures, begins: Vec<Zoned>) -> Vec<Row> {
    let labels = labels(&begins);
    let within = labels.into_iter().zip(begins.into_iter().map(Some));
    let mut rows: Vec<Row> = (0..)
        .zip(within)
        .map(|(number, (label, begins))| hour(day, number, label, begins))
        .collect();
    let length = u8::try_from(rows.len()).unwrap_or(u8::MAX);
    let beyond = day.hours.range(length..);
    rows.extend(beyond.map(|(number, _)| hour(day, *number, format!("hour {number}"), None)));
    rows
}

fn hour(day: &DayFigures, number: u8, label: String, begins: Option<Zoned>) -> Row {
    let customers = day.customers_by_hour.get(&number);
    Row {
        label,
        begins,
        figures: day.hours.get(&number).cloned().unwrap_or_default(),
        customers: customers.copied().unwrap_or_default(),
    }
}

/// As clocks show them; with the offset where they show an hour twice.
fn labels(begins: &[Zoned]) -> Vec<String> {
    let clock = |begin: &Zoned| begin.strftime("%H:%M").to_string();
    let shown: Vec<String> = begins.iter().map(clock).collect();
    let label = |(begin, label): (&Zoned, &String)| match shown
        .iter()
        .filter(|other| *other == label)
        .count()
    {
        1 => label.clone(),
        _ => begin.strftime("%H:%M%:z").to_string(),
    };
    begins.iter().zip(&shown).map(label).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use rust_decimal::Decimal;

    use super::*;

    pub fn figures(orders: u64, cents: i64) -> Figures {
        Figures {
            orders,
            units: orders * 2,
            gross: Decimal::new(cents.max(0), 2),
            refund_count: u64::from(cents < 0),
            refunds: Decimal::new(-cents.min(0), 2),
            ..Figures::default()
        }
    }

    pub fn day(date: &str, hours: &[(u8, Figures)], customers: u64) -> Day {
        let day = DayFigures {
            hours: hours.iter().cloned().collect(),
            customers,
            customers_by_hour: BTreeMap::from([(2, customers)]),
        };
        let usd = "USD".parse().expect("a currency");
        (date.parse().expect("a day"), BTreeMap::from([(usd, day)]))
    }

    pub fn sheets(days: &[Day], by: By, only: Option<&str>) -> Vec<Sheet> {
        let zone = TimeZone::get("Europe/Berlin").expect("a bundled zone");
        let period = Period {
            first: days[0].0,
            last: days[days.len() - 1].0,
            by,
        };
        let only = only.map(|code| code.parse().expect("a currency"));
        of(days, period, &zone, only).expect("sheets")
    }

    #[test]
    fn hours_are_labelled_by_the_clock() {
        let labels = |date: &str| {
            let sheets = sheets(&[day(date, &[], 0)], By::Hours, None);
            let rows = sheets[0].rows.iter();
            rows.map(|row| row.label.clone()).collect::<Vec<_>>()
        };
        assert_eq!(labels("2026-03-28").len(), 24);
        let spring = labels("2026-03-29");
        assert_eq!((spring.len(), spring[1].as_str()), (23, "01:00"));
        assert_eq!(spring[2], "03:00");
        let autumn = labels("2026-10-25");
        assert_eq!(autumn.len(), 25);
        assert_eq!(
            autumn[1..5],
            ["01:00", "02:00+02:00", "02:00+01:00", "03:00"]
        );
    }

    #[test]
    fn rows_add_up_to_the_total_whatever_the_hour() {
        let hours = [(2, figures(1, 100)), (24, figures(2, -300))];
        let sheets = sheets(&[day("2026-03-28", &hours, 3)], By::Hours, None);
        let sheet = &sheets[0];
        assert_eq!(
            (sheet.rows.len(), sheet.rows[24].label.as_str()),
            (25, "hour 24")
        );
        let mut sum = Figures::default();
        for row in &sheet.rows {
            sum.add(&row.figures).expect("a sum");
        }
        assert_eq!(sum, sheet.total);
        assert_eq!((sheet.customers, sheet.rows[2].customers), (3, 3));
    }

    #[test]
    fn days_without_anything_are_there_and_customers_are_added_up() {
        let days = [
            day("2026-03-01", &[(0, figures(1, 100))], 1),
            ("2026-03-02".parse().expect("a day"), BTreeMap::new()),
            day("2026-03-03", &[(5, figures(2, 250))], 2),
        ];
        let by_day = sheets(&days, By::Days, None);
        let sheet = &by_day[0];
        let customers: Vec<u64> = sheet.rows.iter().map(|row| row.customers).collect();
        assert_eq!((customers, sheet.customers), (vec![1, 0, 2], 3));
        assert_eq!(sheet.total, {
            let mut sum = figures(1, 100);
            sum.add(&figures(2, 250)).expect("a sum");
            sum
        });
        let other = sheets(&days, By::Days, Some("EUR"));
        assert!(other.len() == 1 && other[0].total.is_nothing() && other[0].rows.len() == 3);
    }
}
