//! Files that came in, and what could not be taken of them.

use api::views::{Conflict, Import};
use api::{Answer, Cursor, Data, Filled, Limit, Name, Page, Paging, Params, Problem};
use axum::Json;
use axum::extract::State;
use domain::progress::ImportStatus;
use serde::{Deserialize, Serialize};
use store::lists::imports::{ImportFilter, Source};
use store::page::{ListError, Position};
use utoipa::{IntoParams, ToSchema};

use crate::Shared;
use crate::outside::Rejected;

#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
enum Status {
    Reading,
    Processing,
    Completed,
    Failed,
}

impl From<Status> for ImportStatus {
    fn from(status: Status) -> ImportStatus {
        match status {
            Status::Reading => ImportStatus::Reading,
            Status::Processing => ImportStatus::Processing,
            Status::Completed => ImportStatus::Completed,
            Status::Failed => ImportStatus::Failed,
        }
    }
}

#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Kind {
    #[default]
    File,
    Order,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    #[param(inline)]
    status: Option<Status>,
    /// The whole key in the bucket, as an upload was told.
    #[param(value_type = Option<String>, min_length = 1, max_length = 1024)]
    file: Option<Filled<1024>>,
    /// Files, which it is by default, or orders that came one by one.
    #[serde(default)]
    #[param(inline, required = false)]
    source: Kind,
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, default = 50)]
    limit: Limit,
    /// The `next` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
}

/// What came in, the newest first.
#[utoipa::path(
    get, path = "/imports", tag = "imports", operation_id = "list_imports", params(Filter),
    responses((status = 200, description = "A page", body = Page<Import>)),
    security(("token" = ["read"]))
)]
pub async fn list(
    State(app): Shared,
    Params(params): Params<Filter>,
) -> Answer<Json<Page<Import>>> {
    let filter = ImportFilter {
        source: match params.source {
            Kind::File => Source::File,
            Kind::Order => Source::Order,
        },
        status: params.status.map(ImportStatus::from),
        file: params.file.as_ref().map(Filled::as_str),
    };
    let position: Option<Position> = params.cursor.map(|cursor| cursor.read()).transpose()?;
    let listed = app
        .store
        .list_imports(&filter, params.limit.0, position.as_ref());
    Ok(Page::of(listed.await?, |import| Import::from(&import)))
}

/// A file, and how far it is.
#[utoipa::path(
    get, path = "/imports/{import_id}", tag = "imports", operation_id = "import",
    params(("import_id" = String, Path)),
    responses(
        (status = 200, description = "The import", body = Data<Import>),
        (status = 404, description = "No such import: a file that was just uploaded is announced in a moment"),
    ),
    security(("token" = ["read"]))
)]
pub async fn one(State(app): Shared, Name(import_id): Name) -> Answer<Json<Data<Import>>> {
    let import = app.store.import(&import_id).await?;
    let import = import.ok_or_else(|| Problem::not_found("import"))?;
    Ok(Data::new(Import::from(&import)))
}

/// Rows that state other content than the existing order under their order id, by row. Nothing of them was taken.
#[utoipa::path(
    get, path = "/imports/{import_id}/conflicts", tag = "imports", operation_id = "conflicts",
    params(("import_id" = String, Path), Paging),
    responses(
        (status = 200, description = "A page", body = Page<Conflict>),
        (status = 404, description = "No such import"),
    ),
    security(("token" = ["read"]))
)]
pub async fn conflicts(
    State(app): Shared,
    Name(import_id): Name,
    Params(params): Params<Paging>,
) -> Answer<Json<Page<Conflict>>> {
    let position: Option<Position> = params.cursor.map(|cursor| cursor.read()).transpose()?;
    if app.store.import(&import_id).await?.is_none() {
        return Err(Problem::not_found("import"));
    }
    let listed = app
        .store
        .list_conflicts(&import_id, params.limit.0, position.as_ref());
    Ok(Page::of(listed.await?, |conflict| {
        Conflict::from(&conflict)
    }))
}

/// A row that was not taken.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Reject {
    /// The line of the file in which it starts.
    line: u64,
    row: u64,
    /// Why: the codes are those of the documentation of files.
    code: String,
    /// Empty, where it is the row as a whole.
    column: String,
    message: String,
    /// As it stands in the file; what is not UTF-8 there is not legible here.
    original: String,
}

/// The rows of a file that were not taken, in their sequence.
#[utoipa::path(
    get, path = "/imports/{import_id}/rejects", tag = "imports", operation_id = "rejects",
    params(("import_id" = String, Path), Paging),
    responses(
        (status = 200, description = "A page", body = Page<Reject>),
        (status = 404, description = "No such import"),
    ),
    security(("token" = ["read"]))
)]
pub async fn rejects(
    State(app): Shared,
    Name(import_id): Name,
    Params(params): Params<Paging>,
) -> Answer<Json<Page<Reject>>> {
    let from = params.cursor.map_or(Ok(0), |cursor| cursor.read())?;
    if app.store.import(&import_id).await?.is_none() {
        return Err(Problem::not_found("import"));
    }
    let Some(Rejected { bytes, is_all }) = app.outside.rejects(&import_id, from).await? else {
        return Ok(Page::new(Vec::new(), None::<&u64>));
    };
    let limit = usize::try_from(params.limit.0).unwrap_or(usize::MAX);
    let (rows, read) = intake::rejects::page(&bytes, from == 0, is_all, limit);
    let rest = !is_all || read < bytes.len();
    // No row is as long as a piece: this cursor leads into the middle of one.
    if rest && read == 0 {
        return Err(ListError::BadPosition.into());
    }
    let next = from.saturating_add(u64::try_from(read).unwrap_or_default());
    let rows = rows.into_iter().map(|row| Reject {
        line: row.line,
        row: row.row,
        code: row.code,
        column: row.column,
        message: row.message,
        original: String::from_utf8_lossy(&row.original).into_owned(),
    });
    Ok(Page::new(rows.collect(), rest.then_some(&next)))
}
