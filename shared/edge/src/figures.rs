//! The wish for figures that are added up anew, as it travels through the queue of entries.

use domain::Fault;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::objects;
use crate::outbox::{Outgoing, SqsOutbox};

/// One day of the business, or all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Rebuild {
    Everything,
    Day(Date),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    rebuild: Rebuild,
}

impl Rebuild {
    /// Nothing, where a message asks for something else.
    pub fn read(body: &str) -> Option<Rebuild> {
        let message: Message = objects::from_str(body).ok()?;
        Some(message.rebuild)
    }

    pub async fn send(self, entries: &SqsOutbox) -> Result<(), Fault> {
        let body = serde_json::to_string(&Message { rebuild: self });
        let body = body.map_err(|error| Fault::Corrupt(error.to_string()))?;
        let group = "rebuild".to_owned();
        entries.send(vec![Outgoing { group, body }]).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rebuild_is_of_everything_or_of_a_day() {
        let day = "2026-03-01".parse().expect("a day");
        let of_day = r#"{"rebuild": {"day": "2026-03-01"}}"#;
        assert_eq!(Rebuild::read(of_day), Some(Rebuild::Day(day)));
        let all = r#"{"rebuild":"everything"}"#;
        assert_eq!(Rebuild::read(all), Some(Rebuild::Everything));
        for other in [
            "",
            "{}",
            r#"{"rebuild": "x"}"#,
            r#"{"partition": "a", "entry_id": "b"}"#,
        ] {
            assert_eq!(Rebuild::read(other), None, "{other}");
        }
    }
}
