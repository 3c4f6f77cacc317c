//! `suppressions`: addresses that get no mail any more.

use anyhow::{Result, bail};
use store::suppressions::SuppressionRecord;

use super::{now, principal};
use crate::cli::Global;
use crate::cli::suppressions::Suppressions;
use crate::cloud::Stack;
use crate::output;

pub async fn run(global: &Global, stack: &Stack, command: &Suppressions) -> Result<bool> {
    let (store, by) = (stack.store()?, principal());
    match command {
        Suppressions::List => list(global, stack).await,
        Suppressions::Add { address, reason } => {
            let new = SuppressionRecord::manual(address.clone(), reason.as_deref(), &by, now());
            let stands = store.suppress(&new).await?;
            if global.json {
                output::json(&stands)?;
            } else if stands == new {
                outln!("{} gets no mail any more.", output::plain(address.as_str()));
            } else {
                outln!("It was there before: {}", output::plain(&stands.refusal()));
            }
            Ok(true)
        }
        Suppressions::Remove { address } => {
            let Some(lifted) = store.lift_suppression(address, &by, now()).await? else {
                let address = output::plain(address.as_str());
                bail!("{address} is not on the suppression list");
            };
            if global.json {
                output::json(&lifted)?;
            } else {
                outln!("{} gets mail again.", output::plain(address.as_str()));
            }
            Ok(true)
        }
    }
}

async fn list(global: &Global, stack: &Stack) -> Result<bool> {
    let (store, mut found, mut position) = (stack.store()?, Vec::new(), None);
    loop {
        let page = store.list_suppressions(u32::MAX, position.as_ref()).await?;
        found.extend(page.items);
        position = page.next;
        if position.is_none() {
            break;
        }
    }
    found.sort_by(|one, other| (other.since, &one.address).cmp(&(one.since, &other.address)));
    if global.json {
        output::json(&found)?;
    } else if found.is_empty() {
        outln!("Every address gets mail.");
    } else {
        let rows = found.iter().map(|listed| {
            [
                output::plain(listed.address.as_str()),
                listed.cause.to_string(),
                listed.since.to_string(),
                output::plain(listed.requested_by.as_deref().unwrap_or_default()),
                output::plain(listed.reason.as_deref().unwrap_or_default()),
            ]
        });
        let header = ["address", "cause", "since", "by", "reason"];
        outln!("{}", output::narrow(output::table(&header, &[], rows)));
    }
    Ok(true)
}
