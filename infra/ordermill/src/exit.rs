//! Ends of a command that are neither plain success nor plain failure.

use std::fmt;

use anyhow::Result;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// An exit code with its sentence.
#[derive(Debug)]
pub struct Exit {
    pub code: u8,
    sentence: String,
}

impl Exit {
    pub const FAILURE: u8 = 1;
    /// The command was given wrongly: clap's own code.
    pub const USAGE: u8 = 2;
    /// What shells report for a process that a signal ended: 128 and the signal's number.
    pub const INTERRUPTED: u8 = 130;
    pub const TERMINATED: u8 = 143;

    pub fn new(code: u8, sentence: impl Into<String>) -> Exit {
        Exit {
            code,
            sentence: sentence.into(),
        }
    }

    /// The exit code of an error, and 1 for one that names none.
    pub fn code_of(error: &anyhow::Error) -> u8 {
        error
            .downcast_ref::<Exit>()
            .map_or(Exit::FAILURE, |exit| exit.code)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl std::error::Error for Exit {}

/// SIGINT and SIGTERM, from the moment in which this is made: then neither ends the process by itself.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    pub fn listen() -> Result<Signals> {
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for one of them, and returns the exit code that goes with it.
    pub async fn next(&mut self) -> u8 {
        tokio::select! {
            _ = self.interrupt.recv() => Exit::INTERRUPTED,
            _ = self.terminate.recv() => Exit::TERMINATED,
        }
    }

    /// Drops the work when a signal comes first. What the work started has to end when it is dropped.
    pub async fn cut<T>(
        &mut self,
        work: impl Future<Output = Result<T>>,
        sentence: impl FnOnce() -> String,
    ) -> Result<T> {
        tokio::select! {
            done = work => done,
            code = self.next() => Err(Exit::new(code, sentence()).into()),
        }
    }
}
