//! The story of an order.

use anyhow::{Result, bail};
use store::timeline::Event;

use crate::cli::Global;
use crate::cloud::Stack;
use crate::output;

pub async fn run(global: &Global, stack: &Stack, order_id: &str) -> Result<bool> {
    let zone = stack.time_zone()?;
    let Some(timeline) = stack.store()?.timeline(order_id, &zone).await? else {
        bail!("there is no order {}", output::plain(order_id));
    };
    if global.json {
        output::json(&timeline)?;
        return Ok(true);
    }
    let rows = timeline.events.iter().map(|event| {
        [
            event.at.to_string(),
            event.what.name().to_owned(),
            output::plain(&details(event)),
            output::plain(event.entry.as_deref().unwrap_or_default()),
        ]
    });
    let header = ["at", "what", "details", "entry of the journal"];
    outln!("{}", output::table(&header, &[], rows));
    Ok(true)
}

fn details(event: &Event) -> String {
    let details = event.details.iter();
    let details = details.map(|(name, value)| format!("{name}: {value}"));
    details.collect::<Vec<_>>().join(", ")
}
