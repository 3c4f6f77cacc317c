//! The local stack, as `ordermill up` makes it: one emulator for the whole run, and a stack of its own for each test.

use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use domain::ids;
use edge::resend::{self, Claim};
use jiff::Timestamp;
use ordermill::cloud::{Cloud, Stack};
use ordermill::local::{Emulator, Life, Workspace};
use store::Store;
use store::dynamo::DynamoEngine;
use store::failures::{Changed, Listed};
use store::imports::Import;
use tokio::sync::{OnceCell, Semaphore};

/// The machine has few cores, and a stack keeps them busy: tests that use one take turns.
static TURN: Semaphore = Semaphore::const_new(1);
static EMULATOR: OnceCell<Emulator> = OnceCell::const_new();

pub struct Deployed {
    pub stack: Stack,
    _turn: tokio::sync::SemaphorePermit<'static>,
}

/// A fresh stack under this name.
pub async fn deployed(name: &str) -> Deployed {
    deployed_with(name, &[]).await
}

/// The same, with parameters of its own.
pub async fn deployed_with(name: &str, more: &[(&str, String)]) -> Deployed {
    let turn = TURN.acquire().await.expect("a turn");
    let workspace = Workspace::at(Path::new(env!("CARGO_MANIFEST_DIR"))).expect("a checkout");
    let emulator = emulator(&workspace).await;
    let cloud = Cloud::at(&emulator.endpoint()).await;
    let mut parameters: Vec<(&str, String)> = ordermill::local::parameters(2).to_vec();
    parameters.extend_from_slice(more);
    let stack = workspace
        .deploy(&cloud, name, &parameters)
        .await
        .expect("a template that deploys");
    Deployed { stack, _turn: turn }
}

/// The process whose children the functions are.
pub fn emulator_pid() -> u32 {
    EMULATOR
        .get()
        .map(Emulator::pid)
        .expect("an emulator that was started")
}

async fn emulator(workspace: &Workspace) -> &'static Emulator {
    EMULATOR
        .get_or_init(|| async {
            workspace.build(true).await.expect("functions that build");
            workspace
                .install_emulator()
                .await
                .expect("an emulator that installs");
            workspace
                .start_emulator(free_port(), Life::Private)
                .await
                .expect("an emulator that starts")
        })
        .await
}

pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

/// Uploads a file of orders and returns the id of its import.
pub async fn upload(stack: &Stack, name: &str, content: &[u8]) -> String {
    let (bucket, key) = (
        stack.output("FilesBucket").expect("a bucket"),
        format!("imports/{name}"),
    );
    let put = stack
        .cloud
        .s3()
        .put_object()
        .bucket(bucket)
        .key(&key)
        .body(content.to_vec().into())
        .send()
        .await
        .expect("uploaded");
    ids::import_id(bucket, &key, &put.version_id.expect("a versioned bucket"))
}

/// Waits for the end of an import, and checks on the way that its numbers add up at every moment.
pub async fn ended(
    store: &Store<DynamoEngine>,
    import_id: &str,
    limit_s: u64,
    pause: Duration,
) -> Import {
    let started = Instant::now();
    loop {
        if let Some(import) = store.import(import_id).await.expect("an answer") {
            assert!(
                import.progress.pending().is_some(),
                "more is settled than there is: {:?}",
                import.progress
            );
            if import.is_over() {
                return import;
            }
        }
        assert!(
            started.elapsed() < Duration::from_secs(limit_s),
            "{import_id} was not over after {limit_s} s"
        );
        tokio::time::sleep(pause).await;
    }
}

/// Sends what failed to its queue again, as the command does.
pub async fn retry(stack: &Stack, store: &Store<DynamoEngine>, failure_id: &str) -> Changed {
    let sources = stack.sources();
    let claim = Claim {
        token: failure_id,
        again: false,
        by: "tests",
    };
    let answer = resend::retry(store, &sources, failure_id, claim, Timestamp::now()).await;
    answer.expect("an answer")
}

/// Waits until the failures of `batches` are so.
pub async fn failed(
    store: &Store<DynamoEngine>,
    are_so: impl Fn(&[Listed]) -> bool,
) -> Vec<Listed> {
    failed_of(store, "batches", are_so).await
}

pub async fn failed_of(
    store: &Store<DynamoEngine>,
    queue: &str,
    are_so: impl Fn(&[Listed]) -> bool,
) -> Vec<Listed> {
    let started = Instant::now();
    loop {
        let listed = store.failures_of(queue).await.expect("an answer");
        if are_so(&listed) {
            return listed;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "{listed:#?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The function processes of a stack, by name: children of the emulator that Lambda's variables name.
pub fn functions(stack: &str) -> Vec<(String, u32)> {
    let mut found = Vec::new();
    let prefix = format!("AWS_LAMBDA_FUNCTION_NAME={stack}-");
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<u32>().ok())
        else {
            continue;
        };
        let status = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // After the name in parentheses: state, parent.
        let parent = status
            .rsplit(')')
            .next()
            .and_then(|rest| rest.split_whitespace().nth(1))
            .and_then(|parent| parent.parse().ok());
        if parent != Some(emulator_pid()) {
            continue;
        }
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        let mut variables = environment
            .split(|byte| *byte == 0)
            .map(String::from_utf8_lossy);
        if let Some(name) =
            variables.find_map(|variable| variable.strip_prefix(&prefix).map(str::to_owned))
        {
            found.push((name, pid));
        }
    }
    found
}
