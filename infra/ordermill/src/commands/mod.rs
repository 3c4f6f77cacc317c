//! One command, one file.

pub mod catalog;
mod conflicts;
pub mod cost;
mod demo;
mod derive;
mod dry_run;
mod failures;
mod gateway;
mod import;
pub mod imports;
mod kpis;
mod leaderboard;
mod local;
pub mod notifications;
mod order;
mod rank;
mod refunds;
mod rejects;
mod repeats;
mod suppressions;
mod tally;
mod tokens;
mod verify;

use anyhow::Result;
use jiff::{Timestamp, Unit};

use crate::cli::{Arguments, Catalog, Command, Global, Imports, ImportsCommand};
use crate::cloud::{Cloud, Stack};

/// Whether what was asked was done. An error is a "no" with a reason.
pub async fn run(arguments: Arguments) -> Result<bool> {
    let global = &arguments.global;
    match &arguments.command {
        Command::Demo(options) => demo::run(global, options).await,
        Command::Up(options) => local::up(global, options).await,
        Command::Down => local::down(global).await,
        Command::Import(options) if options.dry_run => dry_run::run(global, options),
        Command::Import(options) => import::run(global, &stack(global).await?, options).await,
        Command::Imports(options) => imports(global, options).await,
        Command::Catalog(Catalog::Derive(options)) => derive::run(global, options),
        Command::Catalog(command) => catalog::run(global, &stack(global).await?, command).await,
        Command::Order(command) => order::run(global, &stack(global).await?, command).await,
        Command::Refund(options) => refunds::ask(global, &stack(global).await?, options).await,
        Command::Refunds(command) => refunds::run(global, &stack(global).await?, command).await,
        Command::Notifications(command) => {
            notifications::run(global, &stack(global).await?, command).await
        }
        Command::Suppressions(command) => {
            suppressions::run(global, &stack(global).await?, command).await
        }
        Command::Failures(command) => failures::run(global, &stack(global).await?, command).await,
        Command::Kpis(options) => {
            options.check();
            kpis::run(global, &stack(global).await?, options).await
        }
        Command::Leaderboard(board) => leaderboard::run(global, &stack(global).await?, board).await,
        Command::Rank(options) => rank::run(global, &stack(global).await?, options).await,
        Command::Tally(command) => tally::run(global, &stack(global).await?, command).await,
        Command::Token(command) => tokens::run(global, &stack(global).await?, command).await,
        Command::Verify => verify::run(global, &stack(global).await?).await,
        Command::Gateway(options) => gateway::run(global, options).await,
        Command::Cost { id } => cost::run(global, &stack(global).await?, id).await,
    }
}

async fn imports(global: &Global, options: &Imports) -> Result<bool> {
    let stack = stack(global).await?;
    match &options.command {
        Some(ImportsCommand::Rejects { id, fix }) => {
            rejects::run(global, &stack, id, fix.as_deref()).await
        }
        Some(ImportsCommand::Conflicts { id }) => conflicts::run(global, &stack, id).await,
        None => match &options.id {
            Some(id) => imports::one(global, &stack, id).await,
            None => imports::list(global, &stack, options.limit).await,
        },
    }
}

async fn stack(global: &Global) -> Result<Stack> {
    Cloud::find(global.aws).await.stack(&global.stack).await
}

/// Milliseconds are all that anyone reads.
fn now() -> Timestamp {
    let now = Timestamp::now();
    now.round(Unit::Millisecond).unwrap_or(now)
}

/// Who sits at this machine, as far as it says.
fn principal() -> String {
    let user = std::env::var("USER").ok().filter(|user| !user.is_empty());
    user.map_or("ordermill".to_owned(), |user| format!("ordermill/{user}"))
}
