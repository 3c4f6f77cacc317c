//! What a message that is put aside says of itself: the attributes that a copy in a dead-letter queue carries, as they
//! are written by whoever puts it there and read by whoever takes it out.
//!
//! Anybody may send a message with any attributes. What does not look like ours is taken for not there.

use std::collections::BTreeMap;

use aws_lambda_events::sqs::SqsMessage;
use aws_sdk_sqs::types::MessageAttributeValue;
use domain::Fault;
use domain::limits::REASON_BYTES;
use store::failures::RetryOf;

const FAULT: &str = "fault";
const REASON: &str = "reason";
/// The message that this is a copy of. Should it be copied twice, both copies are the same failure.
const ORIGINAL: &str = "original";
/// The record of which this is a retry.
const FAILURE: &str = "failure";
/// What that record counted when the retry was sent.
const ATTEMPT: &str = "attempt";

/// Digits and letters, as our own ids are.
const ID_BYTES: usize = 64;

/// The attributes of a copy that is put aside because of this fault.
pub fn attributes(message: &SqsMessage, fault: &Fault) -> BTreeMap<&'static str, String> {
    let mut attributes = BTreeMap::from([
        (FAULT, fault.name().to_owned()),
        (REASON, speakable(fault.message())),
    ]);
    attributes.extend(message.message_id.clone().map(|id| (ORIGINAL, id)));
    attributes.extend(retry_of(message).iter().flat_map(of_retry));
    attributes
}

/// The attributes that a retry carries: they come back with it if it fails again.
pub fn of_retry(retry: &RetryOf) -> [(&'static str, String); 2] {
    [
        (FAILURE, retry.failure_id.clone()),
        (ATTEMPT, retry.attempt.to_string()),
    ]
}

/// What was wrong with a message, and why. `None` where the queue itself put it aside, or a person did.
pub fn fault(message: &SqsMessage) -> Option<(&'static str, &str)> {
    if was_moved(message) {
        return None;
    }
    let name = attribute(message, FAULT)?;
    let name = Fault::NAMES.into_iter().find(|known| *known == name)?;
    Some((name, attribute(message, REASON).unwrap_or_default()))
}

/// The id under which the message was first received.
pub fn original(message: &SqsMessage) -> &str {
    let copied_from = attribute(message, ORIGINAL).filter(|_| !was_moved(message));
    copied_from.unwrap_or(message.message_id.as_deref().unwrap_or_default())
}

pub fn retry_of(message: &SqsMessage) -> Option<RetryOf> {
    let failure_id = attribute(message, FAILURE)?;
    let of_ours = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let plausible = (1..=ID_BYTES).contains(&failure_id.len()) && failure_id.bytes().all(of_ours);
    Some(RetryOf {
        failure_id: plausible.then(|| failure_id.to_owned())?,
        attempt: attribute(message, ATTEMPT)?.parse().ok()?,
    })
}

pub fn group(message: &SqsMessage) -> Option<&str> {
    let group = message.attributes.get("MessageGroupId")?;
    Some(group.as_str()).filter(|group| !group.is_empty())
}

/// The queue moved the message itself. What it carries from an earlier burial, if it was sent back by hand, says nothing
/// of this one.
fn was_moved(message: &SqsMessage) -> bool {
    message.attributes.contains_key("DeadLetterQueueSourceArn")
}

fn attribute<'a>(message: &'a SqsMessage, name: &str) -> Option<&'a str> {
    message
        .message_attributes
        .get(name)?
        .string_value
        .as_deref()
}

pub(crate) fn text_attribute(text: &str) -> Result<MessageAttributeValue, Fault> {
    MessageAttributeValue::builder()
        .data_type("String")
        .string_value(text)
        .build()
        .map_err(|error| Fault::Corrupt(error.to_string()))
}

/// As a queue takes it: not empty, not without end, and without the characters that XML does not know.
fn speakable(text: &str) -> String {
    let mut spoken = String::new();
    for character in text.chars() {
        let known = !character.is_control() || matches!(character, '\t' | '\n' | '\r');
        let known = known && !matches!(character, '\u{fffe}' | '\u{ffff}');
        let character = if known { character } else { '\u{fffd}' };
        if spoken.len() + character.len_utf8() > REASON_BYTES - '…'.len_utf8() {
            spoken.push('…');
            break;
        }
        spoken.push(character);
    }
    if spoken.trim().is_empty() {
        return "no reason was given".to_owned();
    }
    spoken
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lambda_events::sqs::SqsMessageAttribute;

    fn message(attributes: &[(&str, &str)]) -> SqsMessage {
        let mut message = SqsMessage::default();
        message.message_id = Some("m-1".to_owned());
        for (name, text) in attributes {
            let mut attribute = SqsMessageAttribute::default();
            attribute.string_value = Some((*text).to_owned());
            message
                .message_attributes
                .insert((*name).to_owned(), attribute);
        }
        message
    }

    #[test]
    fn what_is_written_is_read() {
        let fault = Fault::Malformed("not a batch".to_owned());
        let retried = message(&[("failure", "fl_0a"), ("attempt", "3"), ("fault", "Corrupt")]);
        let attributes = attributes(&retried, &fault);
        let attributes: Vec<(&str, &str)> = attributes
            .iter()
            .map(|(name, text)| (*name, text.as_str()))
            .collect();
        let mut copy = message(&attributes);
        copy.message_id = Some("m-2".to_owned());
        assert_eq!(super::fault(&copy), Some(("Malformed", "not a batch")));
        assert_eq!(original(&copy), "m-1");
        let retry = RetryOf {
            failure_id: "fl_0a".to_owned(),
            attempt: 3,
        };
        assert_eq!(retry_of(&copy), Some(retry.clone()));
        // Sent back by hand, and moved by the queue: that it is a retry holds, what was wrong then does not.
        copy.attributes
            .insert("DeadLetterQueueSourceArn".to_owned(), "arn".to_owned());
        assert_eq!(super::fault(&copy), None);
        assert_eq!(original(&copy), "m-2");
        assert_eq!(retry_of(&copy), Some(retry));
    }

    #[test]
    fn what_is_not_ours_is_not_there() {
        for (failure, attempt) in [
            ("fl_0a", "many"),
            ("fl_0a", "-1"),
            ("", "1"),
            ("fl 0a", "1"),
            (&"x".repeat(65), "1"),
        ] {
            let message = message(&[("failure", failure), ("attempt", attempt)]);
            assert_eq!(retry_of(&message), None, "{failure} {attempt}");
        }
        assert_eq!(retry_of(&message(&[("failure", "fl_0a")])), None);
        assert_eq!(fault(&message(&[("fault", "Strange")])), None);
        assert_eq!(group(&message(&[])), None);
    }

    #[test]
    fn a_queue_takes_every_reason() {
        assert_eq!(
            speakable("a\u{0}b\u{1b}[1m\nc\u{ffff}"),
            "a\u{fffd}b\u{fffd}[1m\nc\u{fffd}"
        );
        assert_eq!(speakable(" "), "no reason was given");
        let long = speakable(&"ü".repeat(5_000));
        assert!(long.len() <= REASON_BYTES && long.ends_with('…'));
        assert_eq!(speakable("short"), "short");
    }
}
