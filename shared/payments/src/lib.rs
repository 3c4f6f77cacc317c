//! Who takes the money: the port that the program asks, and the gateways behind it.
//!
//! A gateway knows a charge by its key, which is the order's id, and charges a key once, however often it is asked.
//! Nothing here knows what becomes of the order.

pub mod contract;
mod http;
mod patient;
mod signature;
mod simulated;

use std::future::Future;

use domain::{Fault, Money};

pub use http::{Http, Keys};
pub use patient::Patient;
pub use signature::{BadSignature, SigningKey, TOLERANCE};
pub use simulated::{ApprovalRate, Simulated};

/// One charge. The key is the same in all retries.
#[derive(Debug, Clone, Copy)]
pub struct Charge<'a> {
    pub key: &'a str,
    pub amount: Money,
}

/// Money to give back of a charge. The key is the same in all retries.
#[derive(Debug, Clone, Copy)]
pub struct Refund<'a> {
    pub key: &'a str,
    /// The key of the charge.
    pub charge: &'a str,
    pub amount: Money,
}

/// How a charge stands at this moment. Only `Pending` may still change, and `Approved` be voided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Approved {
        /// The gateway's own reference.
        payment: String,
    },
    Declined,
    Pending {
        payment: String,
    },
    /// Nothing was taken, and nothing will be.
    Voided,
}

/// Which charges a void is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voidable {
    /// Only one that is pending: an approval that was quicker stands.
    Pending,
    /// An approved one as well.
    Any,
}

/// What became of a refund.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refunded {
    Done {
        /// The gateway's own reference.
        refund: String,
    },
    /// A known no, in the gateway's words.
    Refused { why: String },
}

/// One attempt each: retrying is the business of [`Patient`].
pub trait Gateway {
    /// Charges, or says how the charge under this key stands.
    fn charge(&self, charge: &Charge<'_>) -> impl Future<Output = Result<Answer, Fault>>;

    /// Nothing where the key was never charged.
    fn status(&self, charge: &Charge<'_>) -> impl Future<Output = Result<Option<Answer>, Fault>>;

    /// How the charge stands then: voided, or as it was where it could not be voided any more.
    fn void(&self, key: &str, which: Voidable) -> impl Future<Output = Result<Answer, Fault>>;

    fn refund(&self, refund: &Refund<'_>) -> impl Future<Output = Result<Refunded, Fault>>;

    /// Nothing where no money went back under the key.
    fn refund_status(
        &self,
        refund: &Refund<'_>,
    ) -> impl Future<Output = Result<Option<Refunded>, Fault>>;

    /// Gives money back that may have gone back before. A gateway may forget after a day under which keys it was asked, but not
    /// what it gave back.
    fn refund_again(&self, refund: &Refund<'_>) -> impl Future<Output = Result<Refunded, Fault>> {
        async {
            match self.refund_status(refund).await? {
                Some(refunded) => Ok(refunded),
                None => self.refund(refund).await,
            }
        }
    }
}
