//! The record of a running local stack, from which commands find it wherever they are started.
//!
//! A record is a file in the user's state folder, one for each checkout. It may be stale, since processes are killed and
//! machines restart. So the emulator carries a random token in its command line, and a record holds only while its
//! process has this token: a process id alone may belong to another process by now.

use std::fs::{self, File};
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use domain::ids;
use serde::{Deserialize, Serialize};

/// Where records are, instead of the user's state folder.
const FOLDER: &str = "ORDERMILL_STATE_DIR";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    pub endpoint: String,
    pub port: u16,
    pub pid: u32,
    /// In the command line of the process.
    token: String,
    pub checkout: PathBuf,
}

/// All records of this user.
#[derive(Debug, Default)]
pub struct Records {
    pub running: Vec<Running>,
    /// Files that are no records.
    pub unreadable: Vec<PathBuf>,
}

/// A token for the command line of a process.
pub fn token() -> String {
    format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..))
}

/// The arguments by which Python carries a token: it keeps options of this sort, and does nothing with unknown ones.
pub fn arguments(token: &str) -> [String; 2] {
    ["-X".to_owned(), mark(token)]
}

fn mark(token: &str) -> String {
    format!("ordermill={token}")
}

impl Running {
    pub fn new(port: u16, pid: u32, token: String, checkout: &Path) -> Running {
        Running {
            endpoint: endpoint(port),
            port,
            pid,
            token,
            checkout: checkout.to_owned(),
        }
    }

    /// The record of a checkout, if there is a readable one.
    pub fn of(checkout: &Path) -> Option<Running> {
        read(&path(&folder().ok()?, checkout))
    }

    /// Puts the record in its place as a whole: nobody ever reads a part of it.
    pub fn write(&self) -> Result<()> {
        let folder = folder()?;
        self.write_in(&folder).with_context(|| {
            let folder = folder.display();
            format!("writing to {folder}, where commands find the local stack ({FOLDER} names another folder)")
        })
    }

    fn write_in(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder)?;
        let path = path(folder, &self.checkout);
        let draft = path.with_extension(format!("{}.new", self.pid));
        let mut file = File::create(&draft)?;
        file.write_all(serde_json::to_string(self)?.as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, &path)?;
        Ok(())
    }

    /// Removes the record, unless another stack of the checkout has replaced it.
    pub fn remove(&self) {
        if let Ok(folder) = folder() {
            let path = path(&folder, &self.checkout);
            if read(&path).as_ref() == Some(self) {
                // One that stays is stale, and recognized as that.
                let _removed = fs::remove_file(path);
            }
        }
    }

    /// Whether its process still runs.
    pub fn is_alive(&self) -> bool {
        let mark = mark(&self.token);
        command_line(self.pid).is_some_and(|line| line.contains(&mark))
    }

    pub fn answers(&self) -> bool {
        self.is_alive() && answers(self.port)
    }

    /// Asks the process to end, if it is the one that the record is about.
    pub fn end(&self) -> bool {
        self.is_alive() && terminate(&self.pid.to_string())
    }
}

impl Records {
    pub fn read() -> Records {
        let mut records = Records::default();
        // Without a folder there are no records.
        let entries = folder().and_then(|folder| Ok(fs::read_dir(folder)?));
        for entry in entries.into_iter().flatten().flatten() {
            let path = entry.path();
            if path.extension().is_some_and(|ending| ending == "json") {
                match read(&path) {
                    Some(running) => records.running.push(running),
                    None => records.unreadable.push(path),
                }
            }
        }
        records.running.sort_by_key(|running| running.port);
        records
    }
}

/// Sends SIGTERM to a process, or to a process group where the id has a minus sign.
pub fn terminate(id: &str) -> bool {
    let sent = Command::new("kill")
        .args(["-TERM", "--", id])
        .stderr(Stdio::null())
        .status();
    sent.is_ok_and(|status| status.success())
}

pub fn endpoint(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

pub fn answers(port: u16) -> bool {
    TcpStream::connect_timeout(
        &SocketAddr::from(([127, 0, 0, 1], port)),
        Duration::from_millis(500),
    )
    .is_ok()
}

fn folder() -> Result<PathBuf> {
    let named = |variable: &str| {
        let folder = std::env::var_os(variable).map(PathBuf::from);
        folder.filter(|folder| folder.is_absolute())
    };
    if let Some(folder) = named(FOLDER) {
        return Ok(folder);
    }
    let state = named("XDG_STATE_HOME")
        .or_else(|| Some(std::env::home_dir()?.join(".local/state")))
        .filter(|folder| folder.is_absolute());
    match state {
        Some(state) => Ok(state.join("ordermill")),
        None => bail!(
            "this user has no home folder: let {FOLDER} name a folder for the record of the local stack"
        ),
    }
}

fn path(folder: &Path, checkout: &Path) -> PathBuf {
    let name = ids::short_hash(&[&checkout.to_string_lossy()]);
    folder.join(format!("{name}.json"))
}

fn read(path: &Path) -> Option<Running> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// The command line of a process, if there is one.
fn command_line(pid: u32) -> Option<String> {
    if cfg!(target_os = "linux") {
        let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        return Some(String::from_utf8_lossy(&line).into_owned());
    }
    command_line_by_ps(pid)
}

fn command_line_by_ps(pid: u32) -> Option<String> {
    let output = Command::new("ps")
        .args(["-ww", "-o", "command=", "-p", &pid.to_string()])
        .stderr(Stdio::null())
        .output()
        .ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn running(pid: u32, token: &str) -> Running {
        Running::new(1, pid, token.to_owned(), Path::new("/a/checkout"))
    }

    #[test]
    fn process_without_the_token_is_not_taken_for_the_emulator() {
        let mut child = Command::new("sh")
            .args(["-c", "echo; read line", "ordermill=token-of-the-test"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        // A process has no command line until the system has started its program.
        let mut started = [0];
        let mut stdout = child.stdout.take().expect("a pipe");
        stdout.read_exact(&mut started).expect("a started shell");
        assert!(running(child.id(), "token-of-the-test").is_alive());
        let other = running(child.id(), "token-of-another");
        assert!(!other.is_alive() && !other.end());
        assert!(matches!(child.try_wait(), Ok(None)), "it was killed");
        drop(child.stdin.take());
        child.wait().expect("an end");
        assert!(!running(child.id(), "token-of-the-test").is_alive());
    }

    #[test]
    fn ps_shows_the_same_command_line_as_proc() {
        let own = command_line_by_ps(std::process::id()).expect("ps");
        let program = std::env::args().next().expect("a program");
        assert!(own.contains(&program), "{own}");
    }

    #[test]
    fn record_is_written_as_a_whole_and_one_for_each_checkout() {
        let folder = std::env::temp_dir().join(format!("ordermill-{}", token()));
        let (one, other) = (
            running(7, "one"),
            Running {
                checkout: "/another".into(),
                ..running(8, "other")
            },
        );
        for record in [&one, &other, &one] {
            record.write_in(&folder).expect("written");
        }
        assert_eq!(read(&path(&folder, &one.checkout)), Some(one));
        assert_eq!(read(&path(&folder, &other.checkout)), Some(other));
        let names = fs::read_dir(&folder).expect("a folder").flatten();
        assert_eq!(names.count(), 2, "a draft was left behind");
        fs::remove_dir_all(folder).expect("removed");
    }
}
