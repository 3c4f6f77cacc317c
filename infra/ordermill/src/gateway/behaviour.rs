//! How the gateway behaves: what becomes of a charge, and which requests fail on the way, in given proportions.
//!
//! Everything is drawn from the seed and the key, so that the same run has the same declines and the same faults.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use domain::ids;
use jiff::SignedDuration;
use rust_decimal::Decimal;

/// Charges that are neither declined nor left pending are approved at once.
#[derive(Debug, Clone, Args)]
pub struct Behaviour {
    /// Whatever is drawn, is drawn from this number and the key: the same seed, the same run.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Share of the charges that are declined at once.
    #[arg(long, value_name = "SHARE", default_value = "0.1")]
    pub decline: Share,
    /// Share of the charges that are pending first.
    #[arg(long, value_name = "SHARE", default_value = "0.05")]
    pub pending: Share,
    /// How long they are.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = time)]
    pub pending_for: Duration,
    /// Share of the pending charges that are declined in the end.
    #[arg(long, value_name = "SHARE", default_value = "0.1")]
    pub pending_decline: Share,
    /// Share of the charges that are pending until they are voided, and approved after that.
    #[arg(long, value_name = "SHARE", default_value = "0")]
    pub late: Share,
    /// How long after.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = time)]
    pub late_after: Duration,
    /// Share of the requests that are done, and the connection cut before the answer.
    #[arg(long, value_name = "SHARE", default_value = "0")]
    pub drop: Share,
    /// Share of the requests that are answered by a 500: half of them are done, half are not.
    #[arg(long, value_name = "SHARE", default_value = "0")]
    pub error: Share,
    /// Share of the requests that are answered by a 429, and not done.
    #[arg(long, value_name = "SHARE", default_value = "0")]
    pub throttle: Share,
    /// How long a request takes: a time, or a range (20ms..200ms).
    #[arg(long, value_name = "RANGE", default_value = "0ms")]
    pub latency: Latency,
    /// From this age on a capture is settled: it can be refunded, and no longer voided.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = time)]
    pub settle_after: Duration,
    /// Share of the webhooks that are sent twice.
    #[arg(long, value_name = "SHARE", default_value = "0.2")]
    pub duplicate_webhooks: Share,
}

/// A gateway as one wishes it: every charge is approved at once, and no request fails.
impl Default for Behaviour {
    fn default() -> Behaviour {
        Behaviour {
            seed: 1,
            decline: Share::NONE,
            pending: Share::NONE,
            pending_for: Duration::from_secs(5),
            pending_decline: Share::NONE,
            late: Share::NONE,
            late_after: Duration::from_mins(1),
            drop: Share::NONE,
            error: Share::NONE,
            throttle: Share::NONE,
            latency: Latency::default(),
            settle_after: Duration::from_hours(1),
            duplicate_webhooks: Share::NONE,
        }
    }
}

/// What becomes of a charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Approve,
    Decline,
    /// Pending first.
    Pending {
        approved: bool,
    },
    /// Pending until it is voided, and approved when nobody reckons with it any more.
    Late,
}

/// What goes wrong with an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    Throttled,
    ErrorBefore,
    ErrorAfter,
    /// Done, and the answer never sent.
    Dropped,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    Charge,
    Status,
    Void,
    Refund,
    RefundStatus,
}

/// What sends a webhook on its way, once or twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sending {
    pub first_after: Duration,
    pub again_after: Option<Duration>,
}

/// Webhooks overtake one another: each waits for up to so long.
const WEBHOOK_DELAY_MS: u64 = 250;

impl Behaviour {
    /// Shares of the same whole must not be more than the whole.
    pub fn check(&self) -> Result<(), String> {
        let charges = [self.decline, self.pending, self.late];
        let requests = [self.drop, self.error, self.throttle];
        for (names, shares) in [
            ("--decline, --pending and --late", charges),
            ("--drop, --error and --throttle", requests),
        ] {
            let sum: u64 = shares.iter().map(|share| share.per_million).sum();
            if sum > WHOLE {
                return Err(format!("{names} add up to {}", Share { per_million: sum }));
            }
        }
        Ok(())
    }

