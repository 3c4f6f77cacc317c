//! Programs written in Python: pinned, and put into virtual environments in the target folder.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Result, bail, ensure};
use domain::ids;
use tokio::process::Command;

use super::read;

/// A virtual environment. It is named after its pins, so that new pins make a new one.
pub struct Python(PathBuf);

impl Python {
    /// The one that holds what this file of the checkout pins, installed or not.
    pub(super) fn named(root: &Path, folder: &Path, requirements: &str) -> Result<Python> {
        let pins = read(&root.join(requirements))?;
        let name = format!("python-{}", ids::short_hash(&[&pins]));
        Ok(Python(folder.join(name)))
    }

    /// The same, installed: once for each set of pins.
    pub(super) async fn installed(
        root: &Path,
        folder: &Path,
        requirements: &str,
    ) -> Result<Python> {
        let environment = Python::named(root, folder, requirements)?;
        let finished = environment.0.join("installed");
        if finished.exists() {
            return Ok(environment);
        }
        run(Command::new(python().await?)
            .args(["-m", "venv", "--clear"])
            .arg(&environment.0))
        .await?;
        let pip = [
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--require-hashes",
            "--no-compile",
            "--requirement",
        ];
        run(Command::new(environment.program("python"))
            .args(pip)
            .arg(root.join(requirements)))
        .await?;
        File::create(finished)?;
        Ok(environment)
    }

    pub fn program(&self, name: &str) -> PathBuf {
        self.0.join("bin").join(name)
    }
}

/// The first Python that is new enough for the emulator.
async fn python() -> Result<&'static str> {
    for candidate in ["python3.11", "python3", "python3.12", "python3.13"] {
        let new_enough = "import sys; sys.exit(sys.version_info < (3, 10))";
        let status = Command::new(candidate)
            .args(["-c", new_enough])
            .stderr(Stdio::null())
            .status()
            .await;
        if status.is_ok_and(|status| status.success()) {
            return Ok(candidate);
        }
    }
    bail!("the emulator needs Python 3.10 or newer, with venv, as python3")
}

pub(super) async fn run(command: &mut Command) -> Result<()> {
    let output = command
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await?;
    ensure!(
        output.status.success(),
        "{:?} ended with {}: {}",
        command.as_std().get_program(),
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
