//! Days as they are written in requests and commands: in one way only, for what else could be read as one may be a slip.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// A day that somebody wrote. One with a time is none: whoever wrote the time meant it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day(pub Date);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoDay;

impl fmt::Display for NoDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no such day: days are written as 2026-03-01")
    }
}

impl std::error::Error for NoDay {}

impl From<Day> for Date {
    fn from(Day(day): Day) -> Date {
        day
    }
}

impl FromStr for Day {
    type Err = NoDay;

    fn from_str(text: &str) -> Result<Day, NoDay> {
        let day = text.parse::<Date>().ok();
        // The years before Christ have a sign, and two digits more.
        let day = day.filter(|day| day.to_string() == text && text.len() == 10);
        day.map(Day).ok_or(NoDay)
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Day, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_written_in_one_way() {
        for text in ["2026-03-01", "2024-02-29", "0000-01-01", "9999-12-31"] {
            let day: Result<Day, NoDay> = text.parse();
            assert_eq!(day.map(|Day(day)| day.to_string()), Ok(text.to_owned()));
        }
        for other in [
            "",
            " 2026-03-01",
            "2026-03-01 ",
            "2026-3-1",
            "20260301",
            "2026-02-29",
            "2026-13-01",
            "2026-060",
            "2026-W09-7",
            "10000-01-01",
            "-000001-12-31",
            "-009999-01-01",
            "+002026-03-01",
            "2026-03-01T18:00:00",
            "2026-03-01 18:00:00",
            "2026-03-01T23:30:00-05:00",
            "2026-03-01T23:30:00-05:00[America/New_York]",
            "2026-03-01[UTC]",
            "2026-03-01Z",
            "٢٠٢٦-٠٣-٠١",
        ] {
            assert_eq!(other.parse::<Day>(), Err(NoDay), "{other}");
        }
    }
}
