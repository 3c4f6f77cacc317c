//! An endpoint that answers as AWS does where a test needs it, and keeps what was asked.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

/// What stands for a table that a test asks about.
pub const ITEMS: u64 = 3;

#[derive(Clone, Default)]
struct Service {
    asked: Arc<Mutex<Vec<String>>>,
    /// The operation at which the endpoint goes away.
    fatal: Option<&'static str>,
    server: Arc<Mutex<Option<AbortHandle>>>,
}

pub struct FakeAws {
    pub port: u16,
    service: Service,
}

impl FakeAws {
    pub async fn start() -> FakeAws {
        FakeAws::dies_at(None).await
    }

    pub async fn dies_at(fatal: Option<&'static str>) -> FakeAws {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let service = Service {
            fatal,
            ..Service::default()
        };
        let router = Router::new().fallback(answer).with_state(service.clone());
        let serve = async move { axum::serve(listener, router).await.expect("served") };
        let server = tokio::spawn(serve).abort_handle();
        *service.server.lock().expect("a lock") = Some(server);
        FakeAws { port, service }
    }

    /// The operations, or method and path, one after the other.
    pub fn asked(&self) -> Vec<String> {
        self.service.asked.lock().expect("a lock").clone()
    }
}

async fn answer(
    State(service): State<Service>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let operation = operation(&method, &uri, &headers, &body);
    service
        .asked
        .lock()
        .expect("a lock")
        .push(operation.clone());
    if service.fatal == Some(operation.as_str()) {
        let server = service.server.lock().expect("a lock").take();
        server.inspect(AbortHandle::abort);
        return (StatusCode::INTERNAL_SERVER_ERROR, [("connection", "close")]).into_response();
    }
    match operation.as_str() {
        "DescribeStacks" => ([("connection", "close")], stacks()).into_response(),
        "DescribeTable" => document(&json!({"Table": {"ItemCount": ITEMS}})),
        "Query" | "Scan" => document(&json!({"Items": [], "Count": 0, "ScannedCount": 0})),
        operation if operation.starts_with("PUT ") => {
            let headers = [
                ("connection", "close"),
                ("x-amz-version-id", "v1"),
                ("etag", "\"e\""),
            ];
            headers.into_response()
        }
        _ => document(&json!({})),
    }
}

fn document(document: &serde_json::Value) -> Response {
    let headers = [
        ("connection", "close"),
        ("content-type", "application/x-amz-json-1.0"),
    ];
    (headers, document.to_string()).into_response()
}

fn operation(method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> String {
    let target = headers
        .get("x-amz-target")
        .and_then(|target| target.to_str().ok());
    if let Some((_, operation)) = target.and_then(|target| target.split_once('.')) {
        return operation.to_owned();
    }
    let body = String::from_utf8_lossy(body);
    match body
        .strip_prefix("Action=")
        .and_then(|rest| rest.split('&').next())
    {
        Some(operation) => operation.to_owned(),
        None => format!("{method} {}", uri.path()),
    }
}

/// The stack of a test, in an account of its own.
fn stacks() -> String {
    let tables = store::schema::Table::ALL.map(|table| {
        let name = table.name();
        let key = format!("{}{}Table", name[..1].to_ascii_uppercase(), &name[1..]);
        (key, format!("ordermill-{name}"))
    });
    let others = [("FilesBucket", "files"), ("BusinessTimeZone", "UTC")];
    let others = others.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let outputs = tables.into_iter().chain(others).map(|(key, value)| {
        format!("<member><OutputKey>{key}</OutputKey><OutputValue>{value}</OutputValue></member>")
    });
    let outputs: String = outputs.collect();
    format!(
        "<DescribeStacksResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\"><DescribeStacksResult>\
         <Stacks><member><StackName>ordermill</StackName>\
         <StackId>arn:aws:cloudformation:eu-central-1:123456789012:stack/ordermill/1</StackId>\
         <CreationTime>2026-03-01T12:00:00Z</CreationTime><StackStatus>CREATE_COMPLETE</StackStatus>\
         <Outputs>{outputs}</Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>"
    )
}
