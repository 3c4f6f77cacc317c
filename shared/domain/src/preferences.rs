//! How a customer wants to be told, and of what.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::notification::Kind;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    #[default]
    Email,
    /// Written down, and sent to nobody.
    Log,
}

/// Who never said anything gets everything by mail.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Document", into = "Document")]
pub struct Preferences {
    pub channel: Channel,
    pub off: BTreeSet<Kind>,
}

impl Preferences {
    pub fn wants(&self, kind: Kind) -> bool {
        !self.off.contains(&kind)
    }
}

/// As it is written: every kind by its name. One that is not named is on, so that what was written before there was
/// such a kind can be read.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    channel: Channel,
    notifications: BTreeMap<Kind, bool>,
}

impl From<Preferences> for Document {
    fn from(preferences: Preferences) -> Document {
        let notifications = Kind::ALL.map(|kind| (kind, preferences.wants(kind)));
        Document {
            channel: preferences.channel,
            notifications: notifications.into(),
        }
    }
}

impl From<Document> for Preferences {
    fn from(document: Document) -> Preferences {
        let off = document.notifications.into_iter().filter(|(_, on)| !on);
        Preferences {
            channel: document.channel,
            off: off.map(|(kind, _)| kind).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preferences_name_every_kind() {
        let json = r#"{"channel":"email","notifications":{"confirmation":true,"failed":true,"refund":true,"shipping":true,"delivery":true,"cancellation":true}}"#;
        let default = Preferences::default();
        assert_eq!(serde_json::to_string(&default).expect("json"), json);
        assert_eq!(
            serde_json::from_str::<Preferences>(json).ok(),
            Some(default)
        );
        let some = Preferences {
            channel: Channel::Log,
            off: BTreeSet::from([Kind::Shipping, Kind::Refund]),
        };
        let json = serde_json::to_string(&some).expect("json");
        assert!(json.contains(r#""refund":false,"shipping":false,"delivery":true"#));
        assert_eq!(serde_json::from_str(&json).ok(), Some(some.clone()));
        let wanted: Vec<Kind> = Kind::ALL
            .into_iter()
            .filter(|kind| some.wants(*kind))
            .collect();
        let expected = [
            Kind::Confirmation,
            Kind::Failed,
            Kind::Delivery,
            Kind::Cancellation,
        ];
        assert_eq!(wanted, expected);
    }

    #[test]
    fn what_is_not_named_is_on_and_what_is_not_known_is_refused() {
        let read = |json: &str| serde_json::from_str::<Preferences>(json).ok();
        let off = read(r#"{"channel":"log","notifications":{"failed":false}}"#);
        assert_eq!(
            off.expect("preferences").off,
            BTreeSet::from([Kind::Failed])
        );
        for wrong in [
            "{}",
            r#"{"channel":"email"}"#,
            r#"{"notifications":{}}"#,
            r#"{"channel":"sms","notifications":{}}"#,
            r#"{"channel":"email","notifications":{"advertising":false}}"#,
            r#"{"channel":"email","notifications":{"failed":"no"}}"#,
            r#"{"channel":"email","notifications":{},"frequency":"daily"}"#,
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
