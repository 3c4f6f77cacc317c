//! `notifications`: what customers were told, and whoever runs the mill, and what they would be.

pub mod letters;

use anyhow::{Result, bail};
use api::views::{Notification, NotificationStats};
use domain::notification::Name;
use domain::preferences::Channel;
use edge::mail;
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::json;
use store::lists::notifications::NotificationFilter;
use store::notifications::{NotificationRecord, Resent};

use super::{now, principal};
use crate::cli::Global;
use crate::cli::notifications::{List, Notifications};
use crate::cloud::Stack;
use crate::output;

/// A list gives up after so many records that were not wanted.
const READ_IN_VAIN: usize = 20_000;

pub async fn run(global: &Global, stack: &Stack, command: &Notifications) -> Result<bool> {
    match command {
        Notifications::List(options) => list(global, stack, options).await,
        Notifications::Show { id } => show(global, stack, id).await,
        Notifications::Stats { from, to } => stats(global, stack, *from, *to).await,
        Notifications::Recount => recount(global, stack).await,
        Notifications::Resend { id, force } => resend(global, stack, id, *force).await,
        Notifications::Preview(options) => letters::preview(global, stack, options).await,
        Notifications::Test { address } => letters::test(global, stack, address).await,
    }
}

async fn list(global: &Global, stack: &Stack, options: &List) -> Result<bool> {
    let filter = NotificationFilter {
        kind: options.kind,
        channel: options.channel,
        status: options.status,
        customer_id: options.customer.as_deref(),
        from: options.from,
        to: options.to,
    };
    let (store, wanted) = (stack.store()?, options.limit as usize);
    let (mut found, mut position, mut read) = (Vec::new(), None, 0);
    while found.len() < wanted && read - found.len() < READ_IN_VAIN {
        let missing = u32::try_from(wanted - found.len())?;
        let page = store.list_notifications(&filter, now(), missing, position.as_ref());
        let page = page.await?;
        read += page.read.max(page.items.len());
        found.extend(page.items);
        position = page.next;
        if position.is_none() {
            break;
        }
    }
    let is_given_up = found.len() < wanted && position.is_some();
    if global.json {
        output::json(&found.iter().map(Notification::from).collect::<Vec<_>>())?;
    } else if found.is_empty() && !is_given_up {
        outln!("There are no such notifications.");
    } else if !found.is_empty() {
        outln!("{}", table(&found));
        if position.is_some() && !is_given_up {
            outln!("There are more: --limit shows them.");
        }
    }
    if is_given_up {
        errln!(
            "{read} notifications were read and {} match; older ones were not looked at: --to names an earlier last day.",
            found.len()
        );
    }
    Ok(true)
}

async fn recount(global: &Global, stack: &Stack) -> Result<bool> {
    let store = stack.store()?;
    let recounted = store.recount_notifications(|read| {
        if !global.json {
            errln!("{read} notifications so far");
        }
    });
    let recounted = recounted.await?;
    if global.json {
        output::json(&json!({"notifications": recounted}))?;
    } else {
        outln!("{recounted} notifications are counted.");
    }
    Ok(true)
}

