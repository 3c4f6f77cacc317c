//! What the mail service says, in each of its two spellings, by itself or in the envelope of the topic.

use std::collections::BTreeMap;

use domain::Fault;
use domain::limits::{REASON_BYTES, shortened};
use domain::notification::Name;
use domain::suppression::{Address, Cause};
use edge::mail::TAG;
use jiff::Timestamp;
use serde::Deserialize;

/// The header of a mail in which its tags stand, where they are not told otherwise.
const TAGS_HEADER: &str = "x-ses-message-tags";

/// What it says once, when it is told of the topic: for people, and nothing else.
const GREETING: &str = "Successfully validated SNS topic";

/// What it may tell besides, where somebody asks it to: nothing that has to be done.
const OF_NO_CONCERN: [&str; 8] = [
    "AmazonSnsSubscriptionSucceeded",
    "Send",
    "Delivery",
    "Received",
    "DeliveryDelay",
    "Open",
    "Click",
    "Subscription",
];

/// What happened to a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub what: What,
    /// The mail's recipient, and whoever the service says it was about.
    pub addresses: Vec<Address>,
    /// Where the mail says of which it is.
    pub notification: Option<Name>,
    pub message_id: String,
    pub at: Timestamp,
    pub words: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    Bounce {
        /// So would the next one.
        permanent: bool,
    },
    /// Something came back, and nobody knows whether the mail did not arrive: out-of-office notes come so.
    Reply,
    Complaint,
    /// The service thought better of it, and sent nothing.
    Reject,
}

impl What {
    /// Whether the address gets no mail any more.
    pub fn suppresses(self) -> Option<Cause> {
        match self {
            What::Bounce { permanent: true } => Some(Cause::Bounce),
            What::Bounce { permanent: false } | What::Reply | What::Reject => None,
            What::Complaint => Some(Cause::Complaint),
        }
    }
}

#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "Type")]
    kind: String,
    #[serde(rename = "Message")]
    message: String,
}

#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "eventType", alias = "notificationType")]
    kind: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    mail: Mail,
    bounce: Option<Bounce>,
    complaint: Option<Complaint>,
    reject: Option<Reject>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Mail {
    timestamp: Timestamp,
    message_id: String,
    #[serde(default)]
    destination: Vec<String>,
    #[serde(default)]
    tags: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    headers: Vec<Header>,
}

