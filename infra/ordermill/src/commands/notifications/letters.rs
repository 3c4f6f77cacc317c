//! Texts: of a notification, of one that there might be, and of one that tries the mail service.

use anyhow::{Context, Result, bail};
use domain::Status;
use domain::journal::{self, Change, Deed};
use domain::notification::{Kind, Name, OrderTold, Told};
use domain::order::Line;
use domain::preferences::Channel;
use domain::{Currency, Reason, ids};
use edge::optout::Subject;
use notices::{Facts, Notice, Notices};
use rust_decimal::Decimal;
use send::{Letter, Post, Posted, Ses};
use serde_json::json;
use store::dynamo::Meter;
use store::notifications::NotificationRecord;

use super::principal;
use crate::cli::Global;
use crate::cli::notifications::Preview;
use crate::cloud::Stack;
use crate::output;

/// As it is read.
pub async fn of(stack: &Stack, record: &NotificationRecord) -> Result<Notice> {
    let mailed = record.channel == Channel::Email;
    written(stack, None, &record.told, mailed).await
}

/// In this language, or the stack's; with the link that mails have, where it is one.
async fn written(
    stack: &Stack,
    language: Option<&str>,
    told: &Told,
    mailed: bool,
) -> Result<Notice> {
    let (customer, optout) = match told {
        Told::Order(order) => {
            let change = &order.change;
            let addressee = stack.store()?.addressee(&change.customer_id).await?;
            let optout = match mailed {
                true => Some(link(stack, change).await?),
                false => None,
            };
            (addressee.contact.name, optout)
        }
        Told::Import(_) => (None, None),
    };
    let language = match language {
        Some(language) => language,
        None => stack.output("MailLanguage")?,
    };
    Ok(Notices::new()?.told(language, told, customer.as_deref(), optout.as_deref())?)
}

/// As the mail has it.
async fn link(stack: &Stack, change: &Change) -> Result<String> {
    let subject = Subject {
        customer_id: change.customer_id.clone(),
        kind: Name::of(change).kind,
    };
    Ok(stack.links().await?.link(&subject).await?)
}

/// For a terminal, line by line.
pub fn plain(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(output::plain).collect();
    lines.join("\n")
}

pub async fn preview(global: &Global, stack: &Stack, options: &Preview) -> Result<bool> {
    let (store, id) = (stack.store()?, options.id.as_str());
    let told = if options.kind == Kind::Import {
        let import = store.import(id).await?;
        let Some(import) = import else {
            bail!("there is no import {}", output::plain(id));
        };
        let Some(told) = import.told() else {
            bail!("import {} is not over", output::plain(id));
        };
        Told::Import(told)
    } else {
        let Some(order) = store.order(id).await? else {
            bail!("there is no order {}", output::plain(id));
        };
        let sample = Sample {
            kind: options.kind,
            order_id: id,
            customer_id: &order.customer_id,
            currency: order.currency,
            total: order.total,
            lines: &order.lines,
            failure: order.failure,
        };
        let (change, status) = sample.change();
        Told::Order(OrderTold {
            change,
            status,
            total: order.total,
        })
    };
    let notice = written(stack, options.language.as_deref(), &told, true).await?;
    if let Some(path) = &options.html {
        std::fs::write(path, &notice.html)
            .with_context(|| format!("writing {}", path.display()))?;
    }
    if global.json {
        output::json(&notice)?;
    } else {
        println!("Subject: {}\n", output::plain(&notice.subject));
        println!("{}", plain(&notice.text));
    }
    Ok(true)
}

pub async fn test(global: &Global, stack: &Stack, address: &str) -> Result<bool> {
    let Some(sender) = stack.find_output("MailSender") else {
        bail!("the stack has no MailSender: what customers are told goes to the log");
    };
    if let Ok(known) = address.parse()
        && let Some(listed) = stack.store()?.suppression(&known).await?
    {
        bail!("{}", output::plain(&listed.refusal()));
    }
    let sample = Sample {
        kind: Kind::Confirmation,
        order_id: "TEST-1",
        customer_id: &ids::customer_id(address),
        currency: "USD".parse().context("a currency")?,
        total: Decimal::new(2590, 2),
        lines: &[Line {
            sku: "SAMPLE".to_owned(),
            quantity: 2,
            unit_price: Decimal::new(1295, 2),
        }],
        failure: None,
    };
    let (change, status) = sample.change();
    let optout = link(stack, &change).await?;
    let facts = Facts {
        change: &change,
        status,
        total: change.total,
        customer: None,
        optout: Some(&optout),
    };
    let reply_to = stack.find_output("MailReplyTo").unwrap_or_default();
    let set = stack
        .find_output("MailConfigurationSet")
        .unwrap_or_default();
    let ses = Ses::new(
        &stack.cloud.aws,
        &Meter::default(),
        sender.to_owned(),
        reply_to.to_owned(),
        set.to_owned(),
    );
    let letter = Letter {
        address,
        notification_id: &Name::of(&change).id(),
        notice: &Notices::new()?.write(stack.output("MailLanguage")?, &facts)?,
        optout: Some(&optout),
    };
    match ses.mail(&letter).await? {
        Posted::Accepted { message_id } if global.json => {
            output::json(&json!({"sender": sender, "message_id": message_id}))?;
        }
        Posted::Accepted { message_id } => {
            println!("Sent from {sender}: {}", output::plain(&message_id));
        }
        Posted::Refused { why } | Posted::Throttled { why } => {
            bail!("refused: {}", output::plain(&why))
        }
        Posted::Unanswered { why } => {
            bail!(
                "no answer, so it may have gone out: {}",
                output::plain(&why)
            )
        }
    }
    Ok(true)
}

/// A notification that there might be.
struct Sample<'a> {
    kind: Kind,
    order_id: &'a str,
    customer_id: &'a str,
    currency: Currency,
    total: Decimal,
    lines: &'a [Line],
    failure: Option<Reason>,
}

impl Sample<'_> {
    fn change(&self) -> (Change, Status) {
        let deed = |kind| Deed {
            kind,
            requested_by: principal(),
            reason: None,
        };
        let (status, failure, deed) = match self.kind {
            Kind::Confirmation | Kind::Refund | Kind::Import => (Status::Completed, None, None),
            Kind::Failed => {
                let reason = self.failure.unwrap_or(Reason::OutOfStock);
                (Status::Failed, Some(reason), None)
            }
            Kind::Shipping => (Status::Shipped, None, Some(deed(journal::Kind::Shipped))),
            Kind::Delivery => {
                let deed = deed(journal::Kind::Delivered);
                (Status::Delivered, None, Some(deed))
            }
            Kind::Cancellation => {
                let deed = deed(journal::Kind::Cancelled);
                (Status::Cancelled, None, Some(deed))
            }
        };
        let lines = self.lines.iter();
        let change = Change {
            order_id: self.order_id.to_owned(),
            customer_id: self.customer_id.to_owned(),
            failure,
            refund_id: (self.kind == Kind::Refund).then(|| "re_sample".to_owned()),
            deed,
            currency: self.currency,
            total: self.total,
            lines: lines
                .map(|line| (line.sku.clone(), line.quantity, line.unit_price))
                .collect(),
        };
        (change, status)
    }
}
