use edge::optout::Links;
use edge::{Error, Process, settings};
use notices::Notices;
use send::{Pace, Ports, Ses};
use store::schema::Table;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let process = Process::start()?;
    let sender = settings::optional("MAIL_SENDER");
    let reply_to = settings::optional("MAIL_REPLY_TO");
    let operator = settings::optional("OPERATOR_MAIL");
    let set = settings::optional("MAIL_CONFIGURATION_SET");
    let ports = Ports {
        store: &process.store(&[
            Table::Notifications,
            Table::Customers,
            Table::Suppressions,
            Table::Tallies,
        ])?,
        queue: &process.queue("MAIL_QUEUE_URL", "MAIL_DEAD_QUEUE_URL")?,
        post: &Ses::new(&process.aws, &process.meter, sender, reply_to, set),
        pace: &Pace::shared(
            settings::parsed("MAIL_RATE")?,
            settings::parsed("MAIL_CONCURRENCY")?,
        ),
        notices: &Notices::new()?,
        language: &settings::required("MAIL_LANGUAGE")?,
        operator: Some(operator.as_str()).filter(|address| !address.is_empty()),
        links: &Links::of(process.link_key()?),
    };
    process
        .serve(async |event, at| send::handle(&ports, event, at).await)
        .await
}
