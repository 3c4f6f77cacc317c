//! The two kinds of events that come to this function, told apart by where they say they are from.

use aws_lambda_events::{dynamodb, sqs};
use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Value")]
pub enum Event {
    /// Records of the journal's stream.
    Journal(dynamodb::Event),
    /// Messages that name entries.
    Entries(sqs::SqsEvent),
}

impl TryFrom<Value> for Event {
    type Error = serde_json::Error;

    fn try_from(event: Value) -> Result<Event, serde_json::Error> {
        match event["Records"][0]["eventSource"].as_str() {
            Some("aws:dynamodb") => serde_json::from_value(event).map(Event::Journal),
            _ => serde_json::from_value(event).map(Event::Entries),
        }
    }
}
