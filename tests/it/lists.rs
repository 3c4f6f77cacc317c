//! Lists over the memory engine, beside what looking at everything finds: no item twice, none lost, the newest first,
//! whatever is added while somebody turns pages. And positions that nobody was given.

mod failures;
pub mod forged;
pub mod imports;
mod on_stack;
mod orders;
pub mod refunds;

use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use store::Store;
use store::memory::MemoryEngine;
use store::page::{ListError, Listed, Position};

use crate::support::now;

type Page<T> = Result<Listed<T>, ListError>;

/// Pages of an engine are small, so that its own ends are met, too.
fn small_pages() -> (MemoryEngine, Store<MemoryEngine>) {
    let engine = MemoryEngine::new().page_size(7);
    (engine.clone(), Store::new(engine, 1))
}

/// An instant of the last forty days, of which many are the same, and some differ by less than a second.
fn sometime(random: &mut Rng) -> Timestamp {
    let hours = SignedDuration::from_hours(random.i64(0..40) * 24 + random.i64(0..3));
    now() - hours + SignedDuration::from_nanos(*random.choice(&[0, 1, 500_000_000]).unwrap_or(&0))
}

/// All pages, of sizes that are drawn. What is added in between is added by `between`.
async fn turned<T>(
    random: &mut Rng,
    list: impl AsyncFn(u32, Option<&Position>) -> Page<T>,
    mut between: impl AsyncFnMut(&mut Rng),
) -> Vec<T> {
    let mut found = Vec::new();
    let mut position: Option<Position> = None;
    for _ in 0..1_000 {
        let limit = *random.choice(&[1, 2, 7, 30, 100, 1_000]).unwrap_or(&1);
        let page = list(limit, position.as_ref()).await.expect("a page");
        assert!(page.items.len() <= limit.min(100) as usize);
        found.extend(page.items);
        let Some(next) = page.next else {
            return found;
        };
        assert_ne!(position.as_ref(), Some(&next), "a page leads to itself");
        position = Some(travelled(&next));
        between(random).await;
    }
    panic!("the pages have no end");
}

/// As it comes back from whoever asked for the page before.
fn travelled(position: &Position) -> Position {
    let text = serde_json::to_string(position).expect("a text");
    serde_json::from_str(&text).expect("the same position")
}

/// All of `before` is there once and in its sequence, whatever else is.
fn none_lost(found: &[String], before: &[String]) {
    let mut known = found.to_vec();
    known.sort();
    known.dedup();
    assert_eq!(
        known.len(),
        found.len(),
        "an item is there twice: {found:?}"
    );
    let of_before = found.iter().filter(|id| before.contains(id));
    assert_eq!(
        of_before.collect::<Vec<_>>(),
        before.iter().collect::<Vec<_>>()
    );
}
