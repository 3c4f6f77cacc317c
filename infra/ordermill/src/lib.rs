//! The `ordermill` command, and the local stack that it starts.
//!
//! A command finds what it works on through the stack's outputs, on AWS and locally alike. It says what it did as
//! tables for people or, with `--json`, as one document.

pub mod cli;
pub mod cloud;
pub mod commands;
pub mod cost;
pub mod gateway;
pub mod local;
mod output;
pub mod verify;

use std::process::ExitCode;

use clap::Parser;

/// 0: did what was asked; 1: did not; 2: was asked wrongly (clap's own).
pub async fn run() -> ExitCode {
    let arguments = cli::Arguments::parse();
    match commands::run(arguments).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("ordermill: {error:#}");
            ExitCode::FAILURE
        }
    }
}
