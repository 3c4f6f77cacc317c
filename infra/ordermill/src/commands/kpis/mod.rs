//! `kpis`: what was earned, sold, refunded and refused, by day and by hour.

mod bars;
mod document;
mod realtime;
mod sheet;
mod tables;

use anyhow::{Context, Result};
use jiff::Timestamp;

use crate::cli::Global;
use crate::cli::figures::{Kpis, Period};
use crate::cloud::Stack;
use crate::output;
use realtime::Realtime;
use sheet::Sheet;

pub async fn run(global: &Global, stack: &Stack, options: &Kpis) -> Result<bool> {
    let store = stack.store()?;
    let zone = store.zone_of_figures(&stack.time_zone()?).await?;
    let period = options.period(Timestamp::now().to_zoned(zone.clone()).date());
    let days = store.days(period.first, period.last).await?;
    let realtime = match (options.is_about_today(), days.first()) {
        (true, Some((_, today))) => Some(Realtime::read(stack, &store, today).await?),
        _ => None,
    };
    let sheets = sheet::of(&days, period, &zone, options.currency)?;
    // That of the figures: after a change of BusinessTimeZone the stack names another one until they are rebuilt.
    let zone = zone.iana_name().context("a time zone without a name")?;
    match global.json {
        true => output::json(&document::of(period, zone, &sheets, realtime.as_ref()))?,
        false => show(period, zone, &sheets, realtime.as_ref()),
    }
    Ok(true)
}

fn show(period: Period, zone: &str, sheets: &[Sheet], realtime: Option<&Realtime>) {
    outln!("{}", tables::title(period, zone));
    if let Some(realtime) = realtime {
        outln!("\n{realtime}");
    }
    if sheets.is_empty() {
        outln!("\nNothing was sold, refunded or refused.");
        return;
    }
    outln!("\n{}", tables::summary(sheets, period.by));
    for sheet in sheets.iter().filter(|sheet| !sheet.rows.is_empty()) {
        outln!("\n{}", tables::rows(sheet, period.by));
        if let Some(chart) = bars::chart(sheet, output::width()) {
            outln!("\n Net revenue, {}\n\n{chart}", sheet.currency);
        }
    }
}
