//! What it means when the mail service does not say yes.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::iter;

use aws_sdk_ses::error::{ProvideErrorMetadata, SdkError};
use domain::Fault;

use crate::Posted;

/// How the service says that this was too much at once.
const THROTTLED: [&str; 4] = [
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
];

/// What is in its words when it was too much for today: that takes longer.
const QUOTA: &str = "quota";

/// What passes by itself, and did nothing, by the service's own names.
const PASSING: [&str; 3] = ["ServiceUnavailable", "RequestExpired", "ExpiredToken"];

/// How the names begin of what is wrong with us, rather than with this mail: our role, our account, our settings. A person has
/// to mend it, and all mails that met it can go then.
const OURS: [&str; 8] = [
    "AccessDenied",
    "AccountSendingPaused",
    "ConfigurationSet",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "MailFromDomainNotVerified",
    "SignatureDoesNotMatch",
    "UnrecognizedClient",
];

/// An address that is none or is not verified does not become better by asking again: anything that the service says of a mail
/// and that is not named above is a no, in its words. They are kept, and the address is not part of them.
pub fn meaning<E>(error: SdkError<E>, address: &str) -> Result<Posted, Fault>
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let code = error.code().filter(|code| !code.is_empty());
    let Some((_, code)) = error.as_service_error().zip(code) else {
        let why = words(&error);
        return match never_left(&error) {
            true => Err(Fault::Transient(why)),
            false => Ok(Posted::Unanswered { why }),
        };
    };
    let status = error
        .raw_response()
        .map_or(0, |response| response.status().as_u16());
    let said = error.message().unwrap_or("no reason was given");
    let why = format!("{code}: {said}").replace(address, "the address");
    let is_throttled = THROTTLED.contains(&code);
    if is_throttled && !said.contains(QUOTA) {
        return Ok(Posted::Throttled { why });
    }
    if is_throttled || PASSING.contains(&code) {
        return Err(Fault::Transient(why));
    }
    if OURS.iter().any(|ours| code.starts_with(ours)) {
        return Err(Fault::Corrupt(why));
    }
    Ok(match status < 500 {
        true => Posted::Refused { why },
        false => Posted::Unanswered { why },
    })
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    iter::successors(Some(error), |error| (*error).source())
}

/// Without what programs would want to know of it, which is long.
fn words(error: &(dyn Error + 'static)) -> String {
    let words: Vec<String> = causes(error).map(ToString::to_string).collect();
    words.join(": ")
}

/// Whether nobody was reached. A connection that ends after that may have brought the request.
fn never_left(error: &(dyn Error + 'static)) -> bool {
    let broken = [
        ErrorKind::ConnectionReset,
        ErrorKind::ConnectionAborted,
        ErrorKind::BrokenPipe,
        ErrorKind::UnexpectedEof,
        ErrorKind::TimedOut,
    ];
    causes(error)
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| !broken.contains(&cause.kind()))
}

#[cfg(test)]
mod tests {
    use aws_sdk_ses::config::{BehaviorVersion, Credentials, Region};
    use aws_sdk_ses::error::ErrorMetadata;
    use aws_sdk_ses::operation::send_raw_email::SendRawEmailError;
    use aws_smithy_runtime_api::http::{Response, StatusCode};
    use aws_smithy_types::body::SdkBody;
    use tokio::net::TcpListener;

    use super::*;

    fn answered(status: u16, code: &str, words: &str) -> Result<Posted, Fault> {
        let metadata = ErrorMetadata::builder().code(code).message(words).build();
        let status = StatusCode::try_from(status).expect("a status");
        let response = Response::new(status, SdkBody::empty());
        let error = SendRawEmailError::generic(metadata);
        meaning(SdkError::service_error(error, response), "ada@b.example")
    }

    #[test]
    fn a_no_is_told_from_not_now_and_from_no_answer() {
        let unverified =
            "Email address is not verified. The following identities failed: ada@b.example";
        let why = "MessageRejected: Email address is not verified. The following identities failed: the address";
        let why = why.to_owned();
        let refused = answered(400, "MessageRejected", unverified);
        assert_eq!(refused, Ok(Posted::Refused { why }));
        let invalid = answered(400, "InvalidParameterValue", "Missing final '@domain'");
        assert!(matches!(invalid, Ok(Posted::Refused { .. })), "{invalid:?}");
        for code in [
            "AccountSendingPausedException",
            "MailFromDomainNotVerifiedException",
            "ConfigurationSetDoesNotExist",
            "AccessDenied",
            "AccessDeniedException",
        ] {
            let ours = answered(400, code, "a person has to look");
            assert!(matches!(ours, Err(Fault::Corrupt(_))), "{ours:?}");
        }
        let too_much = "Maximum sending rate exceeded.";
        for code in ["Throttling", "TooManyRequestsException"] {
            let why = format!("{code}: {too_much}");
            assert_eq!(answered(400, code, too_much), Ok(Posted::Throttled { why }));
        }
        for not_now in [
            answered(400, "Throttling", "Daily message quota exceeded."),
            answered(503, "ServiceUnavailable", "Not now."),
        ] {
            assert!(matches!(not_now, Err(Fault::Transient(_))), "{not_now:?}");
        }
        for (status, code) in [
            (500, "InternalFailure"),
            (500, "Strange"),
            (502, ""),
            (400, ""),
        ] {
            let answer = answered(status, code, "Not now.");
            assert!(
                matches!(answer, Ok(Posted::Unanswered { .. })),
                "{answer:?}"
            );
        }
        let no_answer = SdkError::<SendRawEmailError>::timeout_error("8 s are over");
        let no_answer = meaning(no_answer, "ada@b.example");
        assert!(
            matches!(no_answer, Ok(Posted::Unanswered { .. })),
            "{no_answer:?}"
        );
    }

    async fn asked(url: &str) -> Result<Posted, Fault> {
        let config = aws_sdk_ses::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("a", "b", None, None, "tests"))
            .http_client(edge::aws::http_client_for(Some(url)))
            .retry_config(aws_sdk_ses::config::retry::RetryConfig::disabled())
            .endpoint_url(url)
            .build();
        let client = aws_sdk_ses::Client::from_conf(config);
        let answer = client.get_send_quota().send().await;
        meaning(answer.expect_err("no answer"), "ada@b.example")
    }

    #[tokio::test]
    async fn who_was_not_reached_has_no_mail_to_send() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let hung_up = tokio::spawn(async move {
            let (connection, _) = listener.accept().await.expect("a connection");
            connection.readable().await.expect("a request");
        });
        let answer = asked(&url).await;
        assert!(
            matches!(answer, Ok(Posted::Unanswered { .. })),
            "{answer:?}"
        );
        hung_up.await.expect("it hung up");
        let answer = asked(&url).await;
        assert!(matches!(answer, Err(Fault::Transient(_))), "{answer:?}");
    }
}
