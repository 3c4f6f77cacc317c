//! `token`: who may call the API.

use anyhow::{Context, Result, bail};
use domain::Scopes;
use domain::access::Token;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;
use store::tokens::{Revoked, State, TokenRecord};

use super::{now, principal};
use crate::cli::Global;
use crate::cli::tokens::{self, Create};
use crate::cloud::Stack;
use crate::output;

pub async fn run(global: &Global, stack: &Stack, command: &tokens::Token) -> Result<bool> {
    match command {
        tokens::Token::Create(options) => create(global, stack, options).await,
        tokens::Token::List => list(global, stack).await,
        tokens::Token::Revoke { id } => revoke(global, stack, id).await,
    }
}

async fn create(global: &Global, stack: &Stack, options: &Create) -> Result<bool> {
    let mut bits = [0; 32];
    getrandom::fill(&mut bits).context("the system gives no random bits")?;
    let token = Token::new(bits);
    let scopes = Scopes::from_iter(options.scopes.iter().copied());
    let record = TokenRecord {
        created_by: Some(principal()),
        ..TokenRecord::new(&token, &options.name, scopes, options.expires.at(), now())
    };
    stack.store()?.put_token(&record).await?;
    if global.json {
        output::json(&json!({
            "token": token.reveal(), "token_id": record.token_id, "name": record.name,
            "scopes": record.scopes, "expires_at": record.expires_at,
        }))?;
        return Ok(true);
    }
    // On stdout stands the token alone, so that a script can take it from there.
    outln!("{}", token.reveal());
    errln!(
        "This is {}, for {}: {}. It {}, and is not shown again.",
        record.token_id,
        record.name,
        record.scopes,
        match record.expires_at {
            Some(end) => format!("expires at {end}"),
            None => "never expires".to_owned(),
        }
    );
    Ok(true)
}

async fn list(global: &Global, stack: &Stack) -> Result<bool> {
    let (tokens, now) = (stack.store()?.tokens().await?, now());
    if global.json {
        let tokens: Vec<_> = tokens
            .iter()
            .map(|token| Document::of(token, now))
            .collect();
        output::json(&tokens)?;
    } else if tokens.is_empty() {
        outln!("There are no tokens.");
    } else {
        let instant = |instant: Option<Timestamp>| instant.map(|instant| instant.to_string());
        let rows = tokens.iter().map(|token| {
            [
                token.token_id.clone(),
                output::plain(&token.name),
                token.scopes.to_string(),
                token.created_at.to_string(),
                instant(token.expires_at).unwrap_or_else(|| "never".to_owned()),
                token.state(now).to_string(),
            ]
        });
        let header = ["token", "name", "scopes", "created", "expires", "state"];
        outln!("{}", output::table(&header, &[], rows));
    }
    Ok(true)
}

async fn revoke(global: &Global, stack: &Stack, id: &str) -> Result<bool> {
    let now = now();
    let (token, before) = match stack.store()?.revoke_token(id, now).await? {
        Revoked::Done(token) => (token, false),
        Revoked::Already(token) => (token, true),
        Revoked::Unknown => bail!("there is no token {}", output::plain(id)),
    };
    if global.json {
        output::json(&Document::of(&token, now))?;
    } else if before {
        outln!("{id} was revoked before.");
    } else {
        outln!("{id}, for {}, is revoked.", output::plain(&token.name));
    }
    Ok(true)
}

/// All that is known of a token but its hash, which is for nothing but to find it.
#[derive(Serialize)]
struct Document<'a> {
    token_id: &'a str,
    name: &'a str,
    scopes: &'a Scopes,
    created_at: Timestamp,
    created_by: Option<&'a str>,
    expires_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
    state: State,
}

impl Document<'_> {
    fn of(token: &TokenRecord, now: Timestamp) -> Document<'_> {
        Document {
            token_id: &token.token_id,
            name: &token.name,
            scopes: &token.scopes,
            created_at: token.created_at,
            created_by: token.created_by.as_deref(),
            expires_at: token.expires_at,
            revoked_at: token.revoked_at,
            state: token.state(now),
        }
    }
}
