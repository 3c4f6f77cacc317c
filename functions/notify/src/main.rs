use edge::{Error, Process, settings};
use notices::Notices;
use notify::Ports;
use store::schema::Table;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let process = Process::start()?;
    let tables = [
        Table::Journal,
        Table::Notifications,
        Table::Customers,
        Table::Orders,
        Table::Imports,
        Table::Tallies,
    ];
    let ports = Ports {
        store: &process.store(&tables)?,
        queue: &process.queue("NOTICES_QUEUE_URL", "NOTICES_DEAD_QUEUE_URL")?,
        subjects: &process.outbox("NOTICES_QUEUE_URL")?,
        mails: &process.outbox("MAIL_QUEUE_URL")?,
        notices: &Notices::new()?,
        language: &settings::required("MAIL_LANGUAGE")?,
        by_mail: !settings::optional("MAIL_SENDER").is_empty(),
        has_operator: !settings::optional("OPERATOR_MAIL").is_empty(),
    };
    process
        .serve(async |event, at| notify::handle(&ports, event, at).await)
        .await
}
