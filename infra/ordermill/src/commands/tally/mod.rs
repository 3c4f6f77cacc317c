//! `tally`: how figures are added up from the journal.

mod rebuild;
mod replay;

use anyhow::Result;

use crate::cli::Global;
use crate::cli::figures::Tally;
use crate::cloud::Stack;

pub async fn run(global: &Global, stack: &Stack, command: &Tally) -> Result<bool> {
    match command {
        Tally::Rebuild { day } => rebuild::run(global, stack, *day).await,
        Tally::Replay { entry } => replay::run(global, stack, entry).await,
    }
}
