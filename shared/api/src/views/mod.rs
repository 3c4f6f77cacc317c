//! Things as both functions show them.

mod conflict;
mod failure;
mod import;
mod notification;
mod notification_stats;
mod order;
mod preferences;
mod product;
mod refund;
mod suppression;

pub use conflict::{Conflict, OrderContent};
pub use failure::{Failure, FailureWithMessage};
pub use import::Import;
pub use notification::Notification;
pub use notification_stats::{NotificationStats, Outcomes};
pub use order::{Order, OrderStory, segment};
pub use preferences::{CustomerPreferences, Preferences};
pub use product::Product;
pub use refund::{Refund, RefundLine};
pub use suppression::Suppression;