    pub fn fate(&self, key: &str) -> Fate {
        let drawn = self.draw(&format!("fate:{key}"));
        let after_decline = drawn.checked_sub(self.decline.per_million);
        let after_pending = after_decline.and_then(|d| d.checked_sub(self.pending.per_million));
        match (after_decline, after_pending) {
            (None, _) => Fate::Decline,
            (_, None) => Fate::Pending {
                approved: !self
                    .pending_decline
                    .holds(self.draw(&format!("resolved:{key}"))),
            },
            (_, Some(rest)) if self.late.holds(rest) => Fate::Late,
            _ => Fate::Approve,
        }
    }

    /// Attempts are counted from 0, for each operation and key.
    pub fn failure(&self, operation: Operation, key: &str, attempt: u32) -> Option<Failure> {
        let mut drawn = self.draw(&format!("failure:{operation:?}:{attempt}:{key}"));
        let half = self.error.per_million / 2;
        for (failure, per_million) in [
            (Failure::Dropped, self.drop.per_million),
            (Failure::Throttled, self.throttle.per_million),
            (Failure::ErrorBefore, half),
            (Failure::ErrorAfter, self.error.per_million - half),
        ] {
            match drawn.checked_sub(per_million) {
                None => return Some(failure),
                Some(rest) => drawn = rest,
            }
        }
        None
    }

    pub fn latency(&self, operation: Operation, key: &str, attempt: u32) -> Duration {
        let Latency { least, most } = self.latency;
        let drawn = self.draw(&format!("latency:{operation:?}:{attempt}:{key}"));
        let span = most.saturating_sub(least);
        // To the millionth of the span, which is all that a draw has.
        let part = span.as_nanos() * u128::from(drawn) / u128::from(WHOLE);
        least + Duration::from_nanos(u64::try_from(part).unwrap_or(u64::MAX))
    }

    pub fn sending(&self, event_id: &str) -> Sending {
        let delay = |copy: &str| {
            let drawn = ids::uniform(&format!("{}:{copy}:{event_id}", self.seed));
            Duration::from_millis(drawn % WEBHOOK_DELAY_MS)
        };
        let twice = self
            .duplicate_webhooks
            .holds(self.draw(&format!("twice:{event_id}")));
        Sending {
            first_after: delay("first"),
            again_after: twice.then(|| delay("again")),
        }
    }

    pub fn settle_after(&self) -> SignedDuration {
        SignedDuration::try_from(self.settle_after).unwrap_or(SignedDuration::MAX)
    }

    /// Below [`WHOLE`], the same for ever.
    fn draw(&self, what: &str) -> u64 {
        ids::uniform(&format!("{}:{what}", self.seed)) % WHOLE
    }
}

const WHOLE: u64 = 1_000_000;

/// A share between 0 and 1, to the millionth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    per_million: u64,
}

impl Share {
    pub const NONE: Share = Share { per_million: 0 };

    fn holds(self, drawn: u64) -> bool {
        drawn < self.per_million
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Share, String> {
        let wrong = || "a share is a decimal between 0 and 1".to_owned();
        let share: Decimal = text.parse().map_err(|_| wrong())?;
        let per_million = share.checked_mul(Decimal::from(WHOLE)).ok_or_else(wrong)?;
        match u64::try_from(per_million) {
            Ok(per_million) if per_million <= WHOLE => Ok(Share { per_million }),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = Decimal::from(self.per_million) / Decimal::from(WHOLE / 100);
        write!(f, "{} %", percent.normalize())
    }
}

/// From the least to the most, evenly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Latency {
    pub least: Duration,
    pub most: Duration,
}

impl FromStr for Latency {
    type Err = String;

