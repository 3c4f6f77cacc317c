//! The emulator as a process: installed into the target folder, started, and ended without a trace.

use std::fs::File;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::eventually;
use super::python::Python;
use super::running::{self, Running, answers, endpoint};

/// What the template needs of AWS.
const SERVICES: &str = "apigateway,cloudformation,dynamodb,events,iam,lambda,logs,s3,secretsmanager,ses,sns,sqs,states";

/// The emulator itself, and all that it stands on.
pub const REQUIREMENTS: &str = "infra/emulator/requirements.txt";

/// What an emulator wrote is not taken away before.
const LEFT_ALONE: Duration = Duration::from_secs(600);

/// Its start takes two seconds, and many times that on a busy machine.
const START_LIMIT: Duration = Duration::from_secs(300);

/// How long one request may wait for a server that is not ready yet.
const PROBE_LIMIT: Duration = Duration::from_secs(5);

/// How long it lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// It ends when this process does, however that ends, and nobody else knows of it.
    Private,
    /// It ends when this process does; until then other commands find it.
    WithThisProcess,
    /// Until `down`.
    UntilStopped,
}

pub struct Emulator {
    port: u16,
    /// Its standard input is what ties it to this process.
    process: Child,
    /// What other commands find it by. While it is here, the emulator ends when this is dropped.
    record: Option<Running>,
}

/// Takes away what emulators left that are gone: each holds a copy of every function. One that is about to start answers
/// nobody yet.
fn sweep(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let left = name
            .to_str()
            .and_then(|name| name.strip_prefix("emulator-"));
        let port = left.and_then(|port| port.trim_end_matches(".log").parse().ok());
        let written = entry.metadata().and_then(|metadata| metadata.modified());
        let age = written.ok().and_then(|written| written.elapsed().ok());
        let old = age.is_some_and(|age| age > LEFT_ALONE);
        if port.is_some_and(|port| old && !answers(port)) {
            // Where it cannot be done now, the next one does it.
            let _gone = std::fs::remove_dir_all(entry.path())
                .or_else(|_| std::fs::remove_file(entry.path()));
        }
    }
}

impl Emulator {
    /// Starts one on this port, or on a free one where `port` is 0. The port is bound here and the emulator gets the
    /// socket, so nobody can take the port before the emulator listens.
    pub async fn start(root: &Path, folder: &Path, port: u16, life: Life) -> Result<Emulator> {
        let listener = bound(port)?;
        let port = listener.local_addr()?.port();
        sweep(folder);
        let log_path = folder.join(format!("emulator-{port}.log"));
        let scratch = folder.join(format!("emulator-{port}"));
        std::fs::create_dir_all(&scratch)?;
        let log = File::create(&log_path)?;
        // Not one of the runtime's own: it outlives runtimes when tests share it.
        let environment = Python::named(root, folder, REQUIREMENTS)?;
        let mut command = std::process::Command::new(environment.program("python"));
        let token = running::token();
        command
            .args(running::arguments(&token))
            .arg(root.join("infra/emulator/run.py"))
            // Functions inherit this environment, and must find in it what Lambda would give them, and nothing else.
            .env_clear()
            .envs(
                ["PATH", "HOME"]
                    .into_iter()
                    .filter_map(|name| Some((name, std::env::var_os(name)?))),
            )
            .env("GATEWAY_PORT", port.to_string())
            .env("BIND_HOST", "127.0.0.1")
            .env("AWS_ENDPOINT_URL", endpoint(port))
            .env("SERVICES", SERVICES)
            .env("TMPDIR", &scratch)
            .env("S3_DATA_DIR", scratch.join("s3"))
            .env("LOG_LEVEL", "WARNING")
            // The one way to hand over a socket without unsafe code. What is printed goes to the log, see run.py.
            .stdout(OwnedFd::from(listener))
            .stderr(log)
            // Ctrl-C in the terminal is for us: we end it when we are done.
            .process_group(0);
        match life {
            Life::Private | Life::WithThisProcess => {
                command.arg("--watch-stdin").stdin(Stdio::piped())
            }
            Life::UntilStopped => command.stdin(Stdio::null()),
        };
        let process = command
            .spawn()
            .context("the emulator could not be started")?;
        // It holds the socket as well: a port whose emulator has ended has to refuse connections.
        drop(command);
        let record = Running::new(port, process.id(), token, root);
        let mut emulator = Emulator {
            port,
            process,
            record: (life != Life::Private).then_some(record),
        };
        if let Some(record) = &emulator.record {
            record.write()?;
        }
        eventually("the start of the emulator", START_LIMIT, async || {
            if let Some(status) = emulator.process.try_wait()? {
                bail!(
                    "the emulator ended with {status}; its last words are in {}",
                    log_path.display()
                );
            }
            Ok(serves(port).await)
        })
        .await?;
        Ok(emulator)
    }

    pub fn endpoint(&self) -> String {
        endpoint(self.port)
    }

    /// Function processes are its children.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Ends one that lives with this process, and waits until it is gone.
    pub async fn stop(mut self) -> Result<()> {
        drop(self.process.stdin.take());
        eventually(
            "the end of the emulator",
            Duration::from_secs(15),
            async || Ok(self.process.try_wait()?.is_some()),
        )
        .await
    }

    /// Leaves it running when this process ends.
    pub fn keep(mut self) {
        self.record = None;
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        if let Some(record) = self.record.take() {
            // A child that was not waited for keeps its process id.
            if matches!(self.process.try_wait(), Ok(None)) {
                running::terminate(&self.process.id().to_string());
            }
            record.remove();
        }
    }
}

fn bound(port: u16) -> Result<TcpListener> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Err(error) if error.kind() == ErrorKind::AddrInUse => bail!(
            "port {port} is taken: choose another with --port, or deploy to what is there by setting AWS_ENDPOINT_URL"
        ),
        bound => bound.with_context(|| format!("listening on port {port}")),
    }
}

/// Whether a request gets a response. The socket accepts connections from the beginning, also before the server runs.
async fn serves(port: u16) -> bool {
    let request = async {
        let mut connection = tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        let request =
            "GET /_ministack/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        connection.write_all(request.as_bytes()).await?;
        let mut status = [0; 12];
        connection.read_exact(&mut status).await?;
        Ok::<_, std::io::Error>(status.ends_with(b" 200"))
    };
    matches!(
        tokio::time::timeout(PROBE_LIMIT, request).await,
        Ok(Ok(true))
    )
}
