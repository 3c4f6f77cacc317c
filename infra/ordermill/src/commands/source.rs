//! A file on this machine that is to be read or uploaded: refused in words that say what it is.

use std::fs::Metadata;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Result, bail};

use crate::output;

/// A file that can be uploaded: its size is known, and it can be read more than once.
pub fn check(path: &Path) -> Result<Metadata> {
    let found = readable(path)?;
    if !found.is_file() {
        bail!(
            "{} is not a regular file, and only such a file can be uploaded",
            path.display()
        );
    }
    Ok(found)
}

/// Whatever can be read from the beginning to the end.
pub fn readable(path: &Path) -> Result<Metadata> {
    let found = std::fs::metadata(path).map_err(|error| refused(path, &error))?;
    if found.is_dir() {
        bail!("{} is a folder: name a file in it", path.display());
    }
    Ok(found)
}

/// Why a file could not be read.
pub fn refused(path: &Path, error: &std::io::Error) -> anyhow::Error {
    let path = path.display();
    match error.kind() {
        ErrorKind::NotFound => anyhow::anyhow!("there is no file {path}"),
        ErrorKind::PermissionDenied => anyhow::anyhow!("{path} may not be read by this user"),
        _ => anyhow::anyhow!("{path} cannot be read: {}", output::reason(error)),
    }
}
