//! Builds the functions into the folder that this very binary came from, in the same profile.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;

/// Folder, crate, binary and role of each function.
pub const FUNCTIONS: [&str; 6] = [
    "chunk", "dispatch", "reserve", "pay", "finalize", "rollback",
];

#[derive(Debug, Clone)]
pub struct Build {
    /// Where cargo puts binaries: `target/release`, `target/debug`.
    binaries: PathBuf,
}

impl Build {
    pub fn of_this_binary() -> Result<Build> {
        let binary = std::env::current_exe()?;
        let folder = binary.parent().context("this binary is in no folder")?;
        // Tests are binaries one folder below.
        let binaries = if folder.ends_with("deps") {
            folder.parent().unwrap_or(folder)
        } else {
            folder
        };
        Ok(Build {
            binaries: binaries.to_owned(),
        })
    }

    pub fn target(&self) -> &Path {
        self.binaries.parent().unwrap_or(&self.binaries)
    }

    pub fn binary(&self, function: &str) -> PathBuf {
        self.binaries.join(function)
    }

    pub async fn functions(&self, root: &Path, quiet: bool) -> Result<()> {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .arg("build")
            .arg("--target-dir")
            .arg(self.target())
            .current_dir(root)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        // The whole workspace rather than these packages: cargo then builds every dependency once, with one set of
        // features, whichever command asks.
        cargo.args(["--workspace", "--bins"]);
        if self.binaries.ends_with("release") {
            cargo.arg("--release");
        }
        if quiet {
            cargo.arg("--quiet");
        }
        let status = cargo.status().await.context("cargo could not be run")?;
        ensure!(
            status.success(),
            "the functions were not built: cargo says {status}"
        );
        Ok(())
    }
}
