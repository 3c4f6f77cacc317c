//! Builds the functions into the folder that this very binary came from, in the same profile.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;

use super::running;

/// Folder, crate, binary and role of each function.
pub const FUNCTIONS: [&str; 17] = [
    "chunk",
    "catalog",
    "dispatch",
    "reserve",
    "pay",
    "finalize",
    "rollback",
    "expire",
    "bury",
    "tally",
    "refund",
    "notify",
    "send",
    "feedback",
    "authorize",
    "query",
    "command",
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
            .process_group(0);
        // `cargo run` tells this process about its package. A build that inherits that looks different from one typed by
        // hand to crates whose build asks for it, and everything above them would be built again each time.
        let of_a_package = [
            "CARGO_PKG_",
            "CARGO_MANIFEST_",
            "CARGO_CRATE_",
            "CARGO_BIN_",
            "CARGO_PRIMARY_",
        ];
        for (name, _) in std::env::vars_os() {
            if name
                .to_str()
                .is_some_and(|name| of_a_package.iter().any(|prefix| name.starts_with(prefix)))
            {
                cargo.env_remove(name);
            }
        }
        // The whole workspace rather than these packages: cargo then builds every dependency once, with one set of
        // features, whichever command asks.
        cargo.args(["--workspace", "--bins"]);
        if self.binaries.ends_with("release") {
            cargo.arg("--release");
        }
        if quiet {
            cargo.arg("--quiet");
        }
        let mut cargo = cargo.spawn().context("cargo could not be run")?;
        let group = Group(cargo.id());
        let status = cargo.wait().await?;
        group.forget();
        ensure!(
            status.success(),
            "the functions were not built: cargo says {status}"
        );
        Ok(())
    }
}

/// The process group of a build. It ends when this is dropped: cargo does not end the compilers that it started.
struct Group(Option<u32>);

impl Group {
    fn forget(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0 {
            running::terminate(&format!("-{leader}"));
        }
    }
}
