//! The local stack: the production template, deployed as it is to an emulator on this machine.

mod build;
mod deploy;
mod emulator;
mod python;
mod running;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::cloud::{Cloud, Stack};
use build::Build;
pub use build::FUNCTIONS;
pub use emulator::{Emulator, Life};
pub use python::Python;
pub use running::{Records, Running};

/// A checkout, and where this run's binaries are: the target folder decides the profile of the functions, so that
/// nothing is built twice.
#[derive(Debug, Clone)]
pub struct Workspace {
    pub root: PathBuf,
    build: Build,
}

impl Workspace {
    /// The checkout that holds the current folder.
    pub fn find() -> Result<Workspace> {
        Workspace::at(&std::env::current_dir()?)
    }

    /// The checkout that holds this folder.
    pub fn at(here: &Path) -> Result<Workspace> {
        let root = here
            .ancestors()
            .find(|folder| folder.join("infra/order-saga.asl.json").is_file());
        let root = root.context("this is not inside a checkout of ordermill, whose template and functions are needed here")?;
        Ok(Workspace {
            root: root.canonicalize()?,
            build: Build::of_this_binary()?,
        })
    }

    /// Where the emulator lives between runs.
    fn folder(&self) -> PathBuf {
        self.build.target().join("local")
    }

    /// Builds the functions, with cargo's own progress where somebody watches.
    pub async fn build(&self, quiet: bool) -> Result<()> {
        self.build.functions(&self.root, quiet).await
    }

    pub async fn install_emulator(&self) -> Result<()> {
        self.install(emulator::REQUIREMENTS).await?;
        Ok(())
    }

    /// What a file of pins in the checkout names.
    pub async fn install(&self, requirements: &str) -> Result<Python> {
        Python::installed(&self.root, &self.folder(), requirements).await
    }

    pub async fn start_emulator(&self, port: u16, life: Life) -> Result<Emulator> {
        Emulator::start(&self.root, &self.folder(), port, life).await
    }

    /// Creates the stack, or brings it up to date.
    pub async fn deploy(
        &self,
        cloud: &Cloud,
        name: &str,
        parameters: &[(&str, String)],
    ) -> Result<Stack> {
        deploy::deploy(&self.root, &self.build, cloud, name, parameters).await
    }

    /// The same for a template that is not ours, and names the code of these functions as ours does.
    pub async fn deploy_other(
        &self,
        cloud: &Cloud,
        name: &str,
        template: &str,
        functions: &[&str],
    ) -> Result<Stack> {
        deploy::deploy_other(&self.build, cloud, name, template, functions).await
    }
}

/// The template's parameters for this machine.
pub fn parameters(concurrency: u16) -> [(&'static str, String); 4] {
    let architecture = if cfg!(target_arch = "aarch64") {
        "arm64"
    } else {
        "x86_64"
    };
    [
        ("Architecture", architecture.to_owned()),
        ("DispatchConcurrency", concurrency.to_string()),
        // The service's smallest number: small work waits for no other here either.
        ("SmallDispatchConcurrency", "2".to_owned()),
        ("MailConcurrency", "2".to_owned()),
    ]
}

/// Waits until a process that was asked to end is gone.
pub async fn gone(running: &Running) -> Result<()> {
    eventually(
        "the end of the emulator",
        Duration::from_secs(15),
        async || Ok(!running.is_alive()),
    )
    .await
}

/// Waits for something that is about to happen.
async fn eventually(
    what: &str,
    limit: Duration,
    mut happened: impl AsyncFnMut() -> Result<bool>,
) -> Result<()> {
    let started = Instant::now();
    while !happened().await? {
        if started.elapsed() > limit {
            bail!("{what} did not happen within {} seconds", limit.as_secs());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
}
