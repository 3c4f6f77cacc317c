//! What can be typed about figures.

use clap::{Args, Subcommand, ValueEnum};
use domain::day::NoDay;
use domain::{Currency, Day};
use jiff::civil::Date;

use super::misused;

/// Days that are shown at once.
const DAYS: i64 = 366;

#[derive(Args)]
pub struct Kpis {
    /// A business day, such as 2026-03-01 [default: today]
    #[arg(long, value_name = "DAY", value_parser = day, conflicts_with_all = ["from", "to"])]
    pub date: Option<Date>,
    /// Day by day: the first of up to 366 days.
    #[arg(long, value_name = "DAY", value_parser = day, requires = "to")]
    pub from: Option<Date>,
    /// The last of them, which is one of them.
    #[arg(long, value_name = "DAY", value_parser = day, requires = "from")]
    pub to: Option<Date>,
    /// Hour by hour, which is for one day.
    #[arg(long, conflicts_with_all = ["from", "to"])]
    pub hourly: bool,
    /// Only what was sold in this currency.
    #[arg(long)]
    pub currency: Option<Currency>,
}

/// Which days are shown, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    pub first: Date,
    pub last: Date,
    pub by: By,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// One day, as a whole.
    Day,
    /// One day, by its hours.
    Hours,
    /// Any number of days, even if it is one.
    Days,
}

impl Kpis {
    /// Ends with a usage error where the days do not go together.
    pub fn check(&self) {
        if let Some(wrong) = self.wrong() {
            misused("kpis", &wrong);
        }
    }

    fn wrong(&self) -> Option<String> {
        let (from, to) = (self.from?, self.to?);
        if from > to {
            return Some(format!("{from} is after {to}"));
        }
        let days = from.duration_until(to).as_hours() / 24 + 1;
        (days > DAYS).then(|| format!("{days} days are too many, {DAYS} can be shown"))
    }

    pub fn is_about_today(&self) -> bool {
        self.date.is_none() && self.from.is_none()
    }

    pub fn period(&self, today: Date) -> Period {
        match (self.from, self.to) {
            (Some(first), Some(last)) => Period {
                first,
                last,
                by: By::Days,
            },
            _ => {
                let day = self.date.unwrap_or(today);
                Period {
                    first: day,
                    last: day,
                    by: if self.hourly { By::Hours } else { By::Day },
                }
            }
        }
    }
}

#[derive(Subcommand)]
pub enum Leaderboard {
    /// By what they spent and did not get back.
    Customers {
        #[command(flatten)]
        which: Which,
    },
    /// By what was sold of them and did not come back.
    Products {
        #[command(flatten)]
        which: Which,
        /// What counts.
        #[arg(long, value_enum, default_value_t = Sold::Revenue)]
        by: Sold,
    },
}

#[derive(Args)]
pub struct Which {
    /// How many of them.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub limit: u16,
    /// Only what happened on this business day, such as 2026-03-01 [default: all time]
    #[arg(long, value_parser = day)]
    pub day: Option<Date>,
    /// Only this currency [default: each in which anybody ever bought something]
    #[arg(long)]
    pub currency: Option<Currency>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Sold {
    Units,
    Revenue,
}

#[derive(Args)]
pub struct Rank {
    /// A customer's id.
    pub customer: String,
    /// Only this currency [default: each in which they bought something]
    #[arg(long)]
    pub currency: Option<Currency>,
}

const REBUILD: &str = "\
Add up every figure anew from the journal, or those of one day.

It is done beside the live figures, which go on meanwhile, and are replaced in the end. Those that were live before are
kept until the next time. Needed when `verify` shows figures that do not agree, and after a change of BusinessTimeZone.";

const REPLAY: &str = "\
Enter one entry of the journal in the figures.

It is harmless to repeat: what was entered before is left alone, so an entry counts once, whoever enters it.";

#[derive(Subcommand)]
pub enum Tally {
    /// Add up every figure anew from the journal, or those of one day.
    #[command(long_about = REBUILD)]
    Rebuild {
        /// Only the figures and boards of this business day, such as 2026-03-01.
        #[arg(long, value_parser = day)]
        day: Option<Date>,
    },
    /// Enter one entry of the journal in the figures. It is harmless to repeat: an entry counts once.
    #[command(long_about = REPLAY)]
    Replay {
        /// As logs and failures name it: partition/entry_id. An entry_id alone is looked for in the whole journal.
        entry: String,
    },
}

pub(super) fn day(text: &str) -> Result<Date, NoDay> {
    text.parse().map(|Day(day)| day)
}

#[cfg(test)]
mod tests {
    use super::super::{Arguments, Command};
    use super::*;
    use clap::Parser;
    use clap::error::ErrorKind;

