//! `verify`: whether the books balance.

use anyhow::Result;

use crate::cli::Global;
use crate::cloud::Stack;
use crate::output;
use crate::verify::{Books, Report};

/// Lines of drift that are shown to people. `--json` has them all.
const SHOWN: usize = 20;

pub async fn run(global: &Global, stack: &Stack) -> Result<bool> {
    let report = Books::load(&stack.store()?)
        .await?
        .verify(jiff::Timestamp::now());
    if global.json {
        output::json(&report)?;
    } else {
        show(&report);
    }
    Ok(report.balanced)
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
    }
    if report.pending > 0 {
        println!(
            "{} rows are on their way: what does not agree now may agree in a moment.",
            report.pending
        );
    }
}
