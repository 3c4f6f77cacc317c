//! Waiting for what is about to happen. How long that takes says something about the machine, and nothing about this project.

use std::fmt::Debug;
use std::time::{Duration, Instant};

/// Longer than anything takes on a machine that is busy with other things: who waits longer waits in vain.
pub const LIMIT: Duration = Duration::from_mins(15);

/// Pauses between two looks: short at first, and longer while nothing happens.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(320);

/// Reads until it is as it should be, and returns that. Reads for half of the time at most: what is waited for needs the
/// machine as well.
pub async fn seen<T: Debug>(
    what: &str,
    mut read: impl AsyncFnMut() -> T,
    is_so: impl Fn(&T) -> bool,
) -> T {
    let started = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        let begun = Instant::now();
        let found = read().await;
        let took = begun.elapsed();
        if is_so(&found) {
            return found;
        }
        let waited = started.elapsed();
        assert!(waited < LIMIT, "{what}: after {waited:?} still {found:#?}");
        tokio::time::sleep(pause.max(took)).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

pub async fn until(what: &str, is_so: impl AsyncFnMut() -> bool) {
    seen(what, is_so, |is_so| *is_so).await;
}
