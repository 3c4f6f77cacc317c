//! Tests over more than one crate: the store's contract, the saga, the stack, and the rules of the house.

mod catalog;
mod chunk_process;
mod contention;
mod contract;
mod events;
mod failures;
mod failures_on_stack;
mod figures;
mod figures_measured;
mod figures_on_stack;
mod gateway;
mod house;
mod intake;
mod measure;
mod on_stack;
mod openapi;
mod payments;
mod pricing;
mod refunds;
mod refunds_on_stack;
mod saga;
mod shapes;
mod simulation;
mod support;
mod tally;
mod under_fire;
