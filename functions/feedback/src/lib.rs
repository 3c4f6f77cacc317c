//! Takes what the mail service tells of mails that it took: addresses that bounced or complained get no more, and a notification
//! that did not arrive says so.
//!
//! Both are done by conditions on what is there, so an event may come any number of times, and in any sequence.

mod event;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use domain::Fault;
use domain::notification::{Name, Standing};
use domain::suppression::{Address, Cause};
use edge::Invocation;
use edge::messages::{self, Queue};
use jiff::Timestamp;
use store::feedback::Noted;
use store::suppressions::SuppressionRecord;
use store::{Engine, Store};

pub use event::{Told, What, read};

/// What feedback needs of the outside.
pub struct Ports<'a, E, Q> {
    pub store: &'a Store<E>,
    /// Where messages come from.
    pub queue: &'a Q,
}

pub async fn handle<E: Engine, Q: Queue>(
    ports: &Ports<'_, E, Q>,
    event: SqsEvent,
    invocation: Invocation,
) -> Result<SqsBatchResponse, Fault> {
    messages::hide_all(ports.queue, &event.records, invocation.remaining).await?;
    let mut failed: Vec<(&SqsMessage, Fault)> = Vec::new();
    for message in &event.records {
        if let Err(fault) = work_off(ports.store, message, invocation.now).await {
            failed.push((message, fault));
        }
    }
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures = messages::give_back(ports.queue, failed).await;
    Ok(response)
}

async fn work_off<E: Engine>(
    store: &Store<E>,
    message: &SqsMessage,
    now: Timestamp,
) -> Result<(), Fault> {
    let Some(told) = read(message.body.as_deref().unwrap_or_default())? else {
        return Ok(());
    };
    if let Some(cause) = told.what.suppresses() {
        for address in &told.addresses {
            store.suppress(&suppression(&told, address, cause)).await?;
        }
    }
    let noted = match &told.notification {
        Some(name) => note(store, name, &told, now).await?,
        None => Noted::Unknown,
    };
    if noted == Noted::TooEarly {
        let wait = "it is not on record yet that this mail was sent";
        return Err(Fault::Transient(wait.to_owned()));
    }
    tracing::warn!(
        notification.id = told.notification.as_ref().map(Name::id),
        mail.id = told.message_id,
        what = ?told.what,
        "a mail did not go well"
    );
    Ok(())
}

async fn note<E: Engine>(
    store: &Store<E>,
    name: &Name,
    told: &Told,
    now: Timestamp,
) -> Result<Noted, Fault> {
    let stands = match told.what {
        What::Complaint => return store.mail_unwanted(name, &told.words).await,
        What::Bounce { .. } | What::Reject => Standing::Failed,
        What::Reply => Standing::Sent,
    };
    let (id, words) = (&told.message_id, told.words.as_str());
    store.mail_came_back(name, id, (stands, words), now).await
}

fn suppression(told: &Told, address: &Address, cause: Cause) -> SuppressionRecord {
    SuppressionRecord {
        address: address.clone(),
        cause,
        reason: Some(told.words.clone()),
        notification_id: told.notification.as_ref().map(Name::id),
        message_id: Some(told.message_id.clone()),
        since: told.at,
        requested_by: None,
        lifted_at: None,
        lifted_by: None,
    }
}
