//! A link in a mail on the local stack: taken out of the mail as it came, opened, and used as a mail program uses it.

use domain::journal::Kind as Deed;
use domain::notification::{Kind, Name, Standing};
use domain::preferences::Channel;
use edge::optout::Subject;
use ordermill::cloud::Stack;
use reqwest::StatusCode;

use super::on_stack::{mails, messages};
use super::support::deployed_to_mail;
use crate::lifecycle::support::done;
use crate::support::stack::{ended, upload};
use crate::support::wait::seen;
use crate::support::{http, policies, stock};

const ORDER: &str = "OUT-1";

const SENDER: &str = "orders@optout.example";

#[tokio::test]
async fn a_link_in_a_mail_ends_the_mails() {
    let all = ("PaymentApprovalRate", "1".to_owned());
    let deployed = deployed_to_mail("optout", SENDER, [all]).await;
    let stack = &deployed.stack;
    let store = stack.store().expect("a store");
    stock(&store, &[("N-1", 10)]).await;
    let rows =
        "order_id,customer_id,customer_name,customer_email,product_sku,quantity,unit_price\n";
    let rows = format!("{rows}{ORDER},C-OUT,Zoë Grün,zoe@customers.example,N-1,1,9.99\n");
    let import_id = upload(stack, "optout.csv", rows.as_bytes()).await;
    let import = ended(&store, &import_id).await;
    assert_eq!(import.progress.completed, 1);

    let text = mail(stack).await;
    assert!(text.contains("Hello Zoë Grün,"), "{text}");
    let mut words = text.split_whitespace();
    let link = words.find(|word| word.contains("/unsubscribe/"));
    let link = link.expect("a link");
    let subject = Subject {
        customer_id: "C-OUT".to_owned(),
        kind: Kind::Confirmation,
    };
    let links = stack.links().await.expect("what links are made with");
    assert_eq!(links.link(&subject).await.as_deref(), Ok(link));

    let page = http().get(link).send().await.expect("an answer");
    assert_eq!(page.status(), StatusCode::OK);
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    let page = page.text().await.expect("a page");
    assert!(page.contains("that an order is confirmed"), "{page}");
    let preferences = async || {
        let found = store.preferences("C-OUT").await.expect("an answer");
        found.expect("a customer")
    };
    assert_eq!(preferences().await.channel, Channel::Email);

    for _ in 0..2 {
        let click = http().post(link).body("List-Unsubscribe=One-Click");
        let click = click.header("Content-Type", "application/x-www-form-urlencoded");
        let answer = click.send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(preferences().await.channel, Channel::Log);
    }
    let forged = http()
        .get(format!("{link}A"))
        .send()
        .await
        .expect("an answer");
    assert_eq!(forged.status(), StatusCode::NOT_FOUND);

    done(&store, Deed::Shipped, ORDER).await;
    let shipping = Name::at(ORDER, "shipping#1").expect("a name");
    let read = async || store.notification(&shipping).await.expect("an answer");
    let told = seen("the notification", read, Option::is_some).await;
    let told = told.expect("a notification");
    assert_eq!((told.channel, told.status), (Channel::Log, Standing::Sent));
    let seen = policies::check(stack).await;
    for function in ["notify", "send", "query", "command"] {
        assert!(seen.contains(function), "{function} did nothing: {seen:?}");
    }
}

/// What the customer got, as text.
async fn mail(stack: &Stack) -> String {
    let read = async || {
        let document = messages(stack).await;
        let texts = mails(&document).into_iter();
        let mut texts = texts.filter_map(|mail| mail["BodyText"].as_str());
        let found = texts.find(|text| text.contains(ORDER));
        found.map(str::to_owned)
    };
    let text = seen("the mail", read, Option::is_some).await;
    text.expect("a mail")
}
