//! Bounces and complaints on the local stack: from the mail service's topic to the list of addresses that get no mail.

use std::collections::BTreeMap;

use domain::notification::{Kind, Name, Standing};
use domain::suppression::{Address, Cause};
use edge::mail;
use jiff::Timestamp;
use ordermill::cloud::Stack;
use ordermill::cost::logged;
use serde_json::{Value, json};
use store::Store;
use store::dynamo::DynamoEngine;
use store::notifications::NotificationRecord;
use store::suppressions::SuppressionRecord;

use super::feedback::the_list_is_kept;
use super::support::{deployed_to_mail, expected, records};
use crate::support::stack::{ended, failed_of, upload};
use crate::support::wait::until;
use crate::support::{http, policies, stock};

const SENDER: &str = "orders@feedback.example";

/// The emulator's mail service tells of mails to these what the real one would.
const BOUNCES: &str = "bounce+1@simulator.amazonses.com";
const COMPLAINS: &str = "complaint+1@simulator.amazonses.com";

const ORDERS: u64 = 200;

#[tokio::test]
async fn what_comes_back_reaches_the_list_and_the_notification() {
    let rate = ("MailRate", "200".to_owned());
    let deployed = deployed_to_mail("feedback", SENDER, [rate]).await;
    let stack = &deployed.stack;
    let ses = aws_sdk_ses::Client::new(&stack.cloud.aws);
    let topic = stack.output("MailFeedbackTopic").expect("a topic");
    use aws_sdk_ses::types::NotificationType::{Bounce, Complaint};
    for kind in [Bounce, Complaint] {
        let tell = ses.set_identity_notification_topic().identity(SENDER);
        let tell = tell.notification_type(kind).sns_topic(topic).send();
        tell.await.expect("an identity that tells");
    }
    let store = stack.store().expect("a store");
    the_list_is_kept(&store).await;
    stock(&store, &[("B-1", 1_000)]).await;
    let mut file =
        "order_id,customer_id,customer_email,product_sku,quantity,unit_price\n".to_owned();
    for row in 0..ORDERS {
        let email = match row {
            0 => BOUNCES.to_owned(),
            1 => COMPLAINS.to_owned(),
            _ => format!("c{row}@customers.example"),
        };
        file.push_str(&format!("B-{row},C-{row},{email},B-1,1,9.99\n"));
    }
    let import_id = upload(stack, "feedback.csv", file.as_bytes()).await;
    ended(&store, &import_id).await;
    let wanted = expected(&store).await;
    until("all mails", async || {
        let told = records(&store).await;
        let sent = told.values().all(|one| one.status == Standing::Sent);
        sent && told.keys().eq(&wanted)
    })
    .await;

    let usages = logged(stack, "send", 0).await.expect("a log");
    let mut calls: BTreeMap<String, u64> = BTreeMap::new();
    for (call, times) in usages.iter().flat_map(|usage| &usage.calls) {
        *calls.entry(call.clone()).or_default() += times;
    }
    let each = calls.values().sum::<u64>() as f64 / ORDERS as f64;
    println!(
        "{each:.2} calls a mail, in {} invocations: {calls:?}",
        usages.len()
    );

    // As the identity tells it, which does not say of which notification.
    let listed = suppressed(&store, BOUNCES).await;
    assert_eq!(listed.cause, Cause::Bounce);
    assert!(
        listed
            .reason
            .is_some_and(|why| why.starts_with("bounced: Permanent, General, smtp; 550"))
    );
    assert_eq!(suppressed(&store, COMPLAINS).await.cause, Cause::Complaint);

    // As the configuration set tells it; twice, and with what nobody understands.
    let (gone, unwanted) = (of(&store, 2).await, of(&store, 3).await);
    let bounce = json!({"eventType": "Bounce", "mail": mail_of(&gone), "bounce": {
        "bounceType": "Permanent", "bounceSubType": "NoEmail", "timestamp": Timestamp::now().to_string(),
        "bouncedRecipients": [{"emailAddress": "c2@customers.example"}],
    }});
    let complaint = json!({"eventType": "Complaint", "mail": mail_of(&unwanted), "complaint": {
        "complainedRecipients": [{"emailAddress": "c3@customers.example"}], "timestamp": Timestamp::now().to_string(),
    }});
    let strange = json!({"eventType": "Bounce", "mail": mail_of(&gone)});
    for event in [&bounce, &complaint, &strange, &bounce, &complaint] {
        publish(stack, topic, &event.to_string()).await;
    }
    let listed = suppressed(&store, "c2@customers.example").await;
    assert_eq!(listed.notification_id, Some(gone.name().id()));
    assert_eq!(
        suppressed(&store, "c3@customers.example").await.cause,
        Cause::Complaint
    );
    let failed = failed_of(&store, "feedback", |listed| listed.len() == 1).await;
    assert_eq!(failed[0].fault, "Malformed");
    until("both notifications", async || {
        let (gone, unwanted) = (of(&store, 2).await, of(&store, 3).await);
        gone.failure.as_deref() == Some("bounced: Permanent, NoEmail")
            && gone.status == Standing::Failed
            && (unwanted.status, unwanted.complaint.as_deref())
                == (Standing::Sent, Some("complained"))
    })
    .await;

    // Asked for by force, it goes to nobody until the address is off the list.
    let outbox = stack.outbox("MailQueueUrl").expect("a queue");
    let name = gone.name();
    for standing in [Standing::Suppressed, Standing::Sent] {
        if standing == Standing::Sent {
            let address = address("c2@customers.example");
            let lifted = store.lift_suppression(&address, "tests", Timestamp::now());
            assert!(lifted.await.expect("an answer").is_some());
            // What happened before is told again.
            publish(stack, topic, &bounce.to_string()).await;
        }
        let resent = mail::resend(&store, &outbox, &name, true, "tests", Timestamp::now()).await;
        resent.expect("an answer");
        until("the mail's end", async || {
            of(&store, 2).await.status == standing
        })
        .await;
    }
    let sent = of(&store, 2).await;
    assert_ne!(sent.message_id, gone.message_id);
    assert_eq!(
        store.suppression(&address("c2@customers.example")).await,
        Ok(None)
    );

    let set = stack.output("MailConfigurationSet").expect("a name");
    assert_eq!(set, format!("{}-mail", stack.name));
    let seen = policies::check(stack).await;
    assert!(
        seen.contains("feedback") && seen.contains("send"),
        "{seen:?}"
    );
}