    fn from_str(text: &str) -> Result<Latency, String> {
        let (least, most) = text.split_once("..").unwrap_or((text, text));
        let (least, most) = (time(least)?, time(most)?);
        if least > most {
            return Err("a range goes from the shorter to the longer time".to_owned());
        }
        Ok(Latency { least, most })
    }
}

/// `500ms`, `90s`, `30m`, `1h30m`.
pub fn time(text: &str) -> Result<Duration, String> {
    let time: Result<SignedDuration, _> = text.parse();
    time.ok()
        .and_then(|time| Duration::try_from(time).ok())
        .ok_or_else(|| "a time is written as 500ms, 90s, 30m or 2h".to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn share(text: &str) -> Share {
        text.parse().expect("a share")
    }

    fn mixed() -> Behaviour {
        Behaviour {
            decline: share("0.1"),
            pending: share("0.2"),
            pending_decline: share("0.5"),
            late: share("0.1"),
            drop: share("0.1"),
            error: share("0.2"),
            throttle: share("0.3"),
            duplicate_webhooks: share("0.5"),
            ..Behaviour::default()
        }
    }

    /// How many of ten thousand draws came out as what.
    fn counted<T: fmt::Debug>(draw: impl Fn(&str) -> T) -> BTreeMap<String, u32> {
        let mut counts = BTreeMap::new();
        for number in 0..10_000 {
            let drawn = draw(&format!("ORD-{number}"));
            *counts.entry(format!("{drawn:?}")).or_default() += 1;
        }
        counts
    }

    fn check(counts: &BTreeMap<String, u32>, expected: &[(&str, u32)]) {
        assert_eq!(counts.len(), expected.len(), "{counts:?}");
        for (what, share) in expected {
            let count = counts.get(*what).copied().unwrap_or_default();
            assert!(count.abs_diff(*share) < 150, "{what}: {count}");
        }
    }

    #[test]
    fn proportions_are_kept() {
        let behaviour = mixed();
        check(
            &counted(|key| behaviour.fate(key)),
            &[
                ("Approve", 6_000),
                ("Decline", 1_000),
                ("Late", 1_000),
                ("Pending { approved: false }", 1_000),
                ("Pending { approved: true }", 1_000),
            ],
        );
        check(
            &counted(|key| behaviour.failure(Operation::Charge, key, 0)),
            &[
                ("None", 4_000),
                ("Some(Dropped)", 1_000),
                ("Some(ErrorAfter)", 1_000),
                ("Some(ErrorBefore)", 1_000),
                ("Some(Throttled)", 3_000),
            ],
        );
        let twice = counted(|key| behaviour.sending(key).again_after.is_some());
        check(&twice, &[("false", 5_000), ("true", 5_000)]);
    }

    #[test]
    fn the_same_seed_is_the_same_run_and_another_is_not() {
        let drawn = |behaviour: &Behaviour| {
            (0..100)
                .map(|number| {
                    let key = format!("ORD-{number}");
                    let failure = behaviour.failure(Operation::Void, &key, 3);
                    (behaviour.fate(&key), failure)
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(drawn(&mixed()), drawn(&mixed()));
        let other = Behaviour { seed: 2, ..mixed() };
        assert_ne!(drawn(&mixed()), drawn(&other));
    }

    #[test]
    fn the_calm_one_is_calm() {
        let behaviour = Behaviour::default();
        check(&counted(|key| behaviour.fate(key)), &[("Approve", 10_000)]);
        let failures = counted(|key| behaviour.failure(Operation::Refund, key, 0));
        check(&failures, &[("None", 10_000)]);
    }

    #[test]
    fn shares_of_a_whole_are_not_more_than_it() {
        assert_eq!(mixed().check(), Ok(()));
        let decline = Behaviour {
            decline: share("0.700001"),
            ..mixed()
        };
        let said = decline.check().expect_err("too much");
        assert!(said.contains("--late add up to 100.0001 %"), "{said}");
        let drop = Behaviour {
            drop: share("0.6"),
            ..mixed()
        };
        assert!(drop.check().is_err());
        for wrong in ["", "-0.1", "1.1", "NaN", "ten"] {
            assert!(wrong.parse::<Share>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn times_and_ranges_are_read() {
        let range = |least, most| Latency {
            least: Duration::from_millis(least),
            most: Duration::from_millis(most),
        };
        assert_eq!("20ms..1s".parse(), Ok(range(20, 1_000)));
        assert_eq!("20ms".parse(), Ok(range(20, 20)));
        assert_eq!(time("1h30m"), Ok(Duration::from_secs(5_400)));
        for wrong in ["", "20", "2s..1s", "-1s", "1s..", "soon"] {
            assert!(wrong.parse::<Latency>().is_err(), "{wrong:?}");
        }
        let slow = Behaviour {
            latency: range(20, 1_000),
            ..Behaviour::default()
        };
        for number in 0..1_000 {
            let drawn = slow.latency(Operation::Charge, &number.to_string(), 0);
            assert!((20..1_000).contains(&drawn.as_millis()), "{drawn:?}");
        }
    }
}
