//! The API over the memory engine: requests go in as the gateway hands them over, and answers come out as it gets them.

mod bench;
mod catalog;
mod compressed;
mod figures;
mod guarded;
mod hostile;
mod imports;
mod links;
mod mill;
mod notifications;
mod objects;
mod operations;
mod optout;
mod order_keys;
mod orders;
mod outside;
mod published;
mod refund_lists;
mod refund_races;
mod refunds;
mod rules;
mod strict;
mod suppressions;
