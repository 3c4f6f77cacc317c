//! `verify`: whether the books balance.

use ::payments::Http;
use ::payments::contract::LedgerEntry;
use anyhow::Result;
use jiff::Timestamp;

use crate::cli::Global;
use crate::cloud::Stack;
use crate::output;
use crate::verify::{Books, Report, notifications, payments};

/// Lines of drift that are shown to people. `--json` has them all.
const SHOWN: usize = 20;

pub async fn run(global: &Global, stack: &Stack) -> Result<bool> {
    let (_, report) = report(stack).await?;
    if global.json {
        output::json(&report)?;
    } else {
        show(&report);
    }
    Ok(report.balanced)
}

/// Our books, and those of the gateway where it is one that can be asked.
pub async fn report(stack: &Stack) -> Result<(Books, Report)> {
    // The ledger first: an order is there before it is charged, so none can be missing then.
    let asked_at = Timestamp::now();
    let gateway = stack.find_output("PaymentGateway");
    let ledger = match gateway.filter(|url| url.starts_with("http")) {
        Some(url) => Some(ledger(stack, url).await),
        None => None,
    };
    // So are these: what they tell of stands in the journal already.
    let (store, mut told) = (stack.store()?, Vec::new());
    store.each_notification(|record| told.push(record)).await?;
    let counters = store.notification_counts().await?;
    let books = Books::load(&store, &stack.time_zone()?).await?;
    let mut report = books.verify(Timestamp::now());
    let mut check = notifications::check(&books, &told, Timestamp::now());
    notifications::count(&mut check, &told, &counters);
    report.add(check);
    report.add(match ledger {
        Some(Ok(Some(entries))) => payments::check(&books, &entries, asked_at),
        Some(Ok(None)) => payments::unseen("not compared: the gateway shows no ledger"),
        Some(Err(error)) => payments::not_compared(&format!("{error:#}")),
        None => payments::unseen("not compared: the simulated gateway has no ledger"),
    });
    Ok((books, report))
}

async fn ledger(stack: &Stack, url: &str) -> Result<Option<Vec<LedgerEntry>>> {
    let gateway = Http::new(url, stack.payment_key().await?)?;
    Ok(gateway.ledger().await?)
}

pub fn show(report: &Report) {
    outln!("{}", table(report));
    for check in &report.checks {
        for drift in check.drift.iter().take(SHOWN) {
            outln!("  {}: {}", check.name, output::plain(drift));
        }
        if check.drift.len() > SHOWN {
            outln!("  {}: and {} more", check.name, check.drift.len() - SHOWN);
        }
        if let Some(note) = &check.note {
            outln!("  {}: {note}", check.name);
        }
    }
    if report.balanced {
        outln!("Everything agrees.");
    }
    if report.pending > 0 {
        outln!(
            "{} rows are on their way: what does not agree now may agree in a moment.",
            report.pending
        );
    }
}

fn table(report: &Report) -> comfy_table::Table {
    let rows = report.checks.iter().map(|check| {
        let differences = check.drift.len().to_string();
        [
            check.name.to_owned(),
            check.checked.to_string(),
            differences,
        ]
    });
    output::table(&["check", "looked at", "differences"], &[1, 2], rows)
}
