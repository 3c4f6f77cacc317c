//! `import`: uploads a file, and waits for its orders if asked to.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use aws_sdk_s3::primitives::ByteStream;
use domain::ids;
use domain::progress::{ImportStatus, Progress};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use store::imports::Import;
use store::{Engine, Store};

use crate::cli::{self, Global};
use crate::cloud::Stack;
use crate::output;

#[derive(Serialize)]
struct Outcome<'a> {
    import_id: &'a str,
    status: String,
    #[serde(flatten)]
    progress: Progress,
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
            println!(
                "Uploaded as {import_id}. `ordermill imports {import_id}` shows how far it is."
            );
        }
        return Ok(true);
    }
    let import = wait(
        &stack.store()?,
        &import_id,
        Duration::from_secs(options.timeout),
    )
    .await?;
    let seconds = started.elapsed().as_millis() as f64 / 1000.0;
    let status = import.status();
    let reason = import.record.reason.as_deref();
    if global.json {
        output::json(&Outcome {
            import_id: &import_id,
            status: status.to_string(),
            progress: import.progress,
            seconds,
            reason,
        })?;
    } else {
        println!(
            "{import_id}: {status} after {seconds:.1} s{}",
            reason
                .map(|reason| format!(": {}", output::plain(reason)))
                .unwrap_or_default()
        );
        println!("{}", super::imports::table([&import]));
    }
    Ok(status == ImportStatus::Completed)
}

/// Puts the file where `chunk` is told of it, and returns the id that the import will have.
pub async fn upload(stack: &Stack, file: &std::path::Path) -> Result<String> {
    let name = file
        .file_name()
        .and_then(|name| name.to_str())
        .with_context(|| format!("{} has no name that S3 could take", file.display()))?;
    let body = ByteStream::from_path(file)
        .await
        .with_context(|| format!("reading {}", file.display()))?;
    let (bucket, key) = (stack.output("FilesBucket")?, format!("imports/{name}"));
    let put = stack
        .cloud
        .s3()
        .put_object()
        .bucket(bucket)
        .key(&key)
        .content_type("text/csv")
        .body(body)
        .send()
        .await;
    let version = put
        .with_context(|| format!("uploading {}", file.display()))?
        .version_id
        .context("the bucket is not versioned")?;
    Ok(ids::import_id(bucket, &key, &version))
}

/// Waits until every row is accounted for, with a bar where somebody watches.
pub async fn wait<E: Engine>(store: &Store<E>, import_id: &str, limit: Duration) -> Result<Import> {
    let started = Instant::now();
    let bar = ProgressBar::with_draw_target(
        None,
        if output::watched() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        },
    );
    bar.set_style(ProgressStyle::with_template(
        "  {bar:32} {pos}/{len} settled  {msg}  {elapsed}",
    )?);
    loop {
        if let Some(import) = store.import(import_id).await? {
            let Progress {
                rows,
                rejected,
                duplicates,
                completed,
                failed,
            } = import.progress;
            bar.set_length(rows);
            bar.set_position(rejected + duplicates + completed + failed);
            bar.set_message(format!("{completed} completed, {failed} failed, {rejected} rejected, {duplicates} duplicates"));
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
