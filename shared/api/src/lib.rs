//! What the functions behind the API have in common: who may call, what comes in, what goes out, and how it is described.
//!
//! A route is declared once, with its path, its scope and its answers: the router, the guard before it and
//! `infra/api.openapi.json` all follow from that.

mod base;
mod caller;
pub mod document;
mod envelope;
mod extract;
mod lambda;
pub mod money;
pub mod optout;
mod paging;
mod problem;
mod site;
pub mod views;

pub use base::link;
pub use caller::Caller;
pub use envelope::{Data, Page};
pub use extract::{
    At, Body, Draw, Filled, IDEMPOTENCY_KEY, IdempotencyKey, Name, Params, Segment, bytes,
    media_type,
};
pub use lambda::{Event, answer, serve};
pub use paging::{Cursor, Limit, Paging};
pub use problem::{Answer, Code, Problem};
pub use site::{Origin, router};
