//! How a list is walked through: so many at a time, from where the last page ended.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize};
use store::page::PAGE_ITEMS;

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
#[derive(Debug, Clone)]
pub struct Cursor<P>(pub P);

impl<'de, P: DeserializeOwned> Deserialize<'de> for Cursor<P> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Cursor<P>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let json = BASE64_URL_SAFE_NO_PAD.decode(text).ok();
        let position = json.and_then(|json| serde_json::from_slice(&json).ok());
        let wrong = || Error::custom("this is no cursor that came from here");
        position.map(Cursor).ok_or_else(wrong)
    }
}

pub(crate) fn written(position: &impl Serialize) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(position).unwrap_or_default())
}
