//! The API over the memory engine: requests go in as the gateway hands them over, and answers come out as it gets them.

mod bench;
mod figures;
mod published;
mod refunds;
mod rules;
