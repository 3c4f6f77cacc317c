//! When and where something happens: most days of business are plain, so the others are sought out.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// A zone, and an instant shortly after which its clocks change, or a day, a month, a year ends.
const TURNS: [(&str, &str); 9] = [
    // Noon of a day on which nothing happens.
    ("UTC", "2026-03-01T13:00:00Z"),
    ("UTC", "2027-01-01T00:00:00Z"),
    ("Asia/Kolkata", "2026-03-31T18:30:00Z"),
    ("Europe/Berlin", "2026-03-29T01:00:00Z"),
    ("Europe/Berlin", "2026-10-25T01:00:00Z"),
    ("America/Los_Angeles", "2026-11-01T09:00:00Z"),
    // Half an hour back.
    ("Australia/Lord_Howe", "2026-04-04T15:00:00Z"),
    // Midnight is skipped; and there is an hour before midnight twice.
    ("Africa/Cairo", "2026-04-23T22:00:00Z"),
    ("Asia/Beirut", "2026-10-24T21:00:00Z"),
];

pub struct Calendar {
    pub zone: TimeZone,
    pub start: Timestamp,
}

impl Calendar {
    /// Draws numbers below a limit.
    pub fn draw(below: impl Fn(u64) -> u64) -> Calendar {
        let (zone, turn) = TURNS[below(TURNS.len() as u64) as usize];
        let turn: Timestamp = turn.parse().expect("an instant");
        // Most of what is begun then is over within an hour.
        let before = SignedDuration::from_secs(below(3_600) as i64);
        Calendar {
            zone: TimeZone::get(zone).expect("a bundled zone"),
            start: turn - before,
        }
    }
}
