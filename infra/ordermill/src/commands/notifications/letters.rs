//! Texts: of a notification, of one that there might be, and of one that tries the mail service.

use anyhow::{Context, Result, bail};
use domain::journal::{self, Change, Deed};
use domain::notification::{Kind, Name, Told};
use domain::preferences::Channel;
use domain::{Reason, ids};
use edge::optout::Subject;
use notices::{Notice, Notices};
use rust_decimal::Decimal;
use send::{Letter, Post, Posted, Ses};
use serde_json::json;
use store::dynamo::Meter;
use store::notifications::{NotificationRecord, told_of};
use store::orders::OrderRecord;
use store::{Engine, Store};

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

/// What was told of it last, as its mail says; else what would be told, were it done now.
pub async fn told<E: Engine>(store: &Store<E>, id: &str, kind: Kind) -> Result<Told> {
    if kind == Kind::Import {
        let Some(import) = store.import(id).await? else {
            bail!("there is no import {}", output::plain(id));
        };
        let Some(told) = import.told() else {
            bail!("import {} is not over", output::plain(id));
        };
        return Ok(Told::Import(told));
    }
    let Some(order) = store.order(id).await? else {
        bail!("there is no order {}", output::plain(id));
    };
    let said = store.notifications_of(id).await?.into_iter().rev();
    let mut said = said.filter(|record| record.name().kind == kind);
    Ok(match said.next() {
        Some(record) => record.told,
        None => Told::Order(told_of(would_be(&order, kind)?, Some(&order))?),
    })
}

pub async fn preview(global: &Global, stack: &Stack, options: &Preview) -> Result<bool> {
    let told = told(&stack.store()?, &options.id, options.kind).await?;
    let notice = written(stack, options.language.as_deref(), &told, true).await?;
    if let Some(path) = &options.html {
        std::fs::write(path, &notice.html)
            .with_context(|| format!("writing {}", path.display()))?;
    }
    if global.json {
        output::json(&notice)?;
    } else {
        outln!("Subject: {}\n", output::plain(&notice.subject));
        outln!("{}", plain(&notice.text));
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
    let change = Change {
        order_id: "TEST-1".to_owned(),
        customer_id: ids::customer_id(address),
        failure: None,
        refund_id: None,
        reason: None,
        deed: None,
        currency: "USD".parse().context("a currency")?,
        total: Decimal::new(2590, 2),
        lines: vec![("SAMPLE".to_owned(), 2, Decimal::new(1295, 2))],
    };
    let optout = link(stack, &change).await?;
    let told = Told::Order(told_of(change, None)?);
    let language = stack.output("MailLanguage")?;
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
        notification_id: &told.name().id(),
        notice: &Notices::new()?.told(language, &told, None, Some(&optout))?,
        optout: Some(&optout),
    };
    match ses.mail(&letter).await? {
        Posted::Accepted { message_id } if global.json => {
            output::json(&json!({"sender": sender, "message_id": message_id}))?;
        }
        Posted::Accepted { message_id } => {
            outln!("Sent from {sender}: {}", output::plain(&message_id));
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

/// The change that the journal would tell, were this done now.
fn would_be(order: &OrderRecord, kind: Kind) -> Result<Change> {
    let lines = |units: Vec<u32>| -> Vec<(String, u32, Decimal)> {
        let lines = order.lines.iter().zip(units);
        let lines = lines.filter(|(_, units)| *units > 0);
        lines
            .map(|(line, units)| (line.sku.clone(), units, line.unit_price))
            .collect()
    };
    let change = Change {
        order_id: order.order_id.clone(),
        customer_id: order.customer_id.clone(),
        failure: None,
        refund_id: None,
        reason: None,
        deed: None,
        currency: order.currency,
        total: order.total,
        lines: lines(order.lines.iter().map(|line| line.quantity).collect()),
    };
    let done = |kind, change| Change {
        deed: Some(Deed {
            kind,
            requested_by: principal(),
            reason: None,
        }),
        ..change
    };
    let nothing_back = |change| Change {
        lines: Vec::new(),
        ..change
    };
    Ok(match kind {
        Kind::Confirmation | Kind::Import => change,
        Kind::Failed => Change {
            failure: Some(order.failure.unwrap_or(Reason::OutOfStock)),
            ..change
        },
        Kind::Shipping => done(journal::Kind::Shipped, nothing_back(change)),
        Kind::Delivery => done(journal::Kind::Delivered, nothing_back(change)),
        // Of whatever is left.
        Kind::Refund if order.refundable.is_zero() => {
            bail!("nothing of this order is left to refund")
        }
        Kind::Refund => Change {
            refund_id: Some("re_sample".to_owned()),
            total: order.refundable,
            ..nothing_back(change)
        },
        Kind::Cancellation => match order.account().cancel(&order.lines) {
            None => bail!("a refund of this order is on its way"),
            Some((account, units)) => {
                let change = Change {
                    total: account.refunding,
                    lines: lines(units),
                    ..change
                };
                done(journal::Kind::Cancelled, change)
            }
        },
    })
}
