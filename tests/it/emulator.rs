//! The emulator as a process: it changes no results, listens on a port of its own, and ends with whoever started it.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use ordermill::local::{Life, Workspace};

use crate::support::file;
use crate::support::wait::until;

fn workspace() -> Workspace {
    Workspace::at(Path::new(env!("CARGO_MANIFEST_DIR"))).expect("a checkout")
}

async fn program() -> std::path::PathBuf {
    let requirements = "infra/emulator/requirements.txt";
    let python = workspace().install(requirements).await;
    python.expect("an emulator that installs").program("python")
}

/// With the shortcuts that `patches.py` takes and without them: values, expressions and requests from a seed.
#[tokio::test]
async fn shortcuts_in_the_emulator_change_no_result() {
    let tests = Command::new(program().await)
        .args(["-B", "test_patches.py"])
        .current_dir(file("infra/emulator"))
        .output()
        .expect("python");
    let said = String::from_utf8_lossy(&tests.stderr);
    assert!(tests.status.success(), "{said}");
    assert!(said.contains("Ran 8 tests"), "{said}");
}

#[tokio::test]
async fn an_emulator_without_a_socket_says_how_it_is_started() {
    let run = Command::new(program().await)
        .arg(file("infra/emulator/run.py"))
        .stdin(Stdio::null())
        .output()
        .expect("python");
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(!run.status.success());
    assert!(
        said.contains("`ordermill up` starts the emulator so"),
        "{said}"
    );
}

#[tokio::test]
async fn a_port_that_is_taken_is_refused_with_a_sentence() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port();
    let started = workspace().start_emulator(port, Life::Private).await;
    let error = started.err().expect("no emulator").to_string();
    assert!(
        error.starts_with(&format!("port {port} is taken: choose another")),
        "{error}"
    );
}

/// What the test below runs in a process of its own: it starts an emulator, says where, and lives until it is killed.
#[tokio::test]
#[ignore = "a part of another test"]
async fn an_owner_of_an_emulator() {
    let workspace = workspace();
    let installed = workspace.install_emulator().await;
    installed.expect("an emulator that installs");
    let emulator = workspace.start_emulator(0, Life::Private).await;
    let emulator = emulator.expect("an emulator that starts");
    println!("\nstarted {} {}", emulator.pid(), emulator.endpoint());
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn an_emulator_ends_when_its_owner_is_killed() {
    program().await;
    let this = std::env::current_exe().expect("this binary");
    let mut owner = Command::new(this)
        .args(["--exact", "emulator::an_owner_of_an_emulator"])
        .args(["--ignored", "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("a process");
    let mut lines = BufReader::new(owner.stdout.take().expect("a pipe")).lines();
    let said = lines.find_map(|line| {
        let line = line.expect("a line");
        Some(line.strip_prefix("started ")?.to_owned())
    });
    let said = said.expect("an emulator that started");
    let (pid, endpoint) = said.split_once(' ').expect("two words");
    let address = endpoint.trim_start_matches("http://");
    let answers = || TcpStream::connect(address).is_ok();
    assert!(answers());
    owner.kill().and_then(|()| owner.wait()).expect("killed");
    until("the end of the emulator", async || {
        let process = Path::new("/proc").join(pid);
        !answers() && !process.exists()
    })
    .await;
}