#[derive(Deserialize)]
struct Header {
    name: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bounce {
    bounce_type: String,
    #[serde(default)]
    bounce_sub_type: String,
    bounced_recipients: Vec<Recipient>,
    timestamp: Timestamp,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Complaint {
    complained_recipients: Vec<Recipient>,
    complaint_feedback_type: Option<String>,
    complaint_sub_type: Option<String>,
    timestamp: Timestamp,
}

#[derive(Deserialize)]
struct Reject {
    reason: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Recipient {
    email_address: String,
    status: Option<String>,
    diagnostic_code: Option<String>,
}

/// Nothing where nothing has to be done.
pub fn read(body: &str) -> Result<Option<Told>, Fault> {
    if let Ok(Envelope { kind, message }) = serde_json::from_str(body)
        && kind == "Notification"
    {
        return told(&message);
    }
    told(body)
}

fn told(body: &str) -> Result<Option<Told>, Fault> {
    if body.trim_start().starts_with(GREETING) {
        return Ok(None);
    }
    let unreadable = |error: serde_json::Error| {
        let what = "not what the mail service tells of a mail";
        Fault::unreadable(what, error.line(), error.column())
    };
    let Kind { kind } = serde_json::from_str(body).map_err(unreadable)?;
    if OF_NO_CONCERN.contains(&kind.as_str()) {
        return Ok(None);
    }
    let event: Event = serde_json::from_str(body).map_err(unreadable)?;
    let (what, of, at, words) = match (kind.as_str(), event.bounce, event.complaint, event.reject) {
        ("Bounce", Some(bounce), _, _) => bounced(bounce),
        ("Complaint", _, Some(complaint), _) => match complained(complaint) {
            Some(complained) => complained,
            None => return Ok(None),
        },
        ("Reject", _, _, Some(reject)) => {
            let words = format!("rejected: {}", reject.reason);
            (What::Reject, Vec::new(), event.mail.timestamp, words)
        }
        (kind, ..) => {
            // It is somebody else's word, and may be long.
            let kind = shortened(kind, 40);
            let why = format!("the mail service tells of a {kind:?}, and not how it was");
            return Err(Fault::Malformed(why));
        }
    };
    let addresses = addresses(&event.mail, &of);
    if addresses.is_empty() && what.suppresses().is_some() {
        let why = format!("{words}: of a mail to nobody");
        return Err(Fault::Malformed(why));
    }
    Ok(Some(Told {
        what,
        addresses,
        notification: notification(&event.mail),
        message_id: event.mail.message_id,
        at,
        words: shortened(&words, REASON_BYTES).to_owned(),
    }))
}

type Happened = (What, Vec<Recipient>, Timestamp, String);

fn bounced(bounce: Bounce) -> Happened {
    let what = match (bounce.bounce_type.as_str(), bounce.bounce_sub_type.as_str()) {
        ("Transient", "General") | ("Undetermined", _) => What::Reply,
        (kind, _) => What::Bounce {
            permanent: kind == "Permanent",
        },
    };
    let mut words = format!("bounced: {}", bounce.bounce_type);
    let details = bounce.bounced_recipients.iter();
    let details = details.filter_map(|of| of.diagnostic_code.as_ref().or(of.status.as_ref()));
    let kind = Some(&bounce.bounce_sub_type).filter(|kind| !kind.is_empty());
    for more in kind.into_iter().chain(details) {
        words.push_str(", ");
        words.push_str(more);
    }
    (what, bounce.bounced_recipients, bounce.timestamp, words)
}

/// Nothing where somebody says that the mail was wanted.
fn complained(complaint: Complaint) -> Option<Happened> {
    let kind = complaint.complaint_feedback_type;
    if kind.as_deref() == Some("not-spam") {
        return None;
    }
    let how: Vec<String> = kind
        .into_iter()
        .chain(complaint.complaint_sub_type)
        .collect();
    let words = match how.is_empty() {
        true => "complained".to_owned(),
        false => format!("complained: {}", how.join(", ")),
    };
    let of = complaint.complained_recipients;
    Some((What::Complaint, of, complaint.timestamp, words))
}

/// Who mails go to, and to whom they were forwarded: the service may name either. Where one mail had many recipients, it is
/// none of ours, and only those count that the service names.
fn addresses(mail: &Mail, of: &[Recipient]) -> Vec<Address> {
    let to = Some(&mail.destination).filter(|all| all.len() == 1);
    let named = of.iter().map(|of| &of.email_address);
    let all = to.into_iter().flatten().chain(named);
    let mut addresses: Vec<Address> = all.filter_map(|address| address.parse().ok()).collect();
    addresses.sort();
    addresses.dedup();
    addresses
}

fn notification(mail: &Mail) -> Option<Name> {
    if let Some(id) = mail.tags.get(TAG).and_then(|ids| ids.first()) {
        return Name::parse(id);
    }
    let header = |header: &&Header| header.name.eq_ignore_ascii_case(TAGS_HEADER);
    let tags = mail.headers.iter().find(header)?.value.split([',', ';']);
    let mut tags = tags.filter_map(|tag| tag.split_once('='));
    let (_, id) = tags.find(|(name, _)| name.trim() == TAG)?;
    Name::parse(id.trim())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const ID: &str = "nt_Ty0xCnJlZnVuZCNyZV8x";

    fn mail() -> Value {
        json!({
            "timestamp": "2026-03-01T12:00:00.000Z", "messageId": "m-1", "source": "orders@shop.example",
            "destination": ["Ada@Customers.example"],
            "tags": {"notification": [ID], "ses:configuration-set": ["ordermill-mail"]},
        })
    }

    fn bounce(kind: &str) -> Value {
        json!({"eventType": "Bounce", "mail": mail(), "bounce": {
            "feedbackId": "f-1", "bounceType": kind, "bounceSubType": "General", "timestamp": "2026-03-01T12:00:05.120Z",
            "bouncedRecipients": [{"emailAddress": "ada@elsewhere.example", "action": "failed", "status": "5.1.1",
                "diagnosticCode": "smtp; 550 5.1.1 user unknown"}],
        }})
    }

    fn told(event: &Value) -> Told {
        let told = read(&event.to_string()).expect("an event");
        told.expect("something to do")
    }

    #[test]
    fn a_bounce_is_read_in_every_spelling() {
        let event = bounce("Permanent");
        let expected = Told {
            what: What::Bounce { permanent: true },
            addresses: vec![
                "ada@customers.example".parse().expect("an address"),
                "ada@elsewhere.example".parse().expect("an address"),
            ],
            notification: Name::parse(ID),
            message_id: "m-1".to_owned(),
            at: "2026-03-01T12:00:05.12Z".parse().expect("an instant"),
            words: "bounced: Permanent, General, smtp; 550 5.1.1 user unknown".to_owned(),
        };
        assert!(expected.notification.is_some());
        assert_eq!(told(&event), expected);
        // As an identity tells it: under another name, and with the tags in a header, if at all.
        let mut of_identity = event.clone();
        of_identity["notificationType"] = of_identity["eventType"].take();
        let fields = of_identity.as_object_mut().expect("fields");
        fields.remove("eventType");
        let mail = of_identity["mail"].as_object_mut().expect("fields");
        mail.remove("tags");
        let untagged = Told {
            notification: None,
            ..expected.clone()
        };
        assert_eq!(told(&of_identity), untagged);
        of_identity["mail"]["headers"] =
            json!([{"name": "X-SES-MESSAGE-TAGS", "value": format!("a=b, notification={ID}")}]);
        assert_eq!(told(&of_identity), expected);
        for event in [&event, &of_identity] {
            let wrapped = json!({
                "Type": "Notification", "MessageId": "1", "TopicArn": "arn", "Message": event.to_string(),
                "Timestamp": "2026-03-01T12:00:06.000Z", "SignatureVersion": "1",
            });
            assert_eq!(told(&wrapped), expected);
        }
    }

    #[test]
    fn what_passes_costs_no_address() {
        for (kind, more, what) in [
            ("Transient", "General", What::Reply),
            ("Undetermined", "Undetermined", What::Reply),
            (
                "Transient",
                "MailboxFull",
                What::Bounce { permanent: false },
            ),
        ] {
            let mut event = bounce(kind);
            event["bounce"]["bounceSubType"] = json!(more);
            let told = told(&event);
            assert_eq!((told.what, told.what.suppresses()), (what, None));
            let words = format!("bounced: {kind}, {more}, ");
            assert!(told.words.starts_with(&words), "{}", told.words);
        }
        let reject =
            json!({"eventType": "Reject", "mail": mail(), "reject": {"reason": "Bad content"}});
        let reject = told(&reject);
        assert_eq!(
            (reject.what.suppresses(), reject.words.as_str()),
            (None, "rejected: Bad content")
        );
    }

    #[test]
    fn who_complains_gets_no_more_and_who_takes_it_back_does() {
        let complaint = |kind: Option<&str>| {
            json!({"eventType": "Complaint", "mail": mail(), "complaint": {
                "complainedRecipients": [{"emailAddress": "ada@customers.example"}], "complaintFeedbackType": kind,
                "complaintSubType": null, "timestamp": "2026-03-01T13:00:00.000Z",
            }})
        };
        for (kind, words) in [(Some("abuse"), "complained: abuse"), (None, "complained")] {
            let told = told(&complaint(kind));
            assert_eq!(told.what.suppresses(), Some(Cause::Complaint));
            assert_eq!((told.words.as_str(), told.addresses.len()), (words, 1));
        }
        let not_spam = complaint(Some("not-spam")).to_string();
        assert_eq!(read(&not_spam), Ok(None));
    }

    #[test]
    fn a_mail_to_many_counts_for_those_that_are_named() {
        let mut event = bounce("Permanent");
        event["mail"]["destination"] = json!(["one@x.example", "two@x.example"]);
        let told = told(&event);
        assert_eq!(told.addresses.len(), 1);
        assert_eq!(told.addresses[0].as_str(), "ada@elsewhere.example");
    }

    #[test]
    fn what_is_not_understood_is_malformed_and_what_needs_nothing_is_not() {
        for nothing in [
            "Successfully validated SNS topic for Amazon SES event publishing.".to_owned(),
            json!({"notificationType": "AmazonSnsSubscriptionSucceeded", "message": "…"})
                .to_string(),
            json!({"eventType": "Delivery", "mail": mail(), "delivery": {}}).to_string(),
        ] {
            assert_eq!(read(&nothing), Ok(None), "{nothing}");
            let wrapped = json!({"Type": "Notification", "Message": nothing});
            assert_eq!(read(&wrapped.to_string()), Ok(None));
        }
        let mut to_nobody = bounce("Permanent");
        to_nobody["mail"]["destination"] = json!([]);
        to_nobody["bounce"]["bouncedRecipients"] = json!([{"emailAddress": "?"}]);
        let mut of_no_day = bounce("Permanent");
        of_no_day["bounce"]["timestamp"] = json!("yesterday");
        for wrong in [
            String::new(),
            "a text".to_owned(),
            "{}".to_owned(),
            json!({"eventType": "Bounce", "mail": mail()}).to_string(),
            json!({"eventType": "Advert", "mail": mail()}).to_string(),
            json!({"eventType": "Bounce"}).to_string(),
            to_nobody.to_string(),
            of_no_day.to_string(),
        ] {
            let read = read(&wrong);
            assert!(
                matches!(read, Err(Fault::Malformed(_))),
                "{wrong}: {read:?}"
            );
        }
    }
}
