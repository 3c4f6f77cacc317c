//! Tokens of the API: what each allows, until when, and whether it was revoked. Knows a token by its hash alone.
//!
//! They are few, and made by people: whoever lists or revokes one reads them all.

use std::fmt;

use domain::access::Token;
use domain::{Fault, Scopes, ids};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::engine::Engine;
use crate::item::{item, record};
use crate::ops::{Change, Condition, Key, Write, text};
use crate::retry::Store;
use crate::schema::Table;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRecord {
    pub token_hash: String,
    /// What people call it.
    pub token_id: String,
    pub name: String,
    pub scopes: Scopes,
    pub created_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Active,
    Expired,
    Revoked,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            State::Active => "active",
            State::Expired => "expired",
            State::Revoked => "revoked",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl TokenRecord {
    pub fn new(
        token: &Token,
        name: &str,
        scopes: Scopes,
        expires_at: Option<Timestamp>,
        now: Timestamp,
    ) -> TokenRecord {
        let token_hash = token.hash();
        TokenRecord {
            token_id: ids::token_id(&token_hash),
            token_hash,
            name: name.to_owned(),
            scopes,
            created_at: now,
            created_by: None,
            expires_at,
            revoked_at: None,
        }
    }

    pub fn state(&self, now: Timestamp) -> State {
        if self.revoked_at.is_some() {
            State::Revoked
        } else if self.expires_at.is_some_and(|end| end <= now) {
            State::Expired
        } else {
            State::Active
        }
    }
}

/// What became of a wish to revoke a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revoked {
    Done(Box<TokenRecord>),
    /// It was revoked before, at an instant that stays as it is.
    Already(Box<TokenRecord>),
    Unknown,
}

impl<E: Engine> Store<E> {
    /// Puts a new token on record. Once more, nothing changes.
    pub async fn put_token(&self, new: &TokenRecord) -> Result<(), Fault> {
        let put = Write::Put {
            table: Table::Tokens,
            item: item(new)?,
            condition: Condition::Absent,
        };
        let Err(found) = self.write(&put).await? else {
            return Ok(());
        };
        match found.map(record::<TokenRecord>).transpose()? {
            Some(found) if found == *new => Ok(()),
            _ => Err(Fault::Corrupt(format!(
                "the token {} was drawn before: the source of random bits is none",
                new.token_id
            ))),
        }
    }

    /// As it is at this moment: one that was revoked is revoked.
    pub async fn token(&self, token_hash: &str) -> Result<Option<TokenRecord>, Fault> {
        let found = self.get(&Key::new(Table::Tokens, token_hash)).await?;
        found.map(record).transpose()
    }

    /// All of them, the first one first.
    pub async fn tokens(&self) -> Result<Vec<TokenRecord>, Fault> {
        let mut tokens: Vec<TokenRecord> = Vec::new();
        self.scan_all(Table::Tokens, |item| {
            record(item).map(|token| tokens.push(token))
        })
        .await?;
        tokens.sort_by(|one, other| {
            (one.created_at, &one.token_id).cmp(&(other.created_at, &other.token_id))
        });
        Ok(tokens)
    }

    /// From now on the token opens nothing. It stays listed.
    pub async fn revoke_token(&self, token_id: &str, now: Timestamp) -> Result<Revoked, Fault> {
        let tokens = self.tokens().await?;
        let Some(mut known) = tokens.into_iter().find(|known| known.token_id == token_id) else {
            return Ok(Revoked::Unknown);
        };
        let update = Write::Update {
            key: Key::new(Table::Tokens, &known.token_hash),
            changes: vec![Change::Set("revoked_at", text(now.to_string()))],
            condition: Condition::All(vec![
                // An update must not make half a record.
                Condition::Is("token_id", text(token_id)),
                Condition::Missing("revoked_at"),
            ]),
        };
        match self.write(&update).await? {
            Ok(()) => {
                known.revoked_at = Some(now);
                Ok(Revoked::Done(Box::new(known)))
            }
            Err(None) => Ok(Revoked::Unknown),
            Err(Some(found)) => {
                let found: Box<TokenRecord> = Box::new(record(found)?);
                // This very write, whose answer was lost.
                let own = found.revoked_at == Some(now);
                Ok(match own {
                    true => Revoked::Done(found),
                    false => Revoked::Already(found),
                })
            }
        }
    }
}
