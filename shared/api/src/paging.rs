//! How a list is walked through: so many at a time, from where the last page ended.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize};
use store::page::PAGE_ITEMS;
use utoipa::IntoParams;

use crate::problem::{Code, Problem};

/// The most that one page shows.
const LONGEST: u32 = PAGE_ITEMS;

/// How many to show.
#[derive(Debug, Clone, Copy)]
pub struct Limit(pub u32);

impl Default for Limit {
    fn default() -> Limit {
        Limit(50)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Limit, D::Error> {
        let limit = u32::deserialize(deserializer).ok();
        let limit = limit.filter(|limit| (1..=LONGEST).contains(limit));
        let wrong = || Error::custom(format!("a limit is a number from 1 to {LONGEST}"));
        limit.map(Limit).ok_or_else(wrong)
    }
}

/// Where the next page begins. Opaque to whoever carries it, and as good as any other input when it comes back.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub struct Cursor(String);

impl Cursor {
    pub fn read<P: DeserializeOwned>(&self) -> Result<P, Problem> {
        let json = BASE64_URL_SAFE_NO_PAD.decode(&self.0).ok();
        let position = json.and_then(|json| serde_json::from_slice(&json).ok());
        let wrong = || {
            let detail = "this is no cursor that came from here";
            Problem::of_field(Code::InvalidCursor, "cursor", detail)
        };
        position.ok_or_else(wrong)
    }
}

/// For lists that are whole: nothing but where and how much.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Paging {
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, default = 50)]
    pub limit: Limit,
    /// The `next` of the page before.
    #[param(value_type = Option<String>)]
    pub cursor: Option<Cursor>,
}

pub(crate) fn written(position: &impl Serialize) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(position).unwrap_or_default())
}
