//! `tally replay`: enters one entry of the journal in the figures, if it is missing there.

use std::time::Duration;

use ::tally::EntryName;
use anyhow::{Result, bail};
use domain::Fault;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::json;
use store::{Engine, Store};

use crate::cli::Global;
use crate::cloud::Stack;
use crate::output;

/// What is not done by then will not be.
const TIME: Duration = Duration::from_secs(60);

pub async fn run(global: &Global, stack: &Stack, entry: &str) -> Result<bool> {
    let (store, zone) = (stack.store()?, stack.time_zone()?);
    let name = match EntryName::parse(entry) {
        Some(name) => name,
        None => find(&store, entry).await?,
    };
    let entered = enter(&store, &zone, &name).await?;
    let shown = output::plain(&name.to_string());
    match (global.json, &entered) {
        (true, Ok(())) => output::json(&json!({"entry": name.to_string(), "entered": true}))?,
        (true, Err(fault)) => output::json(&json!({
            "entry": name.to_string(), "entered": false, "fault": fault.name(), "reason": fault.message(),
        }))?,
        (false, Ok(())) => outln!("{shown} is entered, once."),
        (false, Err(fault)) => outln!(
            "{shown} cannot be entered: {}",
            output::plain(&fault.to_string())
        ),
    }
    Ok(entered.is_ok())
}

/// The outer fault is about the figures as a whole, the inner one about this entry.
async fn enter<E: Engine>(
    store: &Store<E>,
    zone: &TimeZone,
    name: &EntryName,
) -> Result<Result<(), Fault>> {
    let Some(found) = store.entry(&name.partition, &name.entry_id).await? else {
        bail!(
            "the journal has no entry {}",
            output::plain(&name.to_string())
        );
    };
    let entry = match found {
        Ok(entry) => entry,
        Err((_, fault)) => return Ok(Err(fault)),
    };
    let answers = store.enter(&[entry], zone, Timestamp::now(), TIME).await?;
    Ok(answers.into_iter().collect())
}

/// By its id alone: no index knows it, so the whole journal is read.
async fn find<E: Engine>(store: &Store<E>, entry_id: &str) -> Result<EntryName> {
    let shown = output::plain(entry_id);
    errln!("(looking for {shown} in the whole journal: partition/entry_id would find it at once)");
    let mut found: Vec<EntryName> = Vec::new();
    let each = |entry| {
        let name = match entry {
            Ok(entry) => domain::journal::Entry::name(&entry),
            Err((name, _)) => name,
        };
        let name = EntryName::parse(&name);
        found.extend(name.filter(|name| name.entry_id == entry_id));
    };
    store.each_entry(each).await?;
    match &found[..] {
        [name] => Ok(name.clone()),
        [] => bail!("the journal has no entry {shown}"),
        many => {
            let names: Vec<String> = many.iter().map(EntryName::to_string).collect();
            bail!("there are several: {}", output::plain(&names.join(", ")))
        }
    }
}
