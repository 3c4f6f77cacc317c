use std::sync::Arc;

use api::Origin;
use command::App;
use command::outside::Aws;
use edge::{Error, Process, settings};
use store::schema::Table;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let process = Process::start()?;
    let app = App {
        store: process.any_store(&[Table::Orders, Table::Refunds])?,
        outside: Box::new(Aws {
            batches: process.outbox("BATCHES_QUEUE_URL")?,
            refunds: process.outbox("REFUNDS_QUEUE_URL")?,
            payment_key: process.payment_key()?,
        }),
    };
    let origin = Origin::new(&settings::optional("ALLOWED_ORIGIN"));
    let router = api::router(command::routes(), Arc::new(app), origin);
    api::serve(process, router).await
}
