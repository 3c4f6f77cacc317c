//! Why rows of an import came to nothing: how many of them for each reason.

use std::collections::BTreeMap;

use anyhow::Result;
use domain::Reason;
use domain::progress::Progress;
use serde::Serialize;
use store::imports::Import;
use store::{Engine, Store};

use super::rejects;
use crate::cloud::Stack;
use crate::output;

#[derive(Debug, Default, Serialize)]
pub struct Reasons {
    /// Orders that failed.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    failed_by_reason: BTreeMap<Reason, u64>,
    /// Rows that were rejected, by code.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    rejects: BTreeMap<String, u64>,
}

impl Reasons {
    pub async fn of<E: Engine>(
        stack: &Stack,
        store: &Store<E>,
        import: &Import,
    ) -> Result<Reasons> {
        let (record, mut reasons) = (&import.record, Reasons::default());
        if import.progress.failed > 0 {
            let failed = store.failed_by_reason(record, &stack.time_zone()?).await?;
            reasons.failed_by_reason = failed;
        }
        if import.progress.rejected > 0 {
            for rejected in rejects::all(stack, &record.import_id, &record.bucket).await? {
                *reasons.rejects.entry(rejected.code).or_default() += 1;
            }
        }
        Ok(reasons)
    }

    /// What became of the rows: one line for each outcome and reason. It fits into 80 columns.
    pub fn table(&self, progress: &Progress) -> comfy_table::Table {
        let mut rows = vec![
            row("completed", "", progress.completed),
            row("continued", "", progress.continued),
            row("duplicates", "", progress.duplicates),
            row(
                "conflicts",
                "other content under a known id",
                progress.conflicts,
            ),
        ];
        let failed = self.failed_by_reason.iter();
        rows.extend(failed.map(|(reason, count)| row("failed", &reason.to_string(), *count)));
        let rejects = self.rejects.iter();
        rows.extend(rejects.map(|(code, count)| row("rejected", &output::plain(code), *count)));
        rows.retain(|[_, _, count]| count != "0");
        rows.push(row("all rows", "", progress.rows));
        output::table(&["outcome", "why", "rows"], &[2], rows)
    }
}

fn row(outcome: &str, why: &str, count: u64) -> [String; 3] {
    [outcome.to_owned(), why.to_owned(), count.to_string()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_of_an_import_fit_into_80_columns() {
        let reasons = Reasons {
            failed_by_reason: BTreeMap::from([(Reason::PaymentDeclined, 3)]),
            rejects: BTreeMap::from([("amount_too_precise".to_owned(), 2)]),
        };
        let progress = Progress {
            rows: 1_000_000_006,
            completed: 1_000_000_000,
            failed: 3,
            rejected: 2,
            duplicates: 1,
            ..Progress::default()
        };
        let table = reasons.table(&progress).to_string();
        let words: Vec<Vec<&str>> = table
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(words[2], ["completed", "1000000000"]);
        assert_eq!(words[3], ["duplicates", "1"]);
        assert_eq!(words[4], ["failed", "payment_declined", "3"]);
        assert_eq!(words[5], ["rejected", "amount_too_precise", "2"]);
        assert_eq!(words[6], ["all", "rows", "1000000006"]);
        assert!(
            table.lines().all(|line| line.chars().count() <= 80),
            "{table}"
        );
    }
}
