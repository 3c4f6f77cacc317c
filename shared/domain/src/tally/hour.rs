//! Which hour of which business day an instant falls into.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};

use crate::fault::Fault;

/// Hours of a day, and one more for each that clocks were ever set back. A bit each, in what is kept of a customer's day.
pub const HOURS_PER_DAY: u8 = 32;

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// An hour, counted from the midnight of its business day. Where clocks change, a day has 23 of them, or 25: counted, and
/// not read off a clock, none is there twice, and none is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hour {
    pub day: Date,
    pub number: u8,
}

impl Hour {
    pub fn of(at: Timestamp, zone: &TimeZone) -> Result<Hour, Fault> {
        let local = at.to_zoned(zone.clone());
        let since = at.duration_since(midnight(local.date(), zone)?.timestamp());
        let number = u8::try_from(since.as_hours()).unwrap_or_default();
        Ok(Hour {
            day: local.date(),
            number: number.min(HOURS_PER_DAY.saturating_sub(1)),
        })
    }

    /// When each hour of a day begins, on the clocks of its zone.
    pub fn of_day(day: Date, zone: &TimeZone) -> Result<Vec<Zoned>, Fault> {
        let end = midnight(day.tomorrow().map_err(beyond)?, zone)?;
        let mut hours = Vec::new();
        let mut next = midnight(day, zone)?;
        while next < end {
            let after = next.checked_add(HOUR).map_err(beyond)?;
            hours.push(std::mem::replace(&mut next, after));
        }
        Ok(hours)
    }
}

/// The first moment of a day, which is not midnight where that is skipped.
fn midnight(day: Date, zone: &TimeZone) -> Result<Zoned, Fault> {
    day.to_zoned(zone.clone()).map_err(beyond)
}

fn beyond(error: jiff::Error) -> Fault {
    Fault::Malformed(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(zone: &str, at: &str, day: &str, number: u8) {
        let zone = TimeZone::get(zone).expect("a bundled zone");
        let hour = Hour::of(at.parse().expect("an instant"), &zone).expect("an hour");
        assert_eq!(
            (hour.day.to_string().as_str(), hour.number),
            (day, number),
            "{at}"
        );
    }

    #[test]
    fn hours_are_counted_from_midnight() {
        check("UTC", "2026-03-01T00:00:00Z", "2026-03-01", 0);
        check("UTC", "2026-03-01T23:59:59.999Z", "2026-03-01", 23);
        check("Asia/Kolkata", "2026-03-01T18:30:00Z", "2026-03-02", 0);
        check(
            "America/Los_Angeles",
            "2026-03-01T07:59:59Z",
            "2026-02-28",
            23,
        );
    }

    #[test]
    fn a_day_on_which_clocks_change_has_an_hour_more_or_less() {
        // Forward: 02:00 is 03:00.
        check("Europe/Berlin", "2026-03-29T00:59:59Z", "2026-03-29", 1);
        check("Europe/Berlin", "2026-03-29T01:00:00Z", "2026-03-29", 2);
        check("Europe/Berlin", "2026-03-29T21:59:59Z", "2026-03-29", 22);
        check("Europe/Berlin", "2026-03-29T22:00:00Z", "2026-03-30", 0);
        // Back: 02:30 is there twice.
        check("Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25", 2);
        check("Europe/Berlin", "2026-10-25T01:30:00Z", "2026-10-25", 3);
        check("Europe/Berlin", "2026-10-25T22:59:59Z", "2026-10-25", 24);
        // Midnight itself is skipped.
        check("Africa/Cairo", "2026-04-23T22:00:00Z", "2026-04-24", 0);
        // Half an hour back.
        check(
            "Australia/Lord_Howe",
            "2026-04-05T12:59:00Z",
            "2026-04-05",
            23,
        );
        check(
            "Australia/Lord_Howe",
            "2026-04-05T13:29:00Z",
            "2026-04-05",
            24,
        );
    }

    #[test]
    fn hours_begin_where_the_clocks_say() {
        let begin = |day: &str| {
            let zone = TimeZone::get("Europe/Berlin").expect("a bundled zone");
            let hours = Hour::of_day(day.parse().expect("a day"), &zone).expect("hours");
            hours
                .iter()
                .map(|hour| hour.strftime("%H%:z").to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(begin("2026-03-28").len(), 24);
        let spring = begin("2026-03-29");
        assert_eq!((spring.len(), &spring[2]), (23, &"03+02:00".to_owned()));
        let autumn = begin("2026-10-25");
        assert_eq!(autumn.len(), 25);
        assert_eq!(autumn[2..4], ["02+02:00", "02+01:00"]);
    }
}
