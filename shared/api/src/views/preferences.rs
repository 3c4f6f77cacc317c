//! How a customer wants to be told, and of what.

use std::collections::BTreeMap;

use domain::notification::Kind;
use domain::preferences::{Channel, Preferences as Wanted, for_customers};
use serde::{Deserialize, Serialize};
use store::suppressions::SuppressionRecord;
use utoipa::openapi::schema::AdditionalProperties;
use utoipa::openapi::{ObjectBuilder, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::Suppression;
use crate::document::one_of;

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Preferences {
    /// `email`, or `log`: written down, and sent to nobody.
    #[schema(schema_with = channel)]
    channel: Channel,
    /// Each kind by its name, and whether it is wanted. One that is not named is.
    #[serde(default, deserialize_with = "for_customers")]
    #[schema(schema_with = kinds, required = false)]
    notifications: BTreeMap<Kind, bool>,
}

/// The same as it holds, and what else decides whether there are mails.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct CustomerPreferences {
    #[schema(schema_with = channel)]
    channel: Channel,
    #[schema(schema_with = kinds)]
    notifications: BTreeMap<Kind, bool>,
    /// Why the customer's address gets no mail, whatever he wants.
    suppressed: Option<Suppression>,
}

impl CustomerPreferences {
    pub fn new(wanted: &Wanted, suppressed: Option<&SuppressionRecord>) -> CustomerPreferences {
        CustomerPreferences {
            channel: wanted.channel,
            notifications: Kind::FOR_CUSTOMERS
                .map(|kind| (kind, wanted.wants(kind)))
                .into(),
            suppressed: suppressed.map(Suppression::from),
        }
    }
}

impl From<Preferences> for Wanted {
    fn from(preferences: Preferences) -> Wanted {
        let off = preferences.notifications.into_iter();
        let off = off.filter(|(_, wanted)| !wanted).map(|(kind, _)| kind);
        Wanted {
            channel: preferences.channel,
            off: off.collect(),
        }
    }
}

fn channel() -> RefOr<Schema> {
    one_of(Channel::ALL.map(Channel::name))
}

fn kinds() -> RefOr<Schema> {
    let object = ObjectBuilder::new();
    let object = Kind::FOR_CUSTOMERS
        .into_iter()
        .fold(object, |object, kind| {
            object.property(kind.name(), bool::schema())
        });
    let closed = AdditionalProperties::FreeForm(false);
    object.additional_properties(Some(closed)).into()
}
