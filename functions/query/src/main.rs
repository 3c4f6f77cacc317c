use std::sync::Arc;

use api::Origin;
use edge::{Error, Process, settings};
use query::App;
use query::outside::Aws;
use store::schema::Table;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let process = Process::start()?;
    let app = App {
        store: process.any_store(&[
            Table::Customers,
            Table::Failures,
            Table::Imports,
            Table::Journal,
            Table::Orders,
            Table::Products,
            Table::Refunds,
            Table::Tallies,
        ])?,
        outside: Box::new(Aws {
            queues: process.queues(&[
                (
                    "batches",
                    [
                        "BATCHES_QUEUE_URL",
                        "BATCHES_DEAD_QUEUE_URL",
                        "BATCHES_MAPPING",
                    ],
                ),
                (
                    "imports",
                    [
                        "IMPORTS_QUEUE_URL",
                        "IMPORTS_DEAD_QUEUE_URL",
                        "IMPORTS_MAPPING",
                    ],
                ),
                (
                    "catalogs",
                    [
                        "CATALOGS_QUEUE_URL",
                        "CATALOGS_DEAD_QUEUE_URL",
                        "CATALOGS_MAPPING",
                    ],
                ),
                (
                    "entries",
                    [
                        "ENTRIES_QUEUE_URL",
                        "ENTRIES_DEAD_QUEUE_URL",
                        "ENTRIES_MAPPING",
                    ],
                ),
                (
                    "refunds",
                    [
                        "REFUNDS_QUEUE_URL",
                        "REFUNDS_DEAD_QUEUE_URL",
                        "REFUNDS_MAPPING",
                    ],
                ),
                (
                    "notices",
                    [
                        "NOTICES_QUEUE_URL",
                        "NOTICES_DEAD_QUEUE_URL",
                        "NOTICES_MAPPING",
                    ],
                ),
                (
                    "mail",
                    ["MAIL_QUEUE_URL", "MAIL_DEAD_QUEUE_URL", "MAIL_MAPPING"],
                ),
            ])?,
            s3: process.s3(),
            bucket: settings::required("FILES_BUCKET")?,
        }),
        zone: settings::business_time_zone()?,
        currency: settings::parsed("DEFAULT_CURRENCY")?,
    };
    let origin = Origin::new(&settings::optional("ALLOWED_ORIGIN"));
    let router = api::router(query::routes(), Arc::new(app), origin);
    api::serve(process, router).await
}
