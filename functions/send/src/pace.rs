//! No more mails in a second than the account may send.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The share of one process.
pub struct Pace {
    between: Duration,
    /// From when the next mail may go out.
    next: Mutex<Option<Instant>>,
}

impl Pace {
    /// So many mails a second by all of so many processes together.
    pub fn shared(rate: u32, processes: u32) -> Pace {
        Pace {
            between: Duration::from_secs(1) * processes.max(1) / rate.max(1),
            next: Mutex::new(None),
        }
    }

    /// Waits for the turn of another mail. `false`, and at once, where it would come later than that.
    pub async fn turn(&self, by: Instant) -> bool {
        let turn = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let turn = next.unwrap_or(now).max(now);
            if turn > by {
                return false;
            }
            *next = Some(turn + self.between);
            turn
        };
        tokio::time::sleep_until(turn).await;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn mails_go_out_one_after_the_other() {
        let pace = Pace::shared(10, 2);
        let begun = Instant::now();
        let by = begun + Duration::from_secs(1);
        for number in 0..6 {
            assert!(pace.turn(by).await);
            assert_eq!(begun.elapsed(), Duration::from_millis(200) * number);
        }
        assert!(!pace.turn(by).await);
        assert_eq!(begun.elapsed(), Duration::from_secs(1));
        // Who was idle has nothing to catch up with.
        tokio::time::advance(Duration::from_secs(60)).await;
        let (begun, by) = (Instant::now(), Instant::now() + Duration::from_secs(1));
        assert!(pace.turn(by).await && pace.turn(by).await);
        assert_eq!(begun.elapsed(), Duration::from_millis(200));
    }
}
