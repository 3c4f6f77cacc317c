//! What customers are told of, and whoever runs the mill, and how each telling is known: by its order or its import, its kind,
//! and what tells it from others of its kind. So whatever is said twice is told once.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::journal::{self, Change, Outcome};
use crate::order::check_key;
use crate::progress::{ImportStatus, Progress};
use crate::status::Status;

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
    /// An import is over: for whoever runs the mill.
    Import,
}

impl Kind {
    pub const ALL: [Kind; 7] = [
        Kind::Confirmation,
        Kind::Failed,
        Kind::Refund,
        Kind::Shipping,
        Kind::Delivery,
        Kind::Cancellation,
        Kind::Import,
    ];

    pub const FOR_CUSTOMERS: [Kind; 6] = [
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
            Kind::Import => "import",
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
            "a notification is confirmation, failed, refund, shipping, delivery, cancellation or import",
        )
    }
}

/// How far a notification is. One for the log is sent when it is on record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    Pending,
    Sent,
    /// Whoever was to send it refused, or it came back.
    Failed,
    /// The customer wants no such mail any more, or his address gets none.
    Suppressed,
}

impl Standing {
    pub const ALL: [Standing; 4] = [
        Standing::Pending,
        Standing::Sent,
        Standing::Failed,
        Standing::Suppressed,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Standing::Pending => "pending",
            Standing::Sent => "sent",
            Standing::Failed => "failed",
            Standing::Suppressed => "suppressed",
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Standing {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Standing, &'static str> {
        let found = Standing::ALL
            .into_iter()
            .find(|standing| standing.name() == name);
        found.ok_or("a notification is pending, sent, failed or suppressed")
    }
}

/// What is told, as it was when that was put on record: so the text can be written again at any time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    Order(OrderTold),
    Import(ImportTold),
}