fn address(text: &str) -> Address {
    text.parse().expect("an address")
}

/// That of a customer's order.
async fn of(store: &Store<DynamoEngine>, customer: u32) -> NotificationRecord {
    let found = store.notifications_of(&format!("B-{customer}")).await;
    let mut found = found.expect("an answer");
    assert!(matches!(
        found[0].name().kind,
        Kind::Confirmation | Kind::Failed
    ));
    found.swap_remove(0)
}

fn mail_of(record: &NotificationRecord) -> Value {
    let name: Name = record.name();
    let customer = record.customer_id().unwrap_or_default();
    let customer = customer.trim_start_matches("C-");
    json!({
        "timestamp": Timestamp::now().to_string(), "messageId": record.message_id, "tags": {"notification": [name.id()]},
        "destination": [format!("c{customer}@customers.example")],
    })
}

/// Asked for by hand: nothing else here needs the client of this service.
async fn publish(stack: &Stack, topic: &str, message: &str) {
    let endpoint = stack.cloud.endpoint.as_deref().expect("an emulator");
    let encoded = |text: &str| {
        percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
    };
    let (topic, message) = (encoded(topic), encoded(message));
    let body = format!("Action=Publish&Version=2010-03-31&TopicArn={topic}&Message={message}");
    let scope = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/sns/aws4_request, \
                 SignedHeaders=host, Signature=0";
    let request = http().post(endpoint).header("Authorization", scope);
    let request = request.header("Content-Type", "application/x-www-form-urlencoded");
    let answer = request.body(body).send().await.expect("an answer");
    assert!(answer.status().is_success(), "{answer:?}");
}

/// Why an address is on the list, when it is.
async fn suppressed(store: &Store<DynamoEngine>, of: &str) -> SuppressionRecord {
    let address = address(of);
    until(of, async || {
        let found = store.suppression(&address).await;
        found.expect("an answer").is_some()
    })
    .await;
    let found = store.suppression(&address).await.expect("an answer");
    found.expect("a suppression")
}
