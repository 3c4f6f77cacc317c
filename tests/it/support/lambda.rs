//! A function in a process of its own, with this test for its Lambda service: it asks here for an event, and answers here.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// The folder of the binaries that were built together with this one.
pub fn binaries() -> PathBuf {
    let this = std::env::current_exe().expect("this binary");
    let folder = this.parent().and_then(Path::parent);
    folder.expect("a folder").to_owned()
}

/// What every function is told, and none may do without.
pub fn command(function: &str, port: u16) -> Command {
    let mut command = Command::new(binaries().join(function));
    command
        .env_clear()
        .env("AWS_LAMBDA_RUNTIME_API", format!("127.0.0.1:{port}"));
    for (variable, value) in [
        ("AWS_LAMBDA_FUNCTION_NAME", function),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "stream"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "group"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("ORDERS_TABLE", "orders"),
        ("PRODUCTS_TABLE", "products"),
        ("CATALOGS_TABLE", "catalogs"),
        ("CUSTOMERS_TABLE", "customers"),
        ("IMPORTS_TABLE", "imports"),
        ("JOURNAL_TABLE", "journal"),
        ("REFUNDS_TABLE", "refunds"),
        ("NOTIFICATIONS_TABLE", "notifications"),
        ("FAILURES_TABLE", "failures"),
        ("TALLIES_TABLE", "tallies"),
        ("TOKENS_TABLE", "tokens"),
        ("SUPPRESSIONS_TABLE", "suppressions"),
        ("BATCHES_QUEUE_URL", "http://127.0.0.1/batches"),
        ("BATCHES_DEAD_QUEUE_URL", "http://127.0.0.1/batches-dead"),
        ("BULK_BATCHES_QUEUE_URL", "http://127.0.0.1/bulk_batches"),
        (
            "BULK_BATCHES_DEAD_QUEUE_URL",
            "http://127.0.0.1/bulk_batches-dead",
        ),
        ("BULK_IMPORTS_QUEUE_URL", "http://127.0.0.1/bulk_imports"),
        (
            "BULK_IMPORTS_DEAD_QUEUE_URL",
            "http://127.0.0.1/bulk_imports-dead",
        ),
        ("IMPORTS_QUEUE_URL", "http://127.0.0.1/imports"),
        ("IMPORTS_DEAD_QUEUE_URL", "http://127.0.0.1/imports-dead"),
        ("CATALOGS_QUEUE_URL", "http://127.0.0.1/catalogs"),
        ("CATALOGS_DEAD_QUEUE_URL", "http://127.0.0.1/catalogs-dead"),
        ("REFUNDS_QUEUE_URL", "http://127.0.0.1/refunds"),
        ("REFUNDS_DEAD_QUEUE_URL", "http://127.0.0.1/refunds-dead"),
        ("ENTRIES_QUEUE_URL", "http://127.0.0.1/entries"),
        ("ENTRIES_DEAD_QUEUE_URL", "http://127.0.0.1/entries-dead"),
        ("NOTICES_QUEUE_URL", "http://127.0.0.1/notices"),
        ("NOTICES_DEAD_QUEUE_URL", "http://127.0.0.1/notices-dead"),
        ("MAIL_QUEUE_URL", "http://127.0.0.1/mail"),
        ("MAIL_DEAD_QUEUE_URL", "http://127.0.0.1/mail-dead"),
        ("FEEDBACK_QUEUE_URL", "http://127.0.0.1/feedback"),
        ("FEEDBACK_DEAD_QUEUE_URL", "http://127.0.0.1/feedback-dead"),
        ("MAIL_SENDER", ""),
        ("MAIL_REPLY_TO", ""),
        ("OPERATOR_MAIL", ""),
        ("MAIL_RATE", "10"),
        ("MAIL_CONCURRENCY", "2"),
        ("MAIL_LANGUAGE", "en"),
        ("MAIL_CONFIGURATION_SET", ""),
        ("OPT_OUT_SECRET", "optout-key"),
        ("BATCHES_MAPPING", "00000000-0000-4000-8000-000000000000"),
        ("IMPORTS_MAPPING", "00000000-0000-4000-8000-000000000001"),
        ("CATALOGS_MAPPING", "00000000-0000-4000-8000-000000000002"),
        ("ENTRIES_MAPPING", "00000000-0000-4000-8000-000000000003"),
        ("REFUNDS_MAPPING", "00000000-0000-4000-8000-000000000004"),
        ("NOTICES_MAPPING", "00000000-0000-4000-8000-000000000005"),
        ("MAIL_MAPPING", "00000000-0000-4000-8000-000000000006"),
        ("FEEDBACK_MAPPING", "00000000-0000-4000-8000-000000000007"),
        ("FILES_BUCKET", "files"),
        ("ALLOWED_ORIGIN", ""),
        (
            "SAGA_ARN",
            "arn:aws:states:us-east-1:000000000000:stateMachine:saga",
        ),
        ("BUSINESS_TIME_ZONE", "UTC"),
        ("PAYMENT_GATEWAY", "simulated"),
        ("PAYMENT_APPROVAL_RATE", "0.9"),
        (
            "PAYMENT_SECRET_ARN",
            "arn:aws:secretsmanager:us-east-1:000000000000:secret:key",
        ),
        ("PAYMENT_TIME_LIMIT", "30m"),
        ("TOTAL_POLICY", "declared"),
        ("DEFAULT_CURRENCY", "USD"),
    ] {
        command.env(variable, value);
    }
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// One process at work on one event.
pub struct Invocation {
    pub process: Child,
    answers: mpsc::Receiver<String>,
}

impl Invocation {
    /// Starts the function with these settings more, and hands it the event.
    pub async fn start(
        function: &str,
        settings: &[(&str, &str)],
        event: String,
        limit: Duration,
    ) -> Invocation {
        Invocation::start_logging(function, settings, event, limit, Stdio::null()).await
    }

    /// The same, and what it logs goes there.
    pub async fn start_logging(
        function: &str,
        settings: &[(&str, &str)],
        event: String,
        limit: Duration,
        log: Stdio,
    ) -> Invocation {
        let api = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let mut command = command(function, api.local_addr().expect("an address").port());
        command.envs(settings.iter().copied()).stdout(log);
        let (sender, answers) = mpsc::channel(1);
        tokio::spawn(async move {
            while let Ok((connection, _)) = api.accept().await {
                tokio::spawn(serve(connection, event.clone(), limit, sender.clone()));
            }
        });
        Invocation {
            process: command.spawn().expect("a function that starts"),
            answers,
        }
    }

    /// What the function answered, if it does so in this time.
    pub async fn answer(&mut self, within: Duration) -> Option<String> {
        tokio::time::timeout(within, self.answers.recv())
            .await
            .ok()?
    }

    pub fn kill(mut self) {
        let killed = self.process.kill().and_then(|()| self.process.wait());
        killed.expect("killed");
    }
}

async fn serve(
    connection: TcpStream,
    event: String,
    limit: Duration,
    answers: mpsc::Sender<String>,
) -> Option<()> {
    let mut connection = BufReader::new(connection);
    loop {
        let mut request = String::new();
        let mut length = 0;
        loop {
            let mut line = String::new();
            if connection.read_line(&mut line).await.ok()? == 0 {
                return None;
            }
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
            if line == "\r\n" {
                break;
            }
            request.push_str(&line);
        }
        let mut body = vec![0; length];
        connection.read_exact(&mut body).await.ok()?;
        let answer = if request.starts_with("GET") {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
            format!(
                "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: 1\r\nLambda-Runtime-Deadline-Ms: {}\r\n\
                 Lambda-Runtime-Invoked-Function-Arn: arn\r\nContent-Length: {}\r\n\r\n{event}",
                (now + limit).as_millis(),
                event.len()
            )
        } else {
            // The event is worked off: the next one would be asked for, and there is none.
            let body = String::from_utf8_lossy(&body).into_owned();
            answers.send(body).await.ok()?;
            "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned()
        };
        connection
            .get_mut()
            .write_all(answer.as_bytes())
            .await
            .ok()?;
    }
}

/// The most memory that a process ever held, in MB.
pub fn peak(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next())
        .and_then(|kb| kb.parse::<f64>().ok())
        .unwrap_or_default()
        / 1000.0
}
