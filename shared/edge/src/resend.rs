//! Sends what failed to the queue that it came from, and has the record say so.
//!
//! Every step of the mill is safe to repeat, so a message may be sent too often, but never be forgotten: the record says
//! RETRYING before it is sent, and RETRIED after. Knows neither who asks for it nor how it is shown.

use std::collections::BTreeMap;

use aws_sdk_sqs::error::{DisplayErrorContext, ProvideErrorMetadata};
use domain::Fault;
use jiff::Timestamp;
use store::failures::{Changed, FailureRecord, RetryOf, State};
use store::{Engine, Store};

use crate::aside;

/// The queues that messages fail from.
pub trait Sources {
    fn has(&self, queue: &str) -> bool;

    fn send(&self, message: Resent) -> impl Future<Output = Result<(), NotSent>>;
}

/// A message on its way back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resent {
    pub queue: String,
    pub body: String,
    pub group: Option<String>,
    pub retry: RetryOf,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotSent {
    /// The queue refused it, so it does not have it: for good, or for a moment.
    Surely(Fault),
    /// No answer: it may have it.
    Perhaps(String),
}

/// Who wants a failure sent again.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// Drawn anew for every wish.
    pub token: &'a str,
    /// Also what was retried or discarded before.
    pub again: bool,
    /// Goes on record.
    pub by: &'a str,
}

/// Sends the message of a failure to its queue again: done, when it is there and the record says so.
pub async fn retry<E: Engine>(
    store: &Store<E>,
    sources: &impl Sources,
    failure_id: &str,
    claim: Claim<'_>,
    now: Timestamp,
) -> Result<Changed, Fault> {
    let Some(found) = store.failure(failure_id).await? else {
        return Ok(Changed::Unknown);
    };
    if !sources.has(&found.listed.queue) {
        return Err(Fault::Refused(format!(
            "it came from {}, which is no queue of this stack",
            found.listed.queue
        )));
    }
    let claimed = store
        .claim_failure(failure_id, claim.token, claim.again, claim.by, now)
        .await?;
    let Changed::Done(mut record) = claimed else {
        return Ok(claimed);
    };
    match sources.send(resent(&record)).await {
        Ok(()) => {}
        Err(NotSent::Surely(fault)) => {
            store.failure_was_not_sent(failure_id, claim.token).await?;
            return Err(fault);
        }
        // The record goes on to say RETRYING: nobody knows.
        Err(NotSent::Perhaps(why)) => return Err(Fault::Transient(why)),
    }
    store.failure_was_sent(failure_id, claim.token, now).await?;
    record.listed.state = State::Retried;
    Ok(Changed::Done(record))
}

fn resent(record: &FailureRecord) -> Resent {
    Resent {
        queue: record.listed.queue.clone(),
        body: record.payload.clone(),
        group: record.group.clone(),
        retry: RetryOf {
            failure_id: record.listed.failure_id.clone(),
            attempt: record.listed.attempts,
        },
    }
}

pub struct SqsSources {
    client: aws_sdk_sqs::Client,
    /// By short name.
    urls: BTreeMap<String, String>,
}

impl SqsSources {
    pub fn new(client: aws_sdk_sqs::Client, urls: BTreeMap<String, String>) -> SqsSources {
        SqsSources { client, urls }
    }
}

impl Sources for SqsSources {
    fn has(&self, queue: &str) -> bool {
        self.urls.contains_key(queue)
    }

    async fn send(&self, message: Resent) -> Result<(), NotSent> {
        let Some(url) = self.urls.get(&message.queue) else {
            let why = format!("no queue {}", message.queue);
            return Err(NotSent::Surely(Fault::Refused(why)));
        };
        let mut request = self
            .client
            .send_message()
            .queue_url(url)
            .message_body(message.body)
            .set_message_group_id(message.group);
        for (name, text) in aside::of_retry(&message.retry) {
            let attribute = aside::text_attribute(&text).map_err(NotSent::Surely)?;
            request = request.message_attributes(name, attribute);
        }
        let Err(error) = request.send().await else {
            return Ok(());
        };
        let status = error
            .raw_response()
            .map(|response| response.status().as_u16());
        let code = error.code().map(str::to_owned);
        let why = DisplayErrorContext(error).to_string();
        Err(not_sent(status, code.as_deref().unwrap_or_default(), why))
    }
}

/// By the status of the answer, if there was one, and the service's own name of the error.
fn not_sent(status: Option<u16>, code: &str, why: String) -> NotSent {
    match status {
        Some(429) => NotSent::Surely(Fault::Transient(why)),
        Some(400..500) if code.contains("Throttl") => NotSent::Surely(Fault::Transient(why)),
        Some(400..500) => NotSent::Surely(Fault::Refused(why)),
        _ => NotSent::Perhaps(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_that_is_busy_refuses_nothing_for_good() {
        let ask = |status, code: &str| not_sent(status, code, "why".to_owned());
        let why = || "why".to_owned();
        for (status, code) in [
            (400, "RequestThrottled"),
            (400, "ThrottlingException"),
            (429, "TooManyRequests"),
        ] {
            let busy = NotSent::Surely(Fault::Transient(why()));
            assert_eq!(ask(Some(status), code), busy, "{code}");
        }
        for (status, code) in [(403, "AccessDenied"), (400, "InvalidMessageContents")] {
            let refused = NotSent::Surely(Fault::Refused(why()));
            assert_eq!(ask(Some(status), code), refused, "{code}");
        }
        for status in [None, Some(500), Some(503)] {
            assert_eq!(
                ask(status, "Throttling"),
                NotSent::Perhaps(why()),
                "{status:?}"
            );
        }
    }
}
