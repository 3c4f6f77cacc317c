use std::sync::Arc;

use api::Origin;
use api::optout::OptOutPage;
use command::App;
use command::outside::Aws;
use edge::resend::SqsSources;
use edge::{Error, Process, settings};
use intake::Settings;
use store::schema::Table;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let process = Process::start()?;
    let queues = process.queues()?;
    let app = App {
        store: process.any_store(&[
            Table::Catalogs,
            Table::Customers,
            Table::Failures,
            Table::Journal,
            Table::Notifications,
            Table::Orders,
            Table::Products,
            Table::Refunds,
            Table::Suppressions,
            Table::Tallies,
        ])?,
        outside: Box::new(Aws {
            batches: process.outbox("BATCHES_QUEUE_URL")?,
            refunds: process.outbox("REFUNDS_QUEUE_URL")?,
            entries: process.outbox("ENTRIES_QUEUE_URL")?,
            mails: process.outbox("MAIL_QUEUE_URL")?,
            payment_key: process.payment_key()?,
            link_key: process.link_key()?,
            sources: SqsSources::new(process.sqs(), queues.sources()),
            queues,
            s3: process.s3(),
            bucket: settings::required("FILES_BUCKET")?,
        }),
        zone: settings::business_time_zone()?,
        intake: Settings {
            default_currency: settings::parsed("DEFAULT_CURRENCY")?,
            total_policy: settings::parsed("TOTAL_POLICY")?,
        },
        optout: OptOutPage {
            language: settings::required("MAIL_LANGUAGE")?,
        },
    };
    let origin = Origin::new(&settings::optional("ALLOWED_ORIGIN"));
    let router = api::router(command::routes(), Arc::new(app), origin);
    api::serve(process, router).await
}
