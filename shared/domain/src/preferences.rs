//! How a customer wants to be told, and of what.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use crate::notification::Kind;

#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    #[default]
    Email,
    /// Written down, and sent to nobody.
    Log,
}

impl Channel {
    pub const ALL: [Channel; 2] = [Channel::Email, Channel::Log];

    pub fn name(self) -> &'static str {
        match self {
            Channel::Email => "email",
            Channel::Log => "log",
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Channel {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Channel, &'static str> {
        let channel = Channel::ALL
            .into_iter()
            .find(|channel| channel.name() == name);
        channel.ok_or("a channel is email or log")
    }
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

    /// By mail where the customer wants it so; else it is written down only.
    pub fn channel_of(&self, kind: Kind) -> Channel {
        match self.wants(kind) {
            true => self.channel,
            false => Channel::Log,
        }
    }
}

/// As it is written: every kind by its name. One that is not named is on, so that what was written before there was
/// such a kind can be read.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    channel: Channel,
    #[serde(deserialize_with = "for_customers")]
    notifications: BTreeMap<Kind, bool>,
}

/// Kinds by their names, and none of them that is not for customers.
pub fn for_customers<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<Kind, bool>, D::Error> {
    let kinds = BTreeMap::<Kind, bool>::deserialize(deserializer)?;
    let strange = kinds
        .keys()
        .find(|kind| !Kind::FOR_CUSTOMERS.contains(kind));
    match strange {
        Some(kind) => Err(D::Error::custom(format!(
            "customers are not told of `{kind}`"
        ))),
        None => Ok(kinds),
    }
}

impl From<Preferences> for Document {
    fn from(preferences: Preferences) -> Document {
        let notifications = Kind::FOR_CUSTOMERS.map(|kind| (kind, preferences.wants(kind)));
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
        let wanted: Vec<Kind> = Kind::FOR_CUSTOMERS
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
        let by_mail = Preferences {
            channel: Channel::Email,
            ..some.clone()
        };
        assert_eq!(by_mail.channel_of(Kind::Failed), Channel::Email);
        assert_eq!(by_mail.channel_of(Kind::Refund), Channel::Log);
        assert_eq!(some.channel_of(Kind::Failed), Channel::Log);
        for channel in Channel::ALL {
            assert_eq!(channel.name().parse(), Ok(channel));
        }
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
            r#"{"channel":"email","notifications":{"import":false}}"#,
            r#"{"channel":"email","notifications":{"failed":"no"}}"#,
            r#"{"channel":"email","notifications":{},"frequency":"daily"}"#,
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
