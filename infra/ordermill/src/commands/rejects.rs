//! `imports rejects`: what could not be taken of a file, and a file to mend it in.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};
use aws_sdk_s3::error::ProvideErrorMetadata;
use files::rejects_key;
use intake::rejects::{Listed, read};
use intake::{Code, LineEnds, Reader, Settings, Step};
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
            outln!("{written} rows written to {path}. Mend them, then: ordermill import {path}");
            if written < rejected.len() {
                let lost = rejected.len() - written;
                outln!("{lost} rows are too long to have been kept: only the original has them.");
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
        outln!("Nothing was rejected.");
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
    outln!("{}", table(rows));
    if rejected.len() > SHOWN {
        outln!("and {} more", rejected.len() - SHOWN);
    }
}

pub fn table(rows: impl IntoIterator<Item = [String; 4]>) -> comfy_table::Table {
    output::table(&["line", "code", "column", "what is wrong"], &[0], rows)
}

pub async fn all(stack: &Stack, id: &str, bucket: &str) -> Result<Vec<Listed>> {
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

/// The header of the original, and under it the rows, byte for byte as they stand there. Returns how many.
async fn write_fix(stack: &Stack, id: &str, rejected: &[Listed], path: &Path) -> Result<usize> {
    let Some(import) = stack.store()?.import(id).await? else {
        bail!(
            "{} is no import: a catalog is mended and loaded again",
            output::plain(id)
        );
    };
    let whole = |reject: &&Listed| reject.code != Code::RecordTooLong.as_str();
    let rejected: Vec<&Listed> = rejected.iter().filter(whole).collect();
    let original = original(stack, &import.record, &rejected).await?;
    // Where a file ends without a line end, another row may follow here.
    let usual = original.header_end.unwrap_or("\n");
    let mut file = original.header;
    file.extend_from_slice(usual.as_bytes());
    for reject in &rejected {
        file.extend_from_slice(&reject.original);
        let end = original.ends.get(last_line(reject.line, &reject.original));
        file.extend_from_slice(end.unwrap_or(usual).as_bytes());
    }
    let create = std::fs::File::create(path).and_then(|mut out| out.write_all(&file));
    create.with_context(|| format!("writing {}", path.display()))?;
    Ok(rejected.len())
}

/// The line in which a record ends: a quoted cell may have line ends of its own.
fn last_line(first: u64, record: &[u8]) -> u64 {
    let feeds = record.iter().filter(|byte| **byte == b'\n').count();
    let pairs = record.windows(2).filter(|pair| pair == b"\r\n").count();
    let returns = record.iter().filter(|byte| **byte == b'\r').count();
    first + (feeds + returns - pairs) as u64
}

/// What a file that is mended takes from the original.
struct Original {
    header: Vec<u8>,
    header_end: Option<&'static str>,
    /// How the rejected rows end.
    ends: LineEnds,
}

/// Reads the original up to the last rejected row.
async fn original(stack: &Stack, record: &ImportRecord, rejected: &[&Listed]) -> Result<Original> {
    let request = stack.cloud.s3().get_object();
    let request = request.bucket(&record.bucket).key(&record.key);
    let object = request.version_id(&record.version).send().await;
    let mut body = object.context("reading the original")?.body;
    let settings = Settings {
        default_currency: record.default_currency,
        total_policy: record.total_policy,
    };
    let mut reader = Reader::new(settings, record.content.clone());
    let mut pieces = Vec::new();
    let (header, line) = loop {
        let step = reader.step(&mut Vec::new())?;
        if let Some((header, line)) = reader.header() {
            break (header.to_vec(), line);
        }
        match (step, body.try_next().await?) {
            (Step::More, Some(bytes)) => {
                reader.push(&bytes);
                pieces.push(bytes);
            }
            (Step::More, None) => reader.end(),
            _ => bail!("the original has no header"),
        }
    };
    let header_line = last_line(line, &header);
    let rows = rejected.iter();
    let rows = rows.map(|row| last_line(row.line, &row.original));
    let mut ends = LineEnds::of(rows.chain([header_line]));
    let mut more = true;
    for piece in pieces {
        more = ends.push(&piece)?;
    }
    while more && let Some(piece) = body.try_next().await? {
        more = ends.push(&piece)?;
    }
    if more {
        ends.end()?;
    }
    Ok(Original {
        header,
        header_end: ends.get(header_line),
        ends,
    })
}
