//! Orders after they were completed, over the memory engine: shipped, delivered, cancelled, and their whole story.

mod cancel;
mod deeds;
mod races;
mod story;
pub mod support;
