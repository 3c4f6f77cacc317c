//! Why rows of an import came to nothing: how many of them for each reason.

use std::collections::BTreeMap;

use anyhow::Result;
use domain::Reason;
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

    pub fn is_empty(&self) -> bool {
        self.failed_by_reason.is_empty() && self.rejects.is_empty()
    }

    pub fn table(&self) -> comfy_table::Table {
        let failed = self.failed_by_reason.iter();
        let failed = failed.map(|(reason, count)| ("failed", reason.to_string(), count));
        let rejects = self.rejects.iter();
        let rejects = rejects.map(|(code, count)| ("rejected", output::plain(code), count));
        let rows = failed.chain(rejects);
        let rows = rows.map(|(what, why, count)| [what.to_owned(), why, count.to_string()]);
        output::table(&["outcome", "why", "rows"], &[2], rows)
    }
}
