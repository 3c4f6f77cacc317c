//! Reads an uploaded catalog file, and makes products and stock what it says.
//!
//! Every row may be repeated: the store sees to it that a file changes a product once. So a run that dies is followed by
//! another that starts from the beginning, and nothing has to be remembered in between.

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use domain::limits::FILE_BYTES;
use domain::{Currency, Fault, ids};
use edge::Invocation;
use edge::messages::{self, Queue};
use files::{Body, Files, Object, Opened, RejectsFile, arrivals, rejects_key};
use futures::stream::{self, StreamExt, TryStreamExt};
use intake::{CatalogItem, CatalogReader, CatalogRow, FileError, Reject, Step};
use store::catalogs::CatalogRecord;
use store::products::{Catalog, Listed, Listing};
use store::{Engine, Store};

/// Rows that are held before they are written: a small piece of a compressed file may hold millions.
const ROWS_HELD: usize = 1_000;

/// Products that are written at once.
const WRITES_AT_ONCE: usize = 16;

/// What a run needs of the outside.
pub struct Ports<'a, E, F, Q> {
    pub store: &'a Store<E>,
    pub files: &'a F,
    /// Where the messages about files come from.
    pub arrivals: &'a Q,
}

pub async fn handle<E: Engine, F: Files, Q: Queue>(
    ports: &Ports<'_, E, F, Q>,
    default_currency: Currency,
    event: SqsEvent,
    invocation: Invocation,
) -> Result<SqsBatchResponse, Fault> {
    let mut response = SqsBatchResponse::default();
    for message in &event.records {
        let work = read(ports, default_currency, message, invocation);
        if let Err(fault) = messages::while_hidden(ports.arrivals, message, work).await {
            let failures = messages::give_back(ports.arrivals, [(message, fault)]).await;
            response.batch_item_failures.extend(failures);
        }
    }
    Ok(response)
}

async fn read<E: Engine, F: Files, Q: Queue>(
    ports: &Ports<'_, E, F, Q>,
    default_currency: Currency,
    message: &SqsMessage,
    invocation: Invocation,
) -> Result<(), Fault> {
    for object in arrivals(message.body.as_deref().unwrap_or_default())? {
        let catalog_id = ids::catalog_id(&object.bucket, &object.key, &object.version);
        let (bucket, key) = (&object.bucket, &object.key);
        let new = CatalogRecord::new(&catalog_id, bucket, key, object.size, invocation.now);
        let mut record = ports.store.begin_catalog(&new).await?;
        if record.is_over() {
            continue;
        }
        record.reason = load(ports, default_currency, &object, &mut record).await?;
        record.read_at = Some(invocation.now);
        tracing::info!(
            catalog.id = catalog_id,
            rows = record.rows,
            rejected = record.rejected,
            loaded = record.loaded,
            "a catalog was read"
        );
        ports.store.end_catalog(&record).await?;
    }
    Ok(())
}

/// Why the file cannot be taken to its end, if so.
async fn load<E: Engine, F: Files, Q: Queue>(
    ports: &Ports<'_, E, F, Q>,
    default_currency: Currency,
    object: &Object,
    record: &mut CatalogRecord,
) -> Result<Option<String>, Fault> {
    if object.size > FILE_BYTES {
        return Ok(Some(FileError::too_large(object.size).to_string()));
    }
    let mut body = match ports.files.open(object, 0).await? {
        Opened::Body(body) => body,
        Opened::Gone | Opened::Replaced => return Ok(Some("the object is gone".to_owned())),
    };
    let catalog = Catalog {
        catalog_id: record.catalog_id.clone(),
        uploaded_at: object.uploaded_at,
        policy: record.policy,
    };
    let key = rejects_key(&record.catalog_id);
    let mut rejects = RejectsFile::new(ports.files.upload(&object.bucket, &key));
    let mut reader = CatalogReader::new(default_currency);
    let mut items = Vec::new();
    let reason = loop {
        let step = reader.step(&mut items);
        if matches!(step, Ok(Step::Row)) && items.len() < ROWS_HELD {
            continue;
        }
        record.rows += items.len() as u64;
        let rejected = apply(ports.store, std::mem::take(&mut items), &catalog, record).await?;
        rejects.add(&rejected).await?;
        match step {
            Ok(Step::More) => match body.next().await? {
                Some(piece) => reader.push(&piece),
                None => reader.end(),
            },
            Ok(Step::Row) => {}
            Ok(Step::Over(_)) => break None,
            Err(error) => break Some(error.to_string()),
        }
    };
    record.rejected = rejects.finish().await?;
    Ok(reason)
}

/// Writes the products, and returns the rows that are rejected, in the sequence of the file.
async fn apply<E: Engine>(
    store: &Store<E>,
    items: Vec<CatalogItem>,
    catalog: &Catalog,
    record: &mut CatalogRecord,
) -> Result<Vec<Reject>, Fault> {
    let list = async |item: CatalogItem| match item {
        CatalogItem::Reject(reject) => Ok(Err(reject)),
        CatalogItem::Product(row) => {
            let listed = store.list_product(&listing(&row), catalog).await?;
            Ok::<_, Fault>(match listed {
                Listed::TooMany => Err(row.over_the_limit()),
                listed => Ok(listed),
            })
        }
    };
    let outcomes: Vec<Result<Listed, Reject>> = stream::iter(items)
        .map(list)
        .buffered(WRITES_AT_ONCE)
        .try_collect()
        .await?;
    let mut rejects = Vec::new();
    for outcome in outcomes {
        match outcome {
            Ok(Listed::Loaded) => record.loaded += 1,
            Ok(Listed::Skipped) => record.skipped += 1,
            Ok(Listed::Outdated) => record.outdated += 1,
            // Turned into a reject above.
            Ok(Listed::TooMany) => {}
            Err(reject) => rejects.push(reject),
        }
    }
    Ok(rejects)
}

fn listing(row: &CatalogRow) -> Listing {
    Listing {
        sku: row.sku.clone(),
        name: row.name.clone(),
        price: row.price.amount(),
        currency: row.price.currency(),
        stock: row.stock,
    }
}
