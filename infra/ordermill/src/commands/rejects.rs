//! `imports rejects`: what could not be taken of a file, and a file to mend it in.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};
use aws_sdk_s3::error::ProvideErrorMetadata;
use files::rejects_key;
use intake::rejects::{Listed, read};
use intake::{Code, Reader, Settings, Step};
use serde_json::json;
use store::imports::ImportRecord;

use crate::cli::Global;
use crate::cloud::Stack;
use crate::output;

/// Rejected rows that are shown to people. `--json` and the file have them all.
const SHOWN: usize = 40;

pub async fn run(global: &Global, stack: &Stack, id: &str, fix: Option<&Path>) -> Result<bool> {
    let rejected = all(stack, id, stack.output("FilesBucket")?).await?;
    if let Some(path) = fix {
        let written = write_fix(stack, id, &rejected, path).await?;
        if global.json {
            output::json(&json!({"file": path, "rows": written}))?;
        } else {
            let path = path.display();
            println!("{written} rows written to {path}. Mend them, then: ordermill import {path}");
            if written < rejected.len() {
                let lost = rejected.len() - written;
                println!("{lost} rows are too long to have been kept: only the original has them.");
            }
        }
    } else if global.json {
        let rows = rejected.iter().map(|reject| {
            json!({
                "line": reject.line, "row": reject.row, "code": reject.code, "column": reject.column,
                "message": reject.message, "original": String::from_utf8_lossy(&reject.original),
            })
        });
        output::json(&rows.collect::<Vec<_>>())?;
    } else {
        print(&rejected);
    }
    Ok(true)
}

/// For people, the first of them.
pub async fn show(stack: &Stack, id: &str, bucket: &str) -> Result<()> {
    print(&all(stack, id, bucket).await?);
    Ok(())
}

fn print(rejected: &[Listed]) {
    if rejected.is_empty() {
        println!("Nothing was rejected.");
        return;
    }
    let rows = rejected.iter().take(SHOWN).map(|reject| {
        let texts = [&reject.column, &reject.message].map(|text| output::plain(text));
        let [column, message] = texts;
        [
            reject.line.to_string(),
            reject.code.clone(),
            column,
            message,
        ]
    });
    println!("{}", table(rows));
    if rejected.len() > SHOWN {
        println!("and {} more", rejected.len() - SHOWN);
    }
}

pub fn table(rows: impl IntoIterator<Item = [String; 4]>) -> comfy_table::Table {
    output::table(&["line", "code", "column", "what is wrong"], &[0], rows)
}

async fn all(stack: &Stack, id: &str, bucket: &str) -> Result<Vec<Listed>> {
    let key = rejects_key(id);
    let s3 = stack.cloud.s3();
    let object = match s3.get_object().bucket(bucket).key(&key).send().await {
        Ok(object) => object,
        Err(error) if error.code() == Some("NoSuchKey") => {
            let store = stack.store()?;
            if store.import(id).await?.is_none() && store.catalog(id).await?.is_none() {
                bail!("there is no import {}", output::plain(id));
            }
            return Ok(Vec::new());
        }
        Err(error) => return Err(error).with_context(|| format!("reading {key}")),
    };
    let bytes = object.body.collect().await?.into_bytes();
    let rows: std::io::Result<Vec<Listed>> = read(bytes.as_ref()).collect();
    rows.with_context(|| format!("{key} is not a file of rejects"))
}

/// The header of the original, and under it the rows as they stand there. Returns how many.
async fn write_fix(stack: &Stack, id: &str, rejected: &[Listed], path: &Path) -> Result<usize> {
    let Some(import) = stack.store()?.import(id).await? else {
        bail!(
            "{} is no import: a catalog is mended and loaded again",
            output::plain(id)
        );
    };
    let mut file = header(stack, &import.record).await?;
    file.push(b'\n');
    let whole = |reject: &&Listed| reject.code != Code::RecordTooLong.as_str();
    let mut written = 0;
    for reject in rejected.iter().filter(whole) {
        file.extend_from_slice(&reject.original);
        file.push(b'\n');
        written += 1;
    }
    let create = std::fs::File::create(path).and_then(|mut out| out.write_all(&file));
    create.with_context(|| format!("writing {}", path.display()))?;
    Ok(written)
}

async fn header(stack: &Stack, record: &ImportRecord) -> Result<Vec<u8>> {
    let request = stack.cloud.s3().get_object();
    let request = request.bucket(&record.bucket).key(&record.key);
    let object = request.version_id(&record.version).send().await;
    let mut body = object.context("reading the original")?.body;
    let settings = Settings {
        default_currency: record.default_currency,
        total_policy: record.total_policy,
    };
    let mut reader = Reader::new(settings, record.content.clone());
    loop {
        let step = reader.step(&mut Vec::new())?;
        if let Some(header) = reader.header() {
            return Ok(header.to_vec());
        }
        match (step, body.try_next().await?) {
            (Step::More, Some(bytes)) => reader.push(&bytes),
            (Step::More, None) => reader.end(),
            _ => bail!("the original has no header"),
        }
    }
}
