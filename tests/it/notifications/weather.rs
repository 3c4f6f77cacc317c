//! What stands between `send` and the emulator's mail service, and fails as it is told to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::support::http;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    /// Every second request is too much.
    Throttling,
    /// Takes requests, and says nothing.
    Silent,
    /// Takes nothing.
    Down,
    Fair,
}

#[derive(Default)]
pub struct Seen {
    pub requests: u32,
    pub throttled: u32,
    pub unanswered: u32,
    /// By the notification that the request names.
    pub accepted: BTreeMap<String, u32>,
    pub rejected: BTreeMap<String, u32>,
}

pub struct Proxy {
    pub url: String,
    shared: Arc<Shared>,
}

struct Shared {
    behind: String,
    /// Mails to it are refused.
    bad_address: String,
    weather: Mutex<Weather>,
    seen: Mutex<Seen>,
    http: reqwest::Client,
}

impl Proxy {
    pub async fn start(behind: &str, bad_address: &str, weather: Weather) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            behind: behind.to_owned(),
            bad_address: bad_address.replace('@', "%40"),
            weather: Mutex::new(weather),
            seen: Mutex::default(),
            http: http(),
        });
        let serving = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serve(Arc::clone(&serving), connection));
            }
        });
        Proxy {
            url: format!("http://{address}"),
            shared,
        }
    }

    pub fn turn(&self, weather: Weather) {
        *self.shared.weather.lock().expect("a lock") = weather;
    }

    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.shared.seen.lock().expect("a lock")
    }
}

impl Shared {
    fn weather(&self) -> Weather {
        *self.weather.lock().expect("a lock")
    }
}

/// One request on each connection. Nothing where there is no answer.
async fn serve(shared: Arc<Shared>, connection: TcpStream) -> Option<()> {
    let mut connection = BufReader::new(connection);
    let (mut headers, mut length) = (Vec::new(), 0);
    loop {
        let mut line = String::new();
        if connection.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        if line == "\r\n" {
            break;
        }
        if let Some((name, value)) = line.split_once(": ") {
            let (name, value) = (name.to_ascii_lowercase(), value.trim().to_owned());
            match name.as_str() {
                "content-length" => length = value.parse().ok()?,
                "host" | "connection" => {}
                _ => headers.push((name, value)),
            }
        }
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body).await.ok()?;
    let text = String::from_utf8_lossy(&body).into_owned();
    let (status, answer) = answered(&shared, headers, text).await?;
    let answer = format!(
        "HTTP/1.1 {status} x\r\nContent-Type: text/xml\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{answer}",
        answer.len()
    );
    let written = connection.get_mut().write_all(answer.as_bytes()).await;
    written.ok()
}

async fn answered(
    shared: &Shared,
    headers: Vec<(String, String)>,
    body: String,
) -> Option<(u16, String)> {
    let id = named(&body);
    let is_throttled = {
        let mut seen = shared.seen.lock().expect("a lock");
        seen.requests += 1;
        shared.weather() == Weather::Throttling && seen.requests.is_multiple_of(2)
    };
    while shared.weather() == Weather::Silent {
        tokio::time::sleep(Duration::from_millis(100)).await;
        if shared.weather() != Weather::Silent {
            // It was not heard of: who asked is gone.
            shared.seen.lock().expect("a lock").unanswered += 1;
            return None;
        }
    }
    if shared.weather() == Weather::Down {
        shared.seen.lock().expect("a lock").unanswered += 1;
        return None;
    }
    if is_throttled {
        shared.seen.lock().expect("a lock").throttled += 1;
        return Some((400, error("Throttling", "Maximum sending rate exceeded.")));
    }
    if body.contains(&shared.bad_address) {
        let mut seen = shared.seen.lock().expect("a lock");
        *seen.rejected.entry(id).or_default() += 1;
        return Some((400, error("MessageRejected", "Address is blacklisted.")));
    }
    let mut request = shared.http.post(&shared.behind).body(body);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let answer = request.send().await.ok()?;
    let status = answer.status();
    if status.is_success() {
        let mut seen = shared.seen.lock().expect("a lock");
        *seen.accepted.entry(id).or_default() += 1;
    }
    Some((status.as_u16(), answer.text().await.ok()?))
}

/// The notification that stands in a request first.
fn named(body: &str) -> String {
    let at = body.find("nt_").unwrap_or_default();
    let is_part = |char: &char| char.is_ascii_alphanumeric() || "_-".contains(*char);
    body[at..].chars().take_while(is_part).collect()
}

fn error(code: &str, words: &str) -> String {
    format!(
        "<ErrorResponse xmlns=\"http://ses.amazonaws.com/doc/2010-12-01/\"><Error><Type>Sender</Type><Code>{code}</Code>\
         <Message>{words}</Message></Error><RequestId>1</RequestId></ErrorResponse>"
    )
}
