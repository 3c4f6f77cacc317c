//! How many notifications there are, as both the API and the command show it.

use std::collections::BTreeMap;

use domain::notification::Standing;
use jiff::civil::Date;
use serde::Serialize;
use store::lists::notifications::Counted;
use store::notifications::Counts;
use utoipa::ToSchema;

/// What is not pending was a success or has failed.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct NotificationStats {
    #[schema(value_type = String, format = Date)]
    pub from_date: Date,
    #[schema(value_type = String, format = Date)]
    pub to_date: Date,
    /// Successes, failures, and what is pending.
    pub total_notifications: u64,
    /// Those that were sent, by mail or to the log.
    pub success_notifications: u64,
    /// Those that reached nobody: `failed`, and `suppressed`.
    pub failed_notifications: u64,
    /// The same as successes: what is sent was taken by the mail service, or is in the log.
    pub sent_notifications: u64,
    pub pending_notifications: u64,
    /// Those that were to be sent, and were refused: `failed` alone.
    pub failed_sends: u64,
    /// `email` and `log`, where there are any.
    pub by_channel: BTreeMap<String, Outcomes>,
    /// Those of today, whatever days were asked for.
    pub today: Outcomes,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, ToSchema)]
pub struct Outcomes {
    pub total: u64,
    pub success: u64,
    pub failed: u64,
}

impl Outcomes {
    fn add(&mut self, status: Standing, count: u64) {
        self.total += count;
        match status {
            Standing::Pending => {}
            Standing::Sent => self.success += count,
            Standing::Failed | Standing::Suppressed => self.failed += count,
        }
    }

    fn of(counts: &Counts) -> Outcomes {
        let mut outcomes = Outcomes::default();
        for ((_, _, status), count) in counts {
            outcomes.add(*status, *count);
        }
        outcomes
    }
}

impl NotificationStats {
    pub fn of(counted: &Counted) -> NotificationStats {
        let counts = &counted.counts;
        let mut by_channel: BTreeMap<String, Outcomes> = BTreeMap::new();
        for ((channel, _, status), count) in counts {
            let outcomes = by_channel.entry(channel.to_string()).or_default();
            outcomes.add(*status, *count);
        }
        let standing = |wanted| {
            let found = counts
                .iter()
                .filter(|((_, _, status), _)| *status == wanted);
            found.map(|(_, count)| count).sum()
        };
        let all = Outcomes::of(counts);
        NotificationStats {
            from_date: counted.from,
            to_date: counted.to,
            total_notifications: all.total,
            success_notifications: all.success,
            failed_notifications: all.failed,
            sent_notifications: all.success,
            pending_notifications: standing(Standing::Pending),
            failed_sends: standing(Standing::Failed),
            by_channel,
            today: Outcomes::of(&counted.today),
        }
    }
}
