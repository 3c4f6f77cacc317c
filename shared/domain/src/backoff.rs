//! How long to wait before the next attempt: decorrelated jitter, so that those who met once do not meet again.

use std::time::Duration;

#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    pub first_ms: u64,
    pub longest_ms: u64,
}

impl Backoff {
    /// Drawn between the first wait and three times the last. `draw` is any number, drawn anew each time.
    pub fn next(self, last: Duration, draw: u64) -> Duration {
        let last_ms = u64::try_from(last.as_millis()).unwrap_or(u64::MAX);
        let most = last_ms
            .max(self.first_ms)
            .saturating_mul(3)
            .min(self.longest_ms)
            .max(self.first_ms);
        let span = most.saturating_sub(self.first_ms).saturating_add(1);
        let drawn = draw.checked_rem(span).unwrap_or(0);
        Duration::from_millis(self.first_ms.saturating_add(drawn))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_between_the_first_and_three_times_the_last() {
        let backoff = Backoff {
            first_ms: 10,
            longest_ms: 600,
        };
        let wait = |last, draw| backoff.next(Duration::from_millis(last), draw).as_millis();
        // From the least to the most that can be drawn: the draw is a remainder.
        assert_eq!((wait(0, 0), wait(0, 20), wait(0, 21)), (10, 30, 10));
        assert_eq!((wait(100, 0), wait(100, 290)), (10, 300));
        assert_eq!((wait(500, 590), wait(500, 591)), (600, 10));
        assert_eq!(wait(u64::MAX, u64::MAX), 10 + u128::from(u64::MAX % 591));
    }
}
