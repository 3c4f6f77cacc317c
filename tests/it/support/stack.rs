//! The local stack, as `ordermill up` makes it: one emulator for the whole run, and a stack of its own for each test.

use std::net::TcpListener;
use std::path::Path;

use ordermill::cloud::{Cloud, Stack};
use ordermill::local::{Emulator, Life, Workspace};
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
    let turn = TURN.acquire().await.expect("a turn");
    let workspace = Workspace::at(Path::new(env!("CARGO_MANIFEST_DIR"))).expect("a checkout");
    let emulator = emulator(&workspace).await;
    let cloud = Cloud::at(&emulator.endpoint()).await;
    let parameters = ordermill::local::parameters(2);
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
                .start_emulator(free_port(), Life::WithThisProcess)
                .await
                .expect("an emulator that starts")
        })
        .await
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}
