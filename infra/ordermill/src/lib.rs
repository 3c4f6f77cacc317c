//! The `ordermill` command, and the local stack that it starts.
//!
//! A command finds what it works on through the stack's outputs, on AWS and locally alike. It says what it did as
//! tables for people or, with `--json`, as one document.

#[macro_use]
mod output;

pub mod cli;
pub mod cloud;
pub mod commands;
pub mod cost;
mod exit;
pub mod gateway;
pub mod local;
mod target;
pub mod verify;

use std::process::ExitCode;

use clap::Parser;
use exit::Exit;

/// 0: done; 1: not done; 2: the command was given wrongly (clap's own); 130, 143: ended by SIGINT, SIGTERM; 141: nobody
/// reads stdout.
pub async fn run() -> ExitCode {
    let code = match cli::Arguments::try_parse() {
        Ok(arguments) => match commands::run(arguments).await {
            Ok(true) => 0,
            Ok(false) => Exit::FAILURE,
            Err(error) => {
                errln!("ordermill: {error:#}");
                Exit::code_of(&error)
            }
        },
        Err(error) => {
            output::usage(&error);
            u8::try_from(error.exit_code()).unwrap_or(Exit::USAGE)
        }
    };
    ExitCode::from(output::exit_code(code))
}
