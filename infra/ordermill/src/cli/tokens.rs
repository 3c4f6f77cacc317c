//! What can be typed about tokens.

use clap::{Args, Subcommand};
use domain::limits::KEY_BYTES;
use domain::order::check_text;
use domain::{Day, Scope};
use jiff::tz::TimeZone;
use jiff::{Span, SpanRelativeTo, Timestamp, Unit};

#[derive(Subcommand)]
pub enum Token {
    /// Make a token, and print it on stdout: this once, for it is kept nowhere.
    Create(Create),
    /// All tokens, also those that expired or were revoked, the first one first.
    List,
    /// Let a token open nothing any more. The API takes up to half a minute to notice.
    Revoke { id: String },
}

impl Token {
    pub fn is_change(&self) -> bool {
        match self {
            Token::List => false,
            Token::Create(_) | Token::Revoke { .. } => true,
        }
    }
}

#[derive(Args)]
pub struct Create {
    /// Whose it is, or what for.
    #[arg(long, value_parser = name)]
    pub name: String,
    /// What it allows: read, import, refund, operate, or admin, which is all of them; may be given several times.
    #[arg(long = "scope", required = true, value_name = "SCOPE")]
    pub scopes: Vec<Scope>,
    /// Until when: for so long (90d, 12h), until the end of a day in UTC (2027-01-31), to an instant, or never.
    #[arg(long, default_value = "90d", value_parser = expires)]
    pub expires: Expires,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expires {
    At(Timestamp),
    Never,
}

impl Expires {
    pub fn at(self) -> Option<Timestamp> {
        match self {
            Expires::At(instant) => Some(instant),
            Expires::Never => None,
        }
    }
}

fn name(text: &str) -> Result<String, String> {
    check_text("a name", text, KEY_BYTES).map_err(|error| error.to_string())?;
    match text.trim() {
        "" => Err("a name says whose it is, or what for".to_owned()),
        _ => Ok(text.to_owned()),
    }
}

fn expires(text: &str) -> Result<Expires, String> {
    expires_after(text, Timestamp::now())
}

fn expires_after(text: &str, now: Timestamp) -> Result<Expires, String> {
    if text == "never" {
        return Ok(Expires::Never);
    }
    let end = end(text, now).ok_or_else(|| {
        format!("{text} is neither a span (90d), a day (2027-01-31), an instant, nor never")
    })?;
    match end > now {
        true => Ok(Expires::At(end)),
        false => Err(format!("{text} is over already")),
    }
}

fn end(text: &str, now: Timestamp) -> Option<Timestamp> {
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Some(instant);
    }
    if let Ok(Day(day)) = text.parse() {
        let next = day.tomorrow().ok()?.to_zoned(TimeZone::UTC).ok()?;
        return Some(next.timestamp());
    }
    let span: Span = text.parse().ok()?;
    let span = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
    now.checked_add(span).ok()?.round(Unit::Second).ok()
}

#[cfg(test)]
mod tests {
    use super::super::Arguments;
    use super::*;
    use clap::Parser;
    use clap::error::ErrorKind;

    #[test]
    fn a_token_ends_after_a_span_a_day_or_never() {
        let now: Timestamp = "2026-03-04T12:00:00.25Z".parse().expect("an instant");
        let check = |text: &str, expected: &str| {
            let end = expires_after(text, now).expect(text).at().expect("an end");
            assert_eq!(end.to_string(), expected, "{text}");
        };
        check("90d", "2026-06-02T12:00:00Z");
        check("12h", "2026-03-05T00:00:00Z");
        check("2026-03-04", "2026-03-05T00:00:00Z");
        check("2026-12-31", "2027-01-01T00:00:00Z");
        check("2027-01-31T09:00:00+01:00", "2027-01-31T08:00:00Z");
        assert_eq!(expires_after("never", now), Ok(Expires::Never));
        for wrong in [
            "",
            "soon",
            "90",
            "0d",
            "-90d",
            "3 months",
            "2026-03-03",
            "2026-02-31",
            "2026-03-04T11:00:00Z",
        ] {
            assert!(expires_after(wrong, now).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_token_has_a_name_and_says_what_it_allows() {
        let wrong = |rest: &[&str]| {
            let line = ["ordermill", "token", "create"].iter().chain(rest);
            Arguments::try_parse_from(line).err().map(|e| e.kind())
        };
        let missing = Some(ErrorKind::MissingRequiredArgument);
        assert_eq!(wrong(&["--name", "shop"]), missing);
        assert_eq!(wrong(&["--scope", "read"]), missing);
        let value = Some(ErrorKind::ValueValidation);
        assert_eq!(wrong(&["--name", "shop", "--scope", "write"]), value);
        assert_eq!(wrong(&["--name", " ", "--scope", "read"]), value);
        assert_eq!(wrong(&["--name", "a\nb", "--scope", "read"]), value);
        let two = ["--name", "a shop", "--scope", "read", "--scope", "refund"];
        assert_eq!(wrong(&two), None);
    }
}
