//! Files of orders: sent in a request, or uploaded past it.

use std::time::Duration;

use api::{Answer, At, Code, Data, Draw, Params, Problem, bytes, link, media_type};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use domain::limits::EXPANSION;
use intake::{Reader, Row, Settings, Step};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::Shared;

/// Bytes of a file in a request. An event of a function holds six megabytes, of which quotes take two each.
const FILE_BYTES: usize = 5 * 1024 * 1024;

/// Bytes of text that are read before a file is taken: enough to know what kind of file it is, and read in well under a
/// second. A compressed file may hold far more than its request.
const CHECKED_BYTES: u64 = 8 * 1024 * 1024;

/// Bytes of a file that are read in one go. Compressed, they expand to four megabytes at most.
const PIECE_BYTES: usize = 4 * 1024;

/// How long an upload may begin.
const UPLOAD: Duration = Duration::from_secs(900);

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FileName {
    /// What the file is called.
    #[param(pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$", default = "orders.csv")]
    name: Option<String>,
}

/// A file that was taken.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Taken {
    import_id: String,
    /// Where it is told how far it is: in a moment, when the file was announced.
    url: String,
    /// Its key in the bucket.
    file: String,
}

/// Where to put a file.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Upload {
    #[schema(value_type = String)]
    method: &'static str,
    /// The file is the body of a request to this, without a token.
    upload_url: String,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// Its key in the bucket.
    file: String,
    /// Where its import is found, once it is uploaded.
    imports_url: String,
}

/// Take in a file of orders.
///
/// A file of up to 5 MB is the body. For a larger one, send nothing: the answer says where to upload it.
#[utoipa::path(
    post, path = "/orders/import", tag = "imports", operation_id = "import_orders",
    params(FileName),
    request_body(
        content((Option<String> = "text/csv"), (Option<Vec<u8>> = "application/gzip")),
        description = "UTF-8, or compressed. Any other encoding is uploaded.",
    ),
    responses(
        (status = 200, description = "Nothing was sent: where to upload the file", body = Data<Upload>),
        (status = 202, description = "Taken", body = Data<Taken>),
    ),
    security(("token" = ["import"]))
)]
pub async fn file(
    State(app): Shared,
    Params(params): Params<FileName>,
    At(now): At,
    Draw(draw): Draw,
    request: Request,
) -> Answer<Response> {
    let kind = media_type(request.headers());
    let body = bytes(request, FILE_BYTES).await?;
    if body.is_empty() {
        let name = name(params.name.as_deref().unwrap_or("orders.csv"))?;
        let file = format!("imports/uploads/{draw:016x}/{name}");
        let upload_url = app.outside.upload_url(&file, UPLOAD).await?;
        let lasts = SignedDuration::try_from(UPLOAD).unwrap_or_default();
        return Ok(Data::new(Upload {
            method: "PUT",
            upload_url,
            expires_at: now.checked_add(lasts).unwrap_or(now),
            imports_url: link(&format!("/imports?file={file}")),
            file,
        })
        .into_response());
    }
    let usual = match kind.as_str() {
        "text/csv" => "orders.csv",
        "application/gzip" => "orders.csv.gz",
        _ => {
            let detail = "a file of orders is text/csv, or application/gzip";
            return Err(Problem::new(Code::UnsupportedMediaType, detail));
        }
    };
    // What the gateway could not read as UTF-8, it has replaced.
    if kind == "text/csv" && String::from_utf8_lossy(&body).contains('\u{fffd}') {
        let detail = "this is not UTF-8: upload the file, which may have another encoding";
        return Err(Problem::new(Code::Unprocessable, detail));
    }
    check(&body, app.intake)?;
    let name = name(params.name.as_deref().unwrap_or(usual))?;
    let file = format!("imports/http/{name}");
    let version = app.outside.put(&file, body).await?;
    let import_id = app.outside.import_id(&file, &version);
    let taken = Taken {
        url: link(&format!("/imports/{import_id}")),
        import_id,
        file,
    };
    Ok((StatusCode::ACCEPTED, Data::new(taken)).into_response())
}

/// Whether it is a file of orders at all. Rows, and what stands behind the part that is read, are told in its import.
fn check(file: &[u8], settings: Settings) -> Answer<()> {
    let mut reader = Reader::new(settings, None);
    let (mut rows, mut pushed) = (Vec::new(), 0);
    for piece in file.chunks(PIECE_BYTES) {
        reader.push(piece);
        pushed += piece.len() as u64;
        if read_on(&mut reader, &mut rows)? {
            return Ok(());
        }
        let text = reader.text_bytes();
        if text >= CHECKED_BYTES {
            return expands_as_orders_do(text, pushed);
        }
    }
    reader.end();
    read_on(&mut reader, &mut rows).map(|_| ())
}

/// Reads what was pushed. True at the end of the file.
fn read_on(reader: &mut Reader, rows: &mut Vec<Row>) -> Answer<bool> {
    loop {
        let step = reader.step(rows).map_err(|error| {
            let detail = format!("this is no file of orders: {error}");
            Problem::new(Code::Unprocessable, detail)
        })?;
        rows.clear();
        match step {
            Step::Row => {}
            Step::More => return Ok(false),
            Step::Over(_) => return Ok(true),
        }
    }
}

fn expands_as_orders_do(text: u64, packed: u64) -> Answer<()> {
    if text <= packed.saturating_mul(EXPANSION) {
        return Ok(());
    }
    let detail = format!(
        "the file expands to more than {EXPANSION} times its size, as files of orders do not: \
         send it uncompressed, or upload it"
    );
    Err(Problem::new(Code::BodyTooLarge, detail))
}

/// Part of a key in the bucket: nothing in it means anything there.
fn name(name: &str) -> Answer<&str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let starts = name
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_alphanumeric());
    if starts && name.len() <= 100 && name.bytes().all(plain) {
        return Ok(name);
    }
    let detail = "a name has up to 100 letters, digits, points, dashes and underscores";
    Err(Problem::of_field(Code::InvalidParameter, "name", detail))
}
