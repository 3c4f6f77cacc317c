//! `up`, `down` and waiting: what is started ends, what is not ours is left alone, and nothing is lost without a word.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::fake_aws::{FakeAws, ITEMS};
use super::{TOKEN, User, checkout, ended, process, signal, until};

#[tokio::test]
async fn down_leaves_a_process_alone_that_is_not_the_emulator() {
    let user = User::new().await;
    let mut other = process("another token").await;
    let record = user.has_record(Path::new("/another"), 4566, other.id().expect("a process"));
    for line in ["down", "down --yes"] {
        user.has_record(Path::new("/another"), 4566, other.id().expect("a process"));
        let done = user.run(line).await;
        let said = "It was not running any more, and its record is removed.\n";
        assert_eq!(
            (done.code, done.stdout.as_str()),
            (Some(0), said),
            "{done:?}"
        );
        assert!(!record.exists());
        assert!(matches!(other.try_wait(), Ok(None)), "it was killed");
    }
    assert_eq!(user.run("down").await.stdout, "Nothing was running.\n");
}

#[tokio::test]
async fn down_lists_what_is_lost_and_asks() {
    let (user, stack) = (User::new().await, FakeAws::start().await);
    let mut emulator = process(TOKEN).await;
    let record = user.has_record(
        Path::new("/another"),
        stack.port,
        emulator.id().expect("a process"),
    );
    let done = user.run("down").await;
    assert_eq!((done.code, done.stdout.as_str()), (Some(2), ""), "{done:?}");
    for what in ["imports", "orders", "refunds", "products", "tokens"] {
        let line = format!("{ITEMS:>11} {what}\n");
        assert!(done.stderr.contains(&line), "{what}: {done:?}");
    }
    assert!(
        done.stderr
            .ends_with("Stop it? Nobody can be asked here: --yes stops it.\n"),
        "{done:?}"
    );
    assert!(record.exists() && matches!(emulator.try_wait(), Ok(None)));

    let done = user.run("down --yes --json").await;
    assert_eq!(done.code, Some(0), "{done:?}");
    let document: serde_json::Value = serde_json::from_str(&done.stdout).expect("a document");
    assert_eq!(document["stopped"], true);
    assert_eq!(document["lost"]["ordermill"]["orders"], ITEMS);
    assert!(!record.exists());
    assert!(!emulator.wait().await.expect("an end").success());
}

#[tokio::test]
async fn up_on_another_port_than_the_running_stack_is_refused() {
    let (user, stack) = (User::new().await, FakeAws::start().await);
    let emulator = process(TOKEN).await;
    user.has_record(&checkout(), stack.port, emulator.id().expect("a process"));
    let wanted = stack.port.wrapping_add(1).to_string();
    let mut command = user.command(&["up", "--port", &wanted]);
    let done = ended(command.current_dir(checkout()).spawn().expect("a command")).await;
    let said = format!(
        "ordermill: the local stack of this checkout runs on port {}, not on {wanted}: `ordermill down` stops it first\n",
        stack.port
    );
    assert_eq!((done.code, done.stderr), (Some(1), said));
}

/// A cargo that starts a compiler and waits for it, as the real one does.
const CARGO: &str = "#!/bin/sh\nsleep 600 &\necho $$ $! > pids.new\nmv pids.new pids\nwait\n";

#[tokio::test]
async fn signal_ends_up_and_what_it_started() {
    for (name, code) in [("-TERM", 143), ("-INT", 130)] {
        let user = User::new().await;
        let cargo = user.write(
            "cargo",
            CARGO.replace("pids", &user.path("pids").to_string_lossy()),
        );
        std::fs::set_permissions(&cargo, PermissionsExt::from_mode(0o755)).expect("a program");
        let mut command = user.command(&["up"]);
        command.env("CARGO", &cargo).current_dir(checkout());
        let up = command.spawn().expect("a command");
        until("the build", async || user.path("pids").exists()).await;
        signal(&up, name);
        let done = ended(up).await;
        assert_eq!(done.code, Some(code), "{done:?}");
        assert!(
            done.stderr
                .ends_with("ordermill: interrupted: what was started is ended\n"),
            "{done:?}"
        );
        let pids = std::fs::read_to_string(user.path("pids")).expect("ids");
        for pid in pids.split_whitespace() {
            let gone = async || {
                let alive = std::process::Command::new("ps")
                    .args(["-o", "stat=", "-p", pid])
                    .output();
                let state = alive.expect("ps").stdout;
                state.is_empty() || state.starts_with(b"Z")
            };
            until("the end of a child", gone).await;
        }
    }
}

#[tokio::test]
async fn interrupted_wait_says_how_to_go_on() {
    let (user, stack) = (User::new().await, FakeAws::start().await);
    let emulator = process(TOKEN).await;
    user.has_record(
        Path::new("/another"),
        stack.port,
        emulator.id().expect("a process"),
    );
    user.write(
        "orders.csv",
        "order_id,customer_id,sku,quantity\nO-1,C-1,A,1\n",
    );
    let import = user
        .command(&["import", "orders.csv", "--wait"])
        .spawn()
        .expect("a command");
    // It waits: the record of the import is asked for again and again.
    until("the wait", async || {
        stack
            .asked()
            .iter()
            .filter(|asked| *asked == "GetItem")
            .count()
            > 4
    })
    .await;
    signal(&import, "-INT");
    let done = ended(import).await;
    assert_eq!(
        (done.code, done.stdout.as_str()),
        (Some(130), ""),
        "{done:?}"
    );
    let id = ids(&stack);
    let said = format!(
        "(import {id})\nordermill: interrupted: the import goes on, and `ordermill imports {id}` shows how far it is\n"
    );
    assert!(done.stderr.ends_with(&said), "{said}{done:?}");
}

fn ids(stack: &FakeAws) -> String {
    assert!(
        stack
            .asked()
            .contains(&"PUT /files/imports/orders.csv".to_owned()),
        "{:?}",
        stack.asked()
    );
    domain::ids::import_id("files", "imports/orders.csv", "v1")
}
