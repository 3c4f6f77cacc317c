use std::sync::Arc;

use api::Origin;
use api::optout::OptOutPage;
use edge::{Error, Process, settings};
use query::App;
use query::outside::Aws;
use store::schema::Table;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let process = Process::start()?;
    let tables = vec![
        Table::Customers,
        Table::Failures,
        Table::Imports,
        Table::Journal,
        Table::Notifications,
        Table::Orders,
        Table::Products,
        Table::Refunds,
        Table::Suppressions,
        Table::Tallies,
    ];
    let app = App {
        store: process.any_store(&tables)?,
        outside: Box::new(Aws {
            gauge: process.gauge()?,
            s3: process.s3(),
            bucket: settings::required("FILES_BUCKET")?,
            link_key: process.link_key()?,
        }),
        zone: settings::business_time_zone()?,
        currency: settings::parsed("DEFAULT_CURRENCY")?,
        tables,
        health: Default::default(),
        optout: OptOutPage {
            language: settings::required("MAIL_LANGUAGE")?,
        },
    };
    let origin = Origin::new(&settings::optional("ALLOWED_ORIGIN"));
    let router = api::router(query::routes(), Arc::new(app), origin);
    api::serve(process, router).await
}