impl Told {
    pub fn name(&self) -> Name {
        match self {
            Told::Order(order) => Name::of(&order.change),
            Told::Import(import) => Name::of_import(&import.import_id),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderTold {
    /// As the journal tells it, but for its lines: these are the order's, whatever the change is about.
    pub change: Change,
    /// What came back of the order by this change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub back: Vec<(String, u32, Decimal)>,
    /// What the order was.
    pub status: Status,
    /// What the order costs, whatever the change is about.
    pub total: Decimal,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportTold {
    pub import_id: String,
    pub file: String,
    /// `COMPLETED` or `FAILED`.
    pub status: ImportStatus,
    /// Why the file could not be taken, or not to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Of one that failed, how far it was: some of its rows may be on their way still.
    pub progress: Progress,
    pub created_at: Timestamp,
    pub ended_at: Timestamp,
}

/// What names a notification, wherever it is known.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name {
    /// The order that it tells of; where its kind is `Import`, the import.
    pub order_id: String,
    pub kind: Kind,
    /// What tells it from others of its kind: an order has many refunds, and everything else once.
    pub n: String,
}

impl Name {
    /// The notification of a change: each is told once, whatever entry it came with.
    pub fn of(change: &Change) -> Name {
        let once = || "1".to_owned();
        let (kind, n) = match change.outcome() {
            Outcome::Completed => (Kind::Confirmation, once()),
            Outcome::Failed(_) => (Kind::Failed, once()),
            Outcome::Refunded => (Kind::Refund, change.refund_id.clone().unwrap_or_default()),
            Outcome::Done(journal::Kind::Shipped) => (Kind::Shipping, once()),
            Outcome::Done(journal::Kind::Delivered) => (Kind::Delivery, once()),
            Outcome::Done(journal::Kind::Cancelled) => (Kind::Cancellation, once()),
        };
        Name {
            order_id: change.order_id.clone(),
            kind,
            n,
        }
    }

    pub fn of_import(import_id: &str) -> Name {
        Name {
            order_id: import_id.to_owned(),
            kind: Kind::Import,
            n: "1".to_owned(),
        }
    }

    /// Its place among the notifications of its order.
    pub fn part(&self) -> String {
        format!("{}#{}", self.kind, self.n)
    }

    /// The one of an order that has this place.
    pub fn at(order_id: &str, part: &str) -> Option<Name> {
        check_key("order_id", order_id).ok()?;
        let (kind, n) = part.split_once('#')?;
        check_key("n", n).ok()?;
        Some(Name {
            order_id: order_id.to_owned(),
            kind: kind.parse().ok()?,
            n: n.to_owned(),
        })
    }

    /// Letters, digits, hyphens and underscores, 256 at most: what the tag of a mail takes, and an address in the API.
    pub fn id(&self) -> String {
        let name = format!("{}\n{}", self.order_id, self.part());
        format!("nt_{}", URL_SAFE_NO_PAD.encode(name))
    }

    pub fn parse(id: &str) -> Option<Name> {
        let bytes = URL_SAFE_NO_PAD.decode(id.strip_prefix("nt_")?).ok()?;
        let name = String::from_utf8(bytes).ok()?;
        let (order_id, part) = name.split_once('\n')?;
        Name::at(order_id, part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_names_one_notification() {
        let check = |more: &str, part: &str| {
            let text = format!(r#"{{"o":"O-1","c":"C","m":"USD","t":"5.00","l":[]{more}}}"#);
            let change: Change = serde_json::from_str(&text).expect("a change");
            let name = Name::of(&change);
            assert_eq!(
                (name.order_id.as_str(), name.part().as_str()),
                ("O-1", part)
            );
            assert_eq!(Name::at("O-1", part), Some(name.clone()));
            assert_eq!(Name::parse(&name.id()), Some(name));
        };
        check("", "confirmation#1");
        check(r#","f":"out_of_stock""#, "failed#1");
        check(r#","r":"re_1""#, "refund#re_1");
        check(r#","r":"re_2""#, "refund#re_2");
        check(r#","s":{"k":"shipped","b":"ada"}"#, "shipping#1");
        check(r#","s":{"k":"delivered","b":"ada"}"#, "delivery#1");
        check(r#","s":{"k":"cancelled","b":"ada"}"#, "cancellation#1");
    }

    #[test]
    fn an_id_fits_into_a_tag_whatever_the_order_is_called() {
        let order_id = "#".repeat(crate::limits::KEY_BYTES);
        let name = Name {
            order_id,
            kind: Kind::Confirmation,
            n: "re_0123456789abcdef".to_owned(),
        };
        let id = name.id();
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
        assert!(id.len() <= 256 && id.bytes().all(fits), "{id}");
        assert_eq!(Name::parse(&id), Some(name));
        // Ids are kept for ever, so what they are made of must not change.
        let name = Name::at("O-1", "refund#re_1").expect("a name");
        assert_eq!(name.id(), "nt_Ty0xCnJlZnVuZCNyZV8x");
    }

    #[test]
    fn what_is_no_id_names_nothing() {
        let of = |name: &str| format!("nt_{}", URL_SAFE_NO_PAD.encode(name));
        let wrong = [
            "O-1\nrefund",
            "O-1\nrefund#",
            "\nrefund#1",
            "O-1\nadvert#1",
            "O-1",
            "O\n1\nrefund#1",
        ];
        for wrong in wrong.map(of) {
            assert_eq!(Name::parse(&wrong), None, "{wrong}");
        }
        for wrong in ["", "nt_", "nt_%", "nt_/w", "Ty0xCnJlZnVuZCNyZV8x"] {
            assert_eq!(Name::parse(wrong), None, "{wrong}");
        }
        for standing in Standing::ALL {
            assert_eq!(standing.name().parse(), Ok(standing));
            let json = serde_json::to_string(&standing).expect("json");
            assert_eq!(json, format!("{:?}", standing.name()));
        }
    }

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
