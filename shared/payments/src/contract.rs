//! What goes over the wire between ordermill and a gateway. `infra/gateway.openapi.json` says the same for others.

use domain::{Currency, Fault, Money};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{Answer, Refund, Refunded, Voidable};

pub const SIGNATURE: &str = "ordermill-signature";
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";

pub const CHARGES: &str = "/v1/charges";
pub const REFUNDS: &str = "/v1/refunds";
pub const LEDGER: &str = "/v1/ledger";

/// Entries on one page of the ledger.
pub const LEDGER_PAGE: usize = 1_000;

/// An order id may hold anything that can be printed. Dots alone it may not be: they would be resolved away.
const IN_A_PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'/')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// `GET`: how a charge stands.
pub fn charge_path(key: &str) -> String {
    format!("{CHARGES}/{}", utf8_percent_encode(key, IN_A_PATH))
}

/// `GET`: a refund that was made.
pub fn refund_path(key: &str) -> String {
    format!("{REFUNDS}/{}", utf8_percent_encode(key, IN_A_PATH))
}

/// `POST`: voids it.
pub fn void_path(key: &str) -> String {
    format!("{}/void", charge_path(key))
}

/// `POST` to `/v1/charges`, under an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChargeRequest {
    pub amount: Decimal,
    pub currency: Currency,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoidRequest {
    /// Whether an approved charge is voided, too.
    pub approved: bool,
}

impl From<Voidable> for VoidRequest {
    fn from(which: Voidable) -> VoidRequest {
        VoidRequest {
            approved: which == Voidable::Any,
        }
    }
}

/// `POST` to `/v1/refunds`, under an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundRequest {
    /// The key of the charge.
    pub charge: String,
    pub amount: Decimal,
    pub currency: Currency,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChargeStatus {
    Approved,
    Declined,
    Pending,
    Voided,
}

/// Answer to a charge, to a void, and to the question how a charge stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChargeAnswer {
    /// The gateway's own reference.
    pub id: String,
    pub key: String,
    pub status: ChargeStatus,
    pub amount: Decimal,
    pub currency: Currency,
}

impl ChargeAnswer {
    pub fn answer(self) -> Answer {
        match self.status {
            ChargeStatus::Approved => Answer::Approved { payment: self.id },
            ChargeStatus::Pending => Answer::Pending { payment: self.id },
            ChargeStatus::Declined => Answer::Declined,
            ChargeStatus::Voided => Answer::Voided,
        }
    }

    /// A gateway that speaks of another charge than it was asked about is not to be gone on with.
    pub fn under(self, key: &str) -> Result<ChargeAnswer, Fault> {
        if self.key == key {
            return Ok(self);
        }
        Err(Fault::Corrupt(format!(
            "asked about {key}, the gateway speaks of {}",
            self.key
        )))
    }

    /// Nor is one that charges another amount.
    pub fn of(self, key: &str, amount: Money) -> Result<ChargeAnswer, Fault> {
        if self.key == key && self.amount == amount.amount() && self.currency == amount.currency() {
            return Ok(self);
        }
        Err(Fault::Corrupt(format!(
            "asked for {amount} under {key}, the gateway has {} {} under {}",
            self.amount, self.currency, self.key
        )))
    }
}

/// Answer to a refund. A refund that is refused is a 422, with a [`Problem`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundAnswer {
    pub id: String,
    pub key: String,
    pub charge: String,
    pub amount: Decimal,
    pub currency: Currency,
}

impl RefundAnswer {
    /// A gateway that gave back something else than it was asked for is not to be gone on with.
    pub fn of(self, refund: &Refund<'_>) -> Result<Refunded, Fault> {
        let amount = refund.amount;
        if self.key == refund.key
            && self.charge == refund.charge
            && self.amount == amount.amount()
            && self.currency == amount.currency()
        {
            return Ok(Refunded::Done { refund: self.id });
        }
        Err(Fault::Corrupt(format!(
            "asked for {amount} of {} under {}, the gateway has {} {} of {} under {}",
            refund.charge, refund.key, self.amount, self.currency, self.charge, self.key
        )))
    }
}

/// Why a request was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    pub code: ProblemCode,
    pub message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemCode {
    /// 401
    BadSignature,
    /// 400: not what this path takes.
    Invalid,
    /// 404
    NotFound,
    /// 409: the same key with another request.
    KeyReused,
    /// 422: more than what is left of the charge, or a charge that took nothing.
    NotRefundable,
    /// 429
    TooManyRequests,
    /// 500
    Unavailable,
}

/// The body of a webhook. Signed; it may come twice, late, and in another sequence. It says that something changed:
/// what, is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChargeChanged {
    /// The same when it is sent again.
    pub event_id: String,
    pub key: String,
    pub status: ChargeStatus,
    pub at: Timestamp,
}

/// `GET /v1/ledger?after=N`: every movement of money, in the sequence in which they happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerPage {
    pub entries: Vec<LedgerEntry>,
    /// Where the next page starts; nothing on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// 1, 2, 3 …
    pub number: u64,
    pub kind: Movement,
    /// The key of the charge.
    pub charge: String,
    /// The gateway's own reference of the charge.
    pub payment: String,
    /// The key of the refund, where this is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refund: Option<String>,
    /// Never negative: the kind says in which direction.
    pub amount: Decimal,
    pub currency: Currency,
    pub at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Movement {
    /// Taken from the customer.
    Capture,
    /// Given back, all of it.
    Void,
    /// Given back, this much.
    Refund,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_order_id_is_one_segment_of_a_path() {
        for (key, path) in [
            ("ORD-1", "/v1/charges/ORD-1"),
            ("a/b?c#d%e f", "/v1/charges/a%2Fb%3Fc%23d%25e%20f"),
            ("...", "/v1/charges/..."),
            ("ü", "/v1/charges/%C3%BC"),
        ] {
            assert_eq!(charge_path(key), path);
            let url = format!("http://gateway{path}");
            let url = reqwest::Url::parse(&url).expect("a URL");
            assert_eq!(url.path(), path, "{key} is resolved to something else");
        }
        assert_eq!(void_path("O 1"), "/v1/charges/O%201/void");
    }

    #[test]
    fn another_amount_or_key_is_not_gone_on_with() {
        let answer = ChargeAnswer {
            id: "ch_1".to_owned(),
            key: "O-1".to_owned(),
            status: ChargeStatus::Approved,
            amount: Decimal::new(1000, 2),
            currency: "USD".parse().expect("a currency"),
        };
        let money = |cents, currency: &str| {
            Money::new(
                Decimal::new(cents, 2),
                currency.parse().expect("a currency"),
            )
            .expect("an amount")
        };
        assert!(answer.clone().of("O-1", money(1000, "USD")).is_ok());
        assert!(answer.clone().of("O-1", money(1001, "USD")).is_err());
        assert!(answer.clone().of("O-1", money(1000, "EUR")).is_err());
        assert!(answer.of("O-2", money(1000, "USD")).is_err());
    }
}
