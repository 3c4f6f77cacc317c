//! What customers are told of.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The order was paid, and will be delivered.
    Confirmation,
    Failed,
    Refund,
    Shipping,
    Delivery,
    Cancellation,
}

impl Kind {
    pub const ALL: [Kind; 6] = [
        Kind::Confirmation,
        Kind::Failed,
        Kind::Refund,
        Kind::Shipping,
        Kind::Delivery,
        Kind::Cancellation,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Kind::Confirmation => "confirmation",
            Kind::Failed => "failed",
            Kind::Refund => "refund",
            Kind::Shipping => "shipping",
            Kind::Delivery => "delivery",
            Kind::Cancellation => "cancellation",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Kind {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Kind, &'static str> {
        let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name);
        kind.ok_or(
            "a notification is confirmation, failed, refund, shipping, delivery or cancellation",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_has_one_name() {
        for kind in Kind::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
            let json = serde_json::to_string(&kind).expect("a string");
            assert_eq!(json, format!("{:?}", kind.name()));
        }
        assert!("Refund".parse::<Kind>().is_err());
    }
}