async fn show(global: &Global, stack: &Stack, id: &str) -> Result<bool> {
    let store = stack.store()?;
    let found = match Name::parse(id) {
        Some(name) => store.notification(&name).await?.into_iter().collect(),
        None => store.notifications_of(id).await?,
    };
    let [record] = found.as_slice() else {
        if found.is_empty() {
            bail!("nobody was told of {}", output::plain(id));
        }
        if global.json {
            output::json(&found.iter().map(Notification::from).collect::<Vec<_>>())?;
        } else {
            outln!("{}", table(&found));
        }
        return Ok(true);
    };
    if global.json {
        output::json(&Notification::from(record))?;
        return Ok(true);
    }
    let instant = |at: Option<Timestamp>| at.map_or_else(String::new, |at| at.to_string());
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let rows = [
        ("notification", record.name().id()),
        ("about", record.order_id.clone()),
        ("type", record.name().kind.to_string()),
        (
            "customer",
            record.customer_id().unwrap_or_default().to_owned(),
        ),
        ("channel", record.channel.to_string()),
        ("status", record.status.to_string()),
        ("failure", text(&record.failure)),
        ("complaint", text(&record.complaint)),
        ("attempts", record.attempts.to_string()),
        ("created", record.created_at.to_string()),
        ("last tried", instant(record.tried_at)),
        ("sent", instant(record.sent_at)),
        ("sent again by", text(&record.resent_by)),
        ("mail service's id", text(&record.message_id)),
        ("message", record.message.clone()),
    ];
    let rows = rows.into_iter().filter(|(_, value)| !value.is_empty());
    let rows = rows.map(|(name, value)| [name.to_owned(), output::plain(&value)]);
    outln!("{}", output::table(&["", ""], &[], rows));
    let notice = letters::of(stack, record).await?;
    outln!("\n{}", letters::plain(&notice.text));
    Ok(true)
}

async fn stats(
    global: &Global,
    stack: &Stack,
    from: Option<Date>,
    to: Option<Date>,
) -> Result<bool> {
    let counted = stack.store()?.notification_stats(from, to, now()).await?;
    let stats = NotificationStats::of(&counted);
    if global.json {
        output::json(&stats)?;
        return Ok(true);
    }
    let rows = counted
        .counts
        .iter()
        .map(|((channel, kind, status), count)| {
            let of = [channel.to_string(), kind.to_string(), status.to_string()];
            of.into_iter().chain([count.to_string()])
        });
    outln!(
        "{}",
        output::table(&["channel", "type", "status", "count"], &[3], rows)
    );
    outln!(
        "{} from {} to {}; {} today.",
        stats.total_notifications,
        stats.from_date,
        stats.to_date,
        stats.today.total
    );
    Ok(true)
}

async fn resend(global: &Global, stack: &Stack, id: &str, force: bool) -> Result<bool> {
    let Some(name) = Name::parse(id) else {
        bail!("{} is no notification", output::plain(id));
    };
    let outbox = stack.outbox("MailQueueUrl")?;
    let by = principal();
    let store = stack.store()?;
    let resent = mail::resend(&store, &outbox, &name, force, &by, now()).await?;
    let record = match resent {
        Resent::Done(record) => record,
        Resent::Refused(record) => bail!(
            "it is {}: --force sends it all the same",
            record.status.name()
        ),
        Resent::Unknown => bail!("there is no notification {}", output::plain(id)),
    };
    if global.json {
        output::json(&Notification::from(&*record))?;
        return Ok(true);
    }
    let listed = match (record.channel, record.customer_id()) {
        (Channel::Email, Some(customer_id)) => {
            let customer = store.addressee(customer_id).await?;
            store.suppression_of(&customer).await?
        }
        _ => None,
    };
    match (record.channel, listed) {
        (Channel::Log, _) => outln!("It is on its way to the log of `send`."),
        (Channel::Email, None) => outln!("It is on its way again."),
        (Channel::Email, Some(listed)) => outln!(
            "It will not be sent: {}. `ordermill suppressions remove` comes first.",
            output::plain(&listed.refusal())
        ),
    }
    Ok(true)
}

fn table(records: &[NotificationRecord]) -> comfy_table::Table {
    let rows = records.iter().map(|record| {
        [
            record.name().id(),
            output::plain(&record.order_id),
            record.name().kind.to_string(),
            record.channel.to_string(),
            record.status.to_string(),
            record.created_at.to_string(),
            output::plain(record.failure.as_deref().unwrap_or_default()),
        ]
    });
    let header = [
        "notification",
        "about",
        "type",
        "channel",
        "status",
        "created",
        "failure",
    ];
    output::narrow(output::table(&header, &[], rows))
}
