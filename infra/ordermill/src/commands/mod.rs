//! One command, one file.

pub mod catalog;
pub mod cost;
mod demo;
mod derive;
mod down;
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
mod reasons;
mod refunds;
mod rejects;
mod source;
mod suppressions;
mod tally;
mod tokens;
mod verify;

use anyhow::{Result, bail};
use jiff::{Timestamp, Unit};

use crate::cli::{self, Arguments, Catalog, Command, Global, Imports, ImportsCommand};
use crate::cloud::Stack;
use crate::target::Target;

/// Whether what was asked was done. An error is a "no" with a reason.
pub async fn run(arguments: Arguments) -> Result<bool> {
    let Arguments { global, command } = &arguments;
    match command {
        Command::Demo(options) => demo::run(global, options).await,
        Command::Up(options) => local::up(global, options).await,
        Command::Down => down::run(global).await,
        Command::Import(options) if options.dry_run => dry_run::run(global, options),
        Command::Catalog(Catalog::Derive(options)) => derive::run(global, options),
        Command::Gateway(options) => gateway::run(global, options).await,
        command => {
            check(command)?;
            let target = Target::find(global.aws)?;
            let done = async {
                let stack = target.stack(&global.stack).await?;
                if command.is_change() {
                    target.allow_change(global, &stack)?;
                }
                on(global, &stack, command).await
            };
            match done.await {
                Ok(done) => Ok(done),
                Err(error) => Err(target.explain(error).await),
            }
        }
    }
}

/// What can be known to be wrong before a stack is looked for.
fn check(command: &Command) -> Result<()> {
    match command {
        Command::Kpis(options) => options.check(),
        Command::Import(cli::Import { file, .. })
        | Command::Catalog(Catalog::Load { file, .. }) => {
            source::check(file)?;
        }
        _ => {}
    }
    Ok(())
}

async fn on(global: &Global, stack: &Stack, command: &Command) -> Result<bool> {
    match command {
        Command::Import(options) => import::run(global, stack, options).await,
        Command::Imports(options) => imports(global, stack, options).await,
        Command::Catalog(command) => catalog::run(global, stack, command).await,
        Command::Order(command) => order::run(global, stack, command).await,
        Command::Refund(options) => refunds::ask(global, stack, options).await,
        Command::Refunds(command) => refunds::run(global, stack, command).await,
        Command::Notifications(command) => notifications::run(global, stack, command).await,
        Command::Suppressions(command) => suppressions::run(global, stack, command).await,
        Command::Failures(command) => failures::run(global, stack, command).await,
        Command::Kpis(options) => kpis::run(global, stack, options).await,
        Command::Leaderboard(board) => leaderboard::run(global, stack, board).await,
        Command::Rank(options) => rank::run(global, stack, options).await,
        Command::Tally(command) => tally::run(global, stack, command).await,
        Command::Token(command) => tokens::run(global, stack, command).await,
        Command::Verify => verify::run(global, stack).await,
        Command::Cost { id } => cost::run(global, stack, id).await,
        Command::Demo(_) | Command::Up(_) | Command::Down | Command::Gateway(_) => {
            bail!("this command is not for a stack")
        }
    }
}

async fn imports(global: &Global, stack: &Stack, options: &Imports) -> Result<bool> {
    match &options.command {
        Some(ImportsCommand::Rejects { id, fix }) => {
            rejects::run(global, stack, id, fix.as_deref()).await
        }
        None => match &options.id {
            Some(id) => imports::one(global, stack, id).await,
            None => imports::list(global, stack, options.limit).await,
        },
    }
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
