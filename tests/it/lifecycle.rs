//! Orders after they were completed, over the memory engine: shipped, delivered or cancelled.

mod cancel;
mod deeds;
mod races;
mod support;
