//! The mail service: what it is given, and what its answers mean.

use std::time::Duration;

use aws_sdk_ses::config::retry::RetryConfig;
use aws_sdk_ses::config::timeout::TimeoutConfig;
use aws_sdk_ses::operation::send_raw_email::SendRawEmailInput;
use aws_sdk_ses::primitives::Blob;
use aws_sdk_ses::types::{MessageTag, RawMessage};
use aws_types::SdkConfig;
use domain::Fault;
use edge::aws::CountCalls;
use edge::leave::{Input, Leave};
use edge::mail::TAG;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MultiPart};
use notices::Notice;
use store::dynamo::Meter;

use crate::refusal;

/// How long the service may take to answer.
const TIME: Duration = Duration::from_secs(8);

#[derive(Debug)]
pub struct Letter<'a> {
    pub address: &'a str,
    pub notification_id: &'a str,
    pub notice: &'a Notice,
    /// Where the addressee may say that this is too much mail. Nothing for whoever runs the mill.
    pub optout: Option<&'a str>,
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
    /// Nobody knows whether it went out.
    Unanswered {
        why: String,
    },
}

pub trait Post {
    /// A fault is about more than this mail, and the mail did not go out.
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
            .interceptor(CountCalls::new(meter, leave))
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

/// What leave its requests take: as this sender, and with this configuration set. In the sandbox the recipient's identity is
/// asked for, too; no stranger's address goes on record for that.
fn leave(input: &Input) -> Vec<Leave> {
    let Some(mail) = input.downcast_ref::<SendRawEmailInput>() else {
        return Vec::new();
    };
    let sender = mail
        .source
        .iter()
        .map(|sender| format!("identity/{sender}"));
    let set = mail.configuration_set_name.iter();
    let set = set.map(|set| format!("configuration-set/{set}"));
    let of = sender.chain(set);
    of.map(|of| ("ses:SendRawEmail", of)).collect()
}

impl Post for Ses {
    async fn mail(&self, letter: &Letter<'_>) -> Result<Posted, Fault> {
        let written = written(&self.sender, self.reply_to.as_deref(), letter);
        let raw = match written {
            Ok(raw) => RawMessage::builder().data(Blob::new(raw)).build(),
            Err(why) => return Ok(Posted::Refused { why }),
        };
        let raw = raw.map_err(|error| Fault::Corrupt(error.to_string()))?;
        let tag = MessageTag::builder()
            .name(TAG)
            .value(letter.notification_id)
            .build()
            .map_err(|error| Fault::Corrupt(error.to_string()))?;
        let request = self
            .client
            .send_raw_email()
            .source(&self.sender)
            .set_configuration_set_name(self.configuration_set.clone())
            .destinations(letter.address)
            .raw_message(raw)
            .tags(tag);
        match request.send().await {
            Ok(accepted) => Ok(Posted::Accepted {
                message_id: accepted.message_id,
            }),
            Err(error) => refusal::meaning(error, letter.address),
        }
    }
}

/// The mail as it travels: text and page, and the headers by which mail programs offer to end such mails with one click
/// (RFC 8058). A part that cannot be written is no mail, now or later.
fn written(sender: &str, reply_to: Option<&str>, letter: &Letter<'_>) -> Result<Vec<u8>, String> {
    // The words are kept, and the address is not part of them.
    let mailbox = |whose: &str, address: &str| -> Result<Mailbox, String> {
        let parsed = address.parse().ok().filter(|_| is_plain(address));
        let parsed = parsed.ok_or_else(|| format!("{whose} is no mail address"))?;
        Ok(Mailbox::new(None, parsed))
    };
    let mut message = Message::builder()
        .from(mailbox("MailSender", sender)?)
        .to(mailbox("this", letter.address)?)
        .subject(&letter.notice.subject);
    if let Some(optout) = letter.optout {
        let post = "List-Unsubscribe=One-Click".to_owned();
        message = message
            .raw_header(header("List-Unsubscribe", format!("<{optout}>")))
            .raw_header(header("List-Unsubscribe-Post", post));
    }
    if let Some(reply_to) = reply_to {
        message = message.reply_to(mailbox("MailReplyTo", reply_to)?);
    }
    let (text, html) = (letter.notice.text.clone(), letter.notice.html.clone());
    let message = message.multipart(MultiPart::alternative_plain_html(text, html));
    Ok(message.map_err(|error| error.to_string())?.formatted())
}

/// The service takes no others, and in a header each other character would have to be looked at.
fn is_plain(address: &str) -> bool {
    address.bytes().all(|byte| byte.is_ascii_graphic())
}

fn header(name: &'static str, value: String) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value)
}

#[cfg(test)]
mod tests {
    use mail_parser::MessageParser;

