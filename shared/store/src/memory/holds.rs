//! What a transaction has in hand, and for how long: another one on any of it is cancelled meanwhile, as the service does.
//! Knows no tables.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use tokio::time::Instant;

use crate::ops::Key;

#[derive(Debug)]
pub struct Holds {
    random: fastrand::Rng,
    milliseconds: RangeInclusive<u64>,
    until: HashMap<Key, Instant>,
    /// Requests that found an item in somebody else's hand.
    pub met: u64,
}

impl Holds {
    /// Each transaction holds its items for a time that is drawn from this range.
    pub fn new(seed: u64, milliseconds: RangeInclusive<u64>) -> Holds {
        Holds {
            random: fastrand::Rng::with_seed(seed),
            milliseconds,
            until: HashMap::new(),
            met: 0,
        }
    }

    pub fn is_held(&self, key: &Key, now: Instant) -> bool {
        self.until.get(key).is_some_and(|until| *until > now)
    }

    /// Takes them in hand, and says for how long.
    pub fn take(&mut self, keys: impl Iterator<Item = Key>, now: Instant) -> Duration {
        let time = Duration::from_millis(self.random.u64(self.milliseconds.clone()));
        self.until.retain(|_, until| *until > now);
        self.until.extend(keys.map(|key| (key, now + time)));
        time
    }
}
