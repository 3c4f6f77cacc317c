//! The command as a process of its own: what it prints, where it works, and how it ends.

mod fake_aws;
mod local_stack;
mod on_stack;
mod output;
mod target;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use domain::ids;
use ordermill::local::Workspace;
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};
use tokio::sync::OnceCell;

use crate::support::lambda::binaries;

static BUILT: OnceCell<()> = OnceCell::const_new();

/// A user with nothing but an empty home folder.
struct User {
    home: PathBuf,
}

impl Drop for User {
    fn drop(&mut self) {
        let _removed = std::fs::remove_dir_all(&self.home);
    }
}

/// How a command ended.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl User {
    async fn new() -> User {
        let build = || async {
            let workspace = Workspace::at(Path::new(env!("CARGO_MANIFEST_DIR")));
            let built = workspace.expect("a checkout").build(true).await;
            built.expect("a command that builds");
        };
        BUILT.get_or_init(build).await;
        let home = std::env::temp_dir().join(format!("ordermill-{:016x}", fastrand::u64(..)));
        std::fs::create_dir(&home).expect("a folder");
        User { home }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, content).expect("written");
        path
    }

    /// The command in this user's home folder, which is in no checkout.
    fn command<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Command {
        let mut command = Command::new(binaries().join("ordermill"));
        command
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").expect("a path"))
            .env("HOME", &self.home)
            .env("ORDERMILL_STATE_DIR", self.path("state"))
            .env("AWS_CONFIG_FILE", self.path("aws"))
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_MAX_ATTEMPTS", "2")
            .current_dir(&self.home)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    async fn run(&self, line: &str) -> Ended {
        let arguments: Vec<&str> = line.split_whitespace().collect();
        ended(self.command(&arguments).spawn().expect("a command")).await
    }

    /// Lets a profile send what is meant for AWS to a port of this machine.
    fn uses_aws_at(&self, port: u16) {
        let profile = format!(
            "[default]\nregion = eu-central-1\naws_access_key_id = test\naws_secret_access_key = test\n\
             endpoint_url = http://127.0.0.1:{port}\n"
        );
        self.write("aws", profile);
    }

    /// The record of a local stack, as `up` writes it.
    fn has_record(&self, checkout: &Path, port: u16, pid: u32) -> PathBuf {
        let checkout = checkout.to_string_lossy();
        let record = json!({
            "endpoint": format!("http://127.0.0.1:{port}"), "port": port, "pid": pid, "token": TOKEN,
            "checkout": checkout,
        });
        let name = format!("state/{}.json", ids::short_hash(&[&checkout]));
        self.write(&name, record.to_string())
    }
}

async fn ended(child: Child) -> Ended {
    let output = child.wait_with_output().await.expect("an end");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    Ended {
        code: output.status.code(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// A process that has the token of a record in its command line, as the emulator has; or another one.
async fn process(token: &str) -> Child {
    let mut child = Command::new("sh")
        .args(["-c", "echo; read line", &format!("ordermill={token}")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("a shell");
    // A process has no command line until the system has started its program.
    let stdout = child.stdout.as_mut().expect("a pipe");
    stdout.read_u8().await.expect("a started shell");
    child
}

fn signal(child: &Child, name: &str) {
    let pid = child.id().expect("a process").to_string();
    let sent = std::process::Command::new("kill")
        .args([name, &pid])
        .status();
    assert!(sent.expect("kill").success());
}

/// Waits for something that is about to happen.
async fn until(what: &str, mut happened: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !happened().await {
        let waited = started.elapsed();
        assert!(waited < Duration::from_secs(60), "{what} did not happen");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn checkout() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    root.canonicalize().expect("a checkout")
}
