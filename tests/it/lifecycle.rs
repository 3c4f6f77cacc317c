//! Orders after they were completed, over the memory engine and on the local stack: shipped, delivered, cancelled, and
//! their whole story.

mod cancel;
mod deeds;
mod on_stack;
mod races;
mod story;
pub mod support;
