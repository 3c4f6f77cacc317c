//! One command, one file.

pub mod catalog;
pub mod cost;
mod demo;
mod import;
mod imports;
mod local;
mod order;
mod verify;

use anyhow::Result;

use crate::cli::{Arguments, Command, Global};
use crate::cloud::{Cloud, Stack};

/// Whether what was asked was done. An error is a "no" with a reason.
pub async fn run(arguments: Arguments) -> Result<bool> {
    let global = &arguments.global;
    match &arguments.command {
        Command::Demo(options) => demo::run(global, options).await,
        Command::Up(options) => local::up(global, options).await,
        Command::Down => local::down(global).await,
        Command::Import(options) => import::run(global, &stack(global).await?, options).await,
        Command::Imports { id } => imports::run(global, &stack(global).await?, id.as_deref()).await,
        Command::Catalog(command) => catalog::run(global, &stack(global).await?, command).await,
        Command::Order(command) => order::run(global, &stack(global).await?, command).await,
        Command::Verify => verify::run(global, &stack(global).await?).await,
        Command::Cost { id } => cost::run(global, &stack(global).await?, id).await,
    }
}

async fn stack(global: &Global) -> Result<Stack> {
    Cloud::find(global.aws).await.stack(&global.stack).await
}
