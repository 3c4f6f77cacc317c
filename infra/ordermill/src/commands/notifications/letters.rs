//! Texts: of a notification, of one that there might be, and of one that tries the mail service.

use anyhow::{Context, Result, bail};
use domain::Status;
use domain::journal::{self, Change, Deed};
use domain::notification::{Kind, Name};
use domain::order::Line;
use domain::{Currency, Reason, ids};
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

/// As the customer reads it.
pub async fn of(stack: &Stack, record: &NotificationRecord) -> Result<Notice> {
    let customer = stack.store()?.addressee(&record.change.customer_id).await?;
    let facts = Facts {
        change: &record.change,
        status: record.order_status,
        total: record.total,
        customer: customer.contact.name.as_deref(),
    };
    Ok(Notices::new()?.write(stack.output("MailLanguage")?, &facts)?)
}

/// For a terminal, line by line.
pub fn plain(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(output::plain).collect();
    lines.join("\n")
}

pub async fn preview(global: &Global, stack: &Stack, options: &Preview) -> Result<bool> {
    let (store, order_id) = (stack.store()?, options.order_id.as_str());
    let Some(order) = store.order(order_id).await? else {
        bail!("there is no order {}", output::plain(order_id));
    };
    let sample = Sample {
        kind: options.kind,
        order_id,
        customer_id: &order.customer_id,
        currency: order.currency,
        total: order.total,
        lines: &order.lines,
        failure: order.failure,
    };
    let (change, status) = sample.change();
    let customer = store.addressee(&order.customer_id).await?;
    let facts = Facts {
        change: &change,
        status,
        total: order.total,
        customer: customer.contact.name.as_deref(),
    };
    let language = match &options.language {
        Some(language) => language,
        None => stack.output("MailLanguage")?,
    };
    let notice = Notices::new()?.write(language, &facts)?;
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
    let facts = Facts {
        change: &change,
        status,
        total: change.total,
        customer: None,
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
            Kind::Confirmation | Kind::Refund => (Status::Completed, None, None),
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