    use super::*;

    const LINK: &str = "https://a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com/api/unsubscribe/";

    fn notice(subject: &str) -> Notice {
        Notice {
            subject: subject.to_owned(),
            text: "Grüße aus Köln,\n.\nFrom here\n".to_owned(),
            html: format!("<html><p>Grüße</p>{}</html>", "<br>".repeat(500)),
        }
    }

    fn mail(subject: &str, address: &str, reply_to: Option<&str>) -> Result<Vec<u8>, String> {
        let optout = format!("{LINK}{}", "x".repeat(220));
        let letter = Letter {
            address,
            notification_id: "nt_1",
            notice: &notice(subject),
            optout: Some(&optout),
        };
        written("orders@shop.example", reply_to, &letter)
    }

    /// Each header by its name, as a mail program reads it.
    fn headers(raw: &[u8]) -> Vec<(String, String)> {
        let message = MessageParser::new().parse(raw).expect("a mail");
        let headers = message.headers_raw();
        let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        headers
            .map(|(name, value)| (name.to_ascii_lowercase(), plain(value)))
            .collect()
    }

    #[test]
    fn a_mail_has_each_header_once_and_both_texts() {
        let subject = "Ihre Bestellung für 5,00 € — ".repeat(9);
        let raw = mail(&subject, "ada@customers.example", Some("help@shop.example"));
        let raw = raw.expect("a mail");
        let headers = headers(&raw);
        let value = |name: &str| -> &str {
            let mut found = headers.iter().filter(|(found, _)| found == name);
            let (_, value) = found.next().unwrap_or_else(|| panic!("no {name}"));
            assert_eq!(found.next(), None, "two of {name}");
            value
        };
        assert_eq!(value("from"), "orders@shop.example");
        assert_eq!(value("to"), "ada@customers.example");
        assert_eq!(value("reply-to"), "help@shop.example");
        let link = format!("<{LINK}{}>", "x".repeat(220));
        assert_eq!(value("list-unsubscribe"), link);
        assert_eq!(value("list-unsubscribe-post"), "List-Unsubscribe=One-Click");
        assert!(!value("date").is_empty());
        assert_eq!(value("mime-version"), "1.0");
        assert!(value("content-type").starts_with("multipart/alternative"));
        let message = MessageParser::new().parse(&raw).expect("a mail");
        assert_eq!(message.subject(), Some(subject.trim_end()));
        let lines = |text: &str| text.replace("\r\n", "\n");
        let (text, html) = (message.body_text(0), message.body_html(0));
        assert_eq!(text.map(|text| lines(&text)), Some(notice("").text));
        assert_eq!(html.map(|html| lines(&html)), Some(notice("").html));
        assert_eq!(
            (message.text_body_count(), message.attachment_count()),
            (1, 0)
        );
        // As mail travels: lines of less than a thousand bytes, and nothing but ASCII.
        let raw = String::from_utf8(raw).expect("ASCII");
        assert!(
            raw.is_ascii()
                && raw
                    .split("\r\n")
                    .all(|line| line.len() < 998 && !line.contains(['\r', '\n']))
        );
    }

    #[test]
    fn nothing_that_others_wrote_becomes_a_header() {
        let evil = "Hello\r\nBcc: all@customers.example\r\n\r\nbody";
        for subject in [evil, "x\nBcc: a@b.example", "x\rBcc: a@b.example", "\0", ""] {
            let raw = mail(subject, "ada@customers.example", None).expect("a mail");
            let mut names: Vec<String> = headers(&raw).into_iter().map(|(name, _)| name).collect();
            names.sort();
            let expected = [
                "content-type",
                "date",
                "from",
                "list-unsubscribe",
                "list-unsubscribe-post",
                "mime-version",
                "subject",
                "to",
            ];
            assert_eq!(names, expected, "{subject:?}");
        }
        for address in [
            "",
            "ada",
            "a@b@c",
            "a@b.example, c@d.example",
            "Ada <a@b.example>",
            "a@b.example\r\nBcc: c@d.example",
            "a@b.example\n",
            "\"a\r\nBcc: c@d.example\r\n\"@b.example",
            "\"a b\"@b.example",
            "a@b.example>",
            "ä@b.example",
            "a@b.example\0",
        ] {
            let why = mail("x", address, None).expect_err(address);
            assert!(why.ends_with("is no mail address"), "{why}");
        }
        assert!(mail("x", "a.b+c_d-e@mail.b-c.example", None).is_ok());
    }
}
