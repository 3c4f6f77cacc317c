//! The local stack, as `ordermill up` makes it: a stack of its own for each test, on an emulator that runs one at a time.
//!
//! An emulator handles one request after the other, on one processor. So there are as many as there are processors, and a
//! test whose stack has to wait for a timeout leaves the processors to the others.

use std::path::Path;
use std::sync::{LazyLock, Mutex, PoisonError};

use domain::ids;
use edge::resend::{self, Claim};
use jiff::Timestamp;
use ordermill::cloud::{Cloud, Stack};
use ordermill::local::{Emulator, Life, Workspace};
use store::Store;
use store::dynamo::DynamoEngine;
use store::failures::{Changed, Listed};
use store::imports::Import;
use tokio::sync::{OnceCell, Semaphore, SemaphorePermit};

use super::wait::{seen, until};

/// An emulator and its functions hold up to a gigabyte.
const MOST_AT_ONCE: usize = 4;

static TURNS: LazyLock<Semaphore> = LazyLock::new(|| {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    Semaphore::new(processors.min(MOST_AT_ONCE))
});

/// Those that no test uses at the moment. They end with this process, however that ends.
static IDLE: Mutex<Vec<Host>> = Mutex::new(Vec::new());

/// The processes whose children the functions are.
static EMULATORS: Mutex<Vec<u32>> = Mutex::new(Vec::new());

static READY: OnceCell<()> = OnceCell::const_new();

/// Timeouts of queues that a test can wait for: a killed process may leave a message hidden for so long.
pub const SHORT_TIMEOUTS: (&str, &str) = ("QueueTimeouts", "short");

/// An emulator, and the stack that the test before left on it.
struct Host {
    emulator: Emulator,
    left: Option<String>,
}

pub struct Deployed {
    pub stack: Stack,
    host: Option<Host>,
    _turn: SemaphorePermit<'static>,
}

impl Drop for Deployed {
    fn drop(&mut self) {
        if let Some(mut host) = self.host.take() {
            host.left = Some(self.stack.name.clone());
            locked(&IDLE).push(host);
        }
    }
}

impl Deployed {
    pub fn emulator_pid(&self) -> u32 {
        let host = self.host.as_ref().expect("an emulator until the end");
        host.emulator.pid()
    }
}

/// A fresh stack under this name.
pub async fn deployed(name: &str) -> Deployed {
    deployed_with(name, &[]).await
}

/// The same, with parameters of its own.
pub async fn deployed_with(name: &str, more: &[(&str, String)]) -> Deployed {
    let turn = TURNS.acquire().await.expect("a turn");
    let workspace = Workspace::at(Path::new(env!("CARGO_MANIFEST_DIR"))).expect("a checkout");
    READY.get_or_init(|| built(&workspace)).await;
    let idle = locked(&IDLE).pop();
    let host = match idle {
        Some(host) => host,
        None => started(&workspace).await,
    };
    let cloud = Cloud::at(&host.emulator.endpoint()).await;
    if let Some(left) = &host.left {
        removed(&cloud, left).await;
    }
    let (key, value) = SHORT_TIMEOUTS;
    let mut parameters: Vec<(&str, String)> = ordermill::local::parameters(2).to_vec();
    parameters.push((key, value.to_owned()));
    parameters.extend_from_slice(more);
    let stack = workspace
        .deploy(&cloud, name, &parameters)
        .await
        .expect("a template that deploys");
    Deployed {
        stack,
        host: Some(host),
        _turn: turn,
    }
}

async fn built(workspace: &Workspace) {
    workspace.build(true).await.expect("functions that build");
    let installed = workspace.install_emulator().await;
    installed.expect("an emulator that installs");
}

async fn started(workspace: &Workspace) -> Host {
    let emulator = workspace.start_emulator(0, Life::Private).await;
    let emulator = emulator.expect("an emulator that starts");
    locked(&EMULATORS).push(emulator.pid());
    Host {
        emulator,
        left: None,
    }
}

/// Its queues are polled and its functions run until it is gone, whether anybody uses them or not.
async fn removed(cloud: &Cloud, name: &str) {
    let client = cloud.cloudformation();
    let deleted = client.delete_stack().stack_name(name).send().await;
    deleted.expect("a stack that is deleted");
    until("the end of a stack", async || {
        let described = client.describe_stacks().stack_name(name).send().await;
        let stacks = described.map(|found| found.stacks.unwrap_or_default());
        stacks.unwrap_or_default().iter().all(|stack| {
            let status = stack.stack_status.as_ref();
            status.is_some_and(|status| status.as_str().starts_with("DELETE_COMPLETE"))
        })
    })
    .await;
}

/// Also after a test that panicked.
fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
pub async fn ended(store: &Store<DynamoEngine>, import_id: &str) -> Import {
    let read = async || {
        let import = store.import(import_id).await.expect("an answer");
        if let Some(Import { progress, .. }) = &import {
            let adds_up = progress.pending().is_some();
            assert!(adds_up, "more is settled than there is: {progress:?}");
        }
        import
    };
    let is_over = |import: &Option<Import>| import.as_ref().is_some_and(Import::is_over);
    let ended = seen(import_id, read, is_over).await;
    ended.expect("an import that is over")
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
    let read = async || store.failures_of(queue).await.expect("an answer");
    seen("the failures", read, |listed| are_so(listed)).await
}

/// The function processes of a stack, by name: children of an emulator of ours that Lambda's variables name.
pub fn functions(stack: &str) -> Vec<(String, u32)> {
    let emulators = locked(&EMULATORS).clone();
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
            .and_then(|parent| parent.parse::<u32>().ok());
        if parent.is_none_or(|parent| !emulators.contains(&parent)) {
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
