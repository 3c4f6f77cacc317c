//! `import`: uploads a file, and waits for its orders if asked to.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use aws_sdk_s3::primitives::ByteStream;
use domain::ids;
use domain::limits::FILE_BYTES;
use domain::progress::{ImportStatus, Progress, Stage};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use intake::FileError;
use serde::Serialize;
use store::imports::{Import, ImportRecord};
use store::{Engine, Store};

use super::reasons::Reasons;
use super::source;
use crate::cli::{self, Global};
use crate::cloud::Stack;
use crate::exit::Signals;
use crate::output;

#[derive(Serialize)]
struct Outcome<'a> {
    import_id: &'a str,
    status: String,
    #[serde(flatten)]
    progress: Progress,
    #[serde(flatten)]
    reasons: &'a Reasons,
    seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

pub async fn run(global: &Global, stack: &Stack, options: &cli::Import) -> Result<bool> {
    let started = Instant::now();
    let import_id = upload(stack, &options.file).await?;
    if !options.wait {
        if global.json {
            output::json(&serde_json::json!({"import_id": import_id, "status": "UPLOADED"}))?;
        } else {
            outln!("Uploaded as {import_id}. `ordermill imports {import_id}` shows how far it is.");
        }
        return Ok(true);
    }
    // On stderr, and before anything is waited for: it is what one needs to go on.
    errln!("(import {import_id})");
    let store = stack.store()?;
    let mut signals = Signals::listen()?;
    let ended = async {
        let import = wait(&store, &import_id, Duration::from_secs(options.timeout)).await?;
        let reasons = Reasons::of(stack, &store, &import).await?;
        Ok((import, reasons))
    };
    let (import, reasons) = signals
        .cut(ended, || {
            format!(
                "interrupted: the import goes on, and `ordermill imports {import_id}` shows how far it is"
            )
        })
        .await?;
    let seconds = started.elapsed().as_millis() as f64 / 1000.0;
    let status = import.status();
    let reason = import.record.reason.as_deref();
    if global.json {
        output::json(&Outcome {
            import_id: &import_id,
            status: status.to_string(),
            progress: import.progress,
            reasons: &reasons,
            seconds,
            reason,
        })?;
    } else {
        outln!(
            "{import_id}: {status} after {seconds:.1} s{}",
            reason
                .map(|reason| format!(": {}", output::plain(reason)))
                .unwrap_or_default()
        );
        outln!("{}", reasons.table(&import.progress));
        if import.progress.rejected > 0 {
            outln!("What was rejected, and why: ordermill imports rejects {import_id}");
        }
        if import.progress.conflicts > 0 {
            let conflicts = import.progress.conflicts;
            outln!(
                "{conflicts} rows state other content than the existing order under their id; nothing was changed: ordermill imports conflicts {import_id}"
            );
        }
    }
    Ok(status == ImportStatus::Completed && !came_to_nothing(&import.progress))
}

/// Whether no order was completed, and at least one row failed, was rejected or is a conflict. A file of duplicates only did what was
/// asked: its orders are there.
fn came_to_nothing(progress: &Progress) -> bool {
    progress.completed == 0 && progress.failed + progress.rejected + progress.conflicts > 0
}

/// Puts the file where `chunk` is told of it, and returns the id that the import will have.
pub async fn upload(stack: &Stack, file: &Path) -> Result<String> {
    let key = format!("imports/{}", file_name(file)?);
    let version = put(stack, file, &key).await?;
    Ok(ids::import_id(stack.output("FilesBucket")?, &key, &version))
}

pub fn file_name(file: &Path) -> Result<&str> {
    let name = file.file_name().and_then(|name| name.to_str());
    name.with_context(|| format!("{} has no name that S3 could take", file.display()))
}

/// Uploads a file under this key, and returns the version that it is.
pub async fn put(stack: &Stack, file: &Path, key: &str) -> Result<String> {
    let size = source::check(file)?.len();
    if size > FILE_BYTES {
        bail!("{}: {}", file.display(), FileError::too_large(size));
    }
    let body = ByteStream::from_path(file).await;
    let body = body.with_context(|| format!("reading {}", file.display()))?;
    let request = stack.cloud.s3().put_object();
    let request = request.bucket(stack.output("FilesBucket")?).key(key);
    let put = request.content_type("text/csv").body(body).send().await;
    put.with_context(|| format!("uploading {}", file.display()))?
        .version_id
        .context("the bucket is not versioned")
}

/// Waits until every row is accounted for, with a bar where somebody watches.
pub async fn wait<E: Engine>(store: &Store<E>, import_id: &str, limit: Duration) -> Result<Import> {
    let started = Instant::now();
    let target = match output::watched() {
        true => ProgressDrawTarget::stderr(),
        false => ProgressDrawTarget::hidden(),
    };
    let bar = ProgressBar::with_draw_target(Some(0), target);
    bar.set_style(ProgressStyle::with_template("  {bar:32} {msg}")?);
    loop {
        if let Some(import) = store.import(import_id).await? {
            show(&bar, &import, started.elapsed());
            if import.is_over() {
                bar.finish_and_clear();
                return Ok(import);
            }
        }
        if started.elapsed() > limit {
            bar.finish_and_clear();
            bail!(
                "import {import_id} is not over after {} seconds; it goes on without us",
                limit.as_secs()
            );
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// How much was read, how many rows are settled, how fast, and how long it will take.
fn show(bar: &ProgressBar, import: &Import, elapsed: Duration) {
    let (record, progress) = (&import.record, import.progress);
    let over = progress.over();
    // While the file is read, its rows are as many as those so far let expect.
    let read = share_read(record);
    let expected = match read {
        Some(read) if read > 0.0 => ((progress.rows as f64 / read) as u64).max(over),
        _ => progress.rows,
    };
    let rate = over as f64 / elapsed.as_secs_f64().max(0.1);
    let mut message = format!(
        "{over}/{expected} rows, {rate:.0}/s, {} failed, {} rejected",
        progress.failed, progress.rejected
    );
    if progress.duplicates > 0 {
        message.push_str(&format!(", {} duplicates", progress.duplicates));
    }
    if progress.conflicts > 0 {
        message.push_str(&format!(", {} conflicts", progress.conflicts));
    }
    if let Some(read) = read.filter(|read| *read < 1.0) {
        message.push_str(&format!(", {:.0} % read", read * 100.0));
    }
    if over > 0 && expected > over {
        let left = (expected - over) as f64 / rate;
        message.push_str(&format!(", {left:.0} s left"));
    }
    bar.set_length(expected);
    bar.set_position(over);
    bar.set_message(message);
}

/// Nobody knows how much text there is in a compressed file before its end.
fn share_read(record: &ImportRecord) -> Option<f64> {
    if record.stage != Stage::Reading {
        return Some(1.0);
    }
    let compressed = record.key.ends_with(".gz") || record.read.offset > record.size;
    (!compressed).then(|| record.read.offset as f64 / record.size.max(1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn import_that_completes_nothing_and_fails_or_rejects_something_is_a_failure() {
        let check = |completed, failed, rejected, duplicates, expected: bool| {
            let progress = Progress {
                rows: completed + failed + rejected + duplicates,
                completed,
                failed,
                rejected,
                duplicates,
                ..Progress::default()
            };
            assert_eq!(came_to_nothing(&progress), expected, "{progress:?}");
        };
        check(0, 3, 0, 0, true);
        check(0, 0, 3, 0, true);
        check(0, 1, 0, 9, true);
        check(1, 3, 3, 0, false);
        check(0, 0, 0, 3, false);
        check(0, 0, 0, 0, false);
    }
}