    fn parsed(line: &str) -> Result<Command, ErrorKind> {
        let line = format!("ordermill {line}");
        let arguments = Arguments::try_parse_from(line.split_whitespace());
        Ok(arguments.map_err(|error| error.kind())?.command)
    }

    fn kpis(line: &str) -> Kpis {
        match parsed(&format!("kpis {line}")) {
            Ok(Command::Kpis(kpis)) => kpis,
            _ => panic!("{line}"),
        }
    }

    fn period(line: &str) -> (String, String, By) {
        let period = kpis(line).period("2026-03-04".parse().expect("a day"));
        (period.first.to_string(), period.last.to_string(), period.by)
    }

    #[test]
    fn figures_are_of_one_day_or_of_many() {
        let of = |first: &str, last: &str, by: By| (first.to_owned(), last.to_owned(), by);
        assert_eq!(period(""), of("2026-03-04", "2026-03-04", By::Day));
        assert_eq!(
            period("--hourly"),
            of("2026-03-04", "2026-03-04", By::Hours)
        );
        assert_eq!(
            period("--date 2026-02-28 --currency eur"),
            of("2026-02-28", "2026-02-28", By::Day)
        );
        assert_eq!(
            period("--from 2026-02-28 --to 2026-02-28"),
            of("2026-02-28", "2026-02-28", By::Days)
        );
        assert!(kpis("--hourly").is_about_today());
        assert!(!kpis("--date 2026-03-04").is_about_today());
    }

    #[test]
    fn days_that_do_not_go_together_are_a_slip() {
        let wrong = |line: &str| kpis(line).wrong();
        assert_eq!(wrong(""), None);
        assert_eq!(wrong("--from 2024-01-01 --to 2024-12-31"), None);
        let backwards = wrong("--from 2026-03-02 --to 2026-03-01").expect("a slip");
        assert_eq!(backwards, "2026-03-02 is after 2026-03-01");
        let many = wrong("--from 2024-01-01 --to 2025-01-01").expect("a slip");
        assert!(many.starts_with("367 days"), "{many}");
    }

    #[test]
    fn what_cannot_be_meant_is_a_usage_error() {
        use ErrorKind::{ArgumentConflict, MissingRequiredArgument, UnknownArgument};
        for (line, error) in [
            ("kpis --from 2026-03-01", MissingRequiredArgument),
            ("kpis --to 2026-03-01", MissingRequiredArgument),
            (
                "kpis --date 2026-03-01 --to 2026-03-02 --from 2026-03-01",
                ArgumentConflict,
            ),
            (
                "kpis --hourly --from 2026-03-01 --to 2026-03-01",
                ArgumentConflict,
            ),
            ("kpis --date 2026-02-30", ErrorKind::ValueValidation),
            ("kpis --date 20260301", ErrorKind::ValueValidation),
            ("kpis --date 2026-03-01T10:00", ErrorKind::ValueValidation),
            ("kpis --currency XXX", ErrorKind::ValueValidation),
            ("leaderboard customers --by units", UnknownArgument),
            (
                "leaderboard customers --limit 0",
                ErrorKind::ValueValidation,
            ),
            (
                "leaderboard products --limit 1001",
                ErrorKind::ValueValidation,
            ),
            ("leaderboard products --limit -1", UnknownArgument),
            ("leaderboard products --by price", ErrorKind::InvalidValue),
            ("rank", MissingRequiredArgument),
            ("tally rebuild --day today", ErrorKind::ValueValidation),
            ("tally replay", MissingRequiredArgument),
        ] {
            assert_eq!(parsed(line).err(), Some(error), "{line}");
        }
    }
}
