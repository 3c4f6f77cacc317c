//! `verify`: whether the books balance.

use ::payments::Http;
use ::payments::contract::LedgerEntry;
use anyhow::Result;

use crate::cli::Global;
use crate::cloud::Stack;
use crate::output;
use crate::verify::{Books, Report, payments};

/// Lines of drift that are shown to people. `--json` has them all.
const SHOWN: usize = 20;

pub async fn run(global: &Global, stack: &Stack) -> Result<bool> {
    let books = Books::load(&stack.store()?).await?;
    let report = report(stack, &books).await;
    if global.json {
        output::json(&report)?;
    } else {
        show(&report);
    }
    Ok(report.balanced)
}

/// Our books, and those of the gateway where it is one that can be asked.
pub async fn report(stack: &Stack, books: &Books) -> Report {
    let mut report = books.verify(jiff::Timestamp::now());
    let gateway = stack.find_output("PaymentGateway");
    if let Some(url) = gateway.filter(|url| url.starts_with("http")) {
        report.add(match ledger(stack, url).await {
            Ok(Some(entries)) => payments::check(books, &entries),
            Ok(None) => payments::no_ledger(),
            Err(error) => payments::not_compared(&format!("{error:#}")),
        });
    }
    report
}

async fn ledger(stack: &Stack, url: &str) -> Result<Option<Vec<LedgerEntry>>> {
    let gateway = Http::new(url, stack.payment_key().await?)?;
    Ok(gateway.ledger().await?)
}

pub fn show(report: &Report) {
    let rows = report.checks.iter().map(|check| {
        let verdict = if check.drift.is_empty() {
            "balanced".to_owned()
        } else {
            format!("{} that do not agree", check.drift.len())
        };
        [check.name.to_owned(), check.checked.to_string(), verdict]
    });
    println!("{}", output::table(&["books", "checked", ""], &[1], rows));
    for check in &report.checks {
        for drift in check.drift.iter().take(SHOWN) {
            println!("  {}: {}", check.name, output::plain(drift));
        }
        if check.drift.len() > SHOWN {
            println!("  {}: and {} more", check.name, check.drift.len() - SHOWN);
        }
        if let Some(note) = &check.note {
            println!("  {}: {note}", check.name);
        }
    }
    if report.pending > 0 {
        println!(
            "{} rows are on their way: what does not agree now may agree in a moment.",
            report.pending
        );
    }
}
