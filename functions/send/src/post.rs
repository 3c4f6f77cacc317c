//! The mail service: what it is given, and what its answers mean.

use std::time::Duration;

use aws_sdk_ses::config::retry::RetryConfig;
use aws_sdk_ses::config::timeout::TimeoutConfig;
use aws_sdk_ses::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_ses::operation::send_email::SendEmailError;
use aws_sdk_ses::types::{Body, Content, Destination, Message, MessageTag};
use aws_types::SdkConfig;
use domain::Fault;
use edge::aws::CountCalls;
use notices::Notice;
use store::dynamo::Meter;

/// By which a person finds what the service knows of a notification.
const TAG: &str = "notification";

/// How long the service may take to answer.
const TIME: Duration = Duration::from_secs(8);

/// How the service says that this was too much at once.
const THROTTLED: [&str; 4] = [
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
];

/// What is in its words when it was too much for today: that takes longer.
const QUOTA: &str = "quota";

/// What passes by itself, by the service's own names. Anything else that it says of a request is a no.
const PASSING: [&str; 4] = [
    "ServiceUnavailable",
    "InternalFailure",
    "RequestExpired",
    "ExpiredToken",
];

#[derive(Debug)]
pub struct Letter<'a> {
    pub address: &'a str,
    pub notification_id: &'a str,
    pub notice: &'a Notice,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Posted {
    Accepted {
        message_id: String,
    },
    /// For good: in the service's words.
    Refused {
        why: String,
    },
    /// It was too much at once, and surely not taken.
    Throttled {
        why: String,
    },
}

pub trait Post {
    /// No answer is a fault: then the mail may have gone out or not.
    fn mail(&self, letter: &Letter<'_>) -> impl Future<Output = Result<Posted, Fault>>;
}

pub struct Ses {
    client: aws_sdk_ses::Client,
    sender: String,
    reply_to: Option<String>,
    /// With which the service tells of bounces and complaints.
    configuration_set: Option<String>,
}

impl Ses {
    pub fn new(
        aws: &SdkConfig,
        meter: &Meter,
        sender: String,
        reply_to: String,
        configuration_set: String,
    ) -> Ses {
        let mut config = aws_sdk_ses::config::Builder::from(aws)
            .interceptor(CountCalls(meter.clone()))
            // A request whose answer was lost is a mail that may have gone out: only who counts attempts may repeat it.
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::builder().operation_timeout(TIME).build());
        if let Some(elsewhere) = edge::aws::endpoint_of("SES") {
            config = config.endpoint_url(elsewhere);
        }
        Ses {
            client: aws_sdk_ses::Client::from_conf(config.build()),
            sender,
            reply_to: Some(reply_to).filter(|address| !address.is_empty()),
            configuration_set: Some(configuration_set).filter(|set| !set.is_empty()),
        }
    }
}

impl Post for Ses {
    async fn mail(&self, letter: &Letter<'_>) -> Result<Posted, Fault> {
        let notice = letter.notice;
        let body = Body::builder()
            .text(content(&notice.text)?)
            .html(content(&notice.html)?);
        let message = Message::builder()
            .subject(content(&notice.subject)?)
            .body(body.build());
        let tag = MessageTag::builder()
            .name(TAG)
            .value(letter.notification_id)
            .build()
            .map_err(|error| Fault::Corrupt(error.to_string()))?;
        let request = self
            .client
            .send_email()
            .source(&self.sender)
            .set_configuration_set_name(self.configuration_set.clone())
            .set_reply_to_addresses(self.reply_to.clone().map(|address| vec![address]))
            .destination(Destination::builder().to_addresses(letter.address).build())
            .message(message.build())
            .tags(tag);
        match request.send().await {
            Ok(accepted) => Ok(Posted::Accepted {
                message_id: accepted.message_id,
            }),
            Err(error) => refusal(error),
        }
    }
}

fn content(text: &str) -> Result<Content, Fault> {
    Content::builder()
        .charset("UTF-8")
        .data(text)
        .build()
        .map_err(|error| Fault::Corrupt(error.to_string()))
}

/// A sender that is not verified, an account in the sandbox or paused, an address that is none: none of them becomes better by
/// asking again.
fn refusal(error: SdkError<SendEmailError>) -> Result<Posted, Fault> {
    let code = error.code().unwrap_or_default();
    let status = error
        .raw_response()
        .map(|response| response.status().as_u16());
    if error.as_service_error().is_none() || code.is_empty() {
        return Err(Fault::Transient(DisplayErrorContext(error).to_string()));
    }
    let words = error.message().unwrap_or("no reason was given");
    let why = format!("{code}: {words}");
    let is_throttled = THROTTLED.contains(&code);
    if is_throttled && !words.contains(QUOTA) {
        return Ok(Posted::Throttled { why });
    }
    let passes = is_throttled || PASSING.contains(&code);
    match status.is_some_and(|status| status < 500) && !passes {
        true => Ok(Posted::Refused { why }),
        false => Err(Fault::Transient(why)),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_ses::error::ErrorMetadata;
    use aws_smithy_runtime_api::http::{Response, StatusCode};
    use aws_smithy_types::body::SdkBody;

    use super::*;

    fn answered(status: u16, code: &str, words: &str) -> Result<Posted, Fault> {
        let metadata = ErrorMetadata::builder().code(code).message(words).build();
        let status = StatusCode::try_from(status).expect("a status");
        let response = Response::new(status, SdkBody::empty());
        let error = SendEmailError::generic(metadata);
        refusal(SdkError::service_error(error, response))
    }

    #[test]
    fn a_no_is_told_from_not_now() {
        let unverified =
            "Email address is not verified. The following identities failed: a@b.example";
        for (code, words) in [
            ("MessageRejected", unverified),
            ("AccountSendingPausedException", "paused"),
            ("MailFromDomainNotVerifiedException", "not verified"),
            ("InvalidParameterValue", "Missing final '@domain'"),
            ("AccessDenied", "not authorized"),
        ] {
            let why = format!("{code}: {words}");
            assert_eq!(answered(400, code, words), Ok(Posted::Refused { why }));
        }
        let too_much = "Maximum sending rate exceeded.";
        for code in ["Throttling", "TooManyRequestsException"] {
            let why = format!("{code}: {too_much}");
            assert_eq!(answered(400, code, too_much), Ok(Posted::Throttled { why }));
        }
        let today = answered(400, "Throttling", "Daily message quota exceeded.");
        assert!(matches!(today, Err(Fault::Transient(_))), "{today:?}");
        for (status, code) in [
            (503, "ServiceUnavailable"),
            (500, "Strange"),
            (502, ""),
            (400, ""),
        ] {
            let answer = answered(status, code, "Not now.");
            assert!(matches!(answer, Err(Fault::Transient(_))), "{code}");
        }
        let no_answer = SdkError::timeout_error("8 s are over");
        assert!(matches!(refusal(no_answer), Err(Fault::Transient(_))));
    }
}
