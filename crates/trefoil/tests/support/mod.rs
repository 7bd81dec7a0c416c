//! What the tests share: the models that are compiled in, programs that end in time, and tests that
//! run as such programs.
#![forbid(unsafe_code)]
#![allow(dead_code, reason = "not every test file uses all of it")]

use std::env;
use std::io::Read as _;
use std::process::{self, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use trefoil::Model;

/// The models whose features are enabled.
pub(crate) fn models() -> Vec<Model> {
    let compiled_in = |model: &Model| match model {
        Model::Kernel => cfg!(feature = "kernel"),
        Model::Green => cfg!(feature = "green"),
        Model::Hybrid => cfg!(feature = "hybrid"),
    };
    Model::ALL.into_iter().filter(compiled_in).collect()
}

/// How a program ended, and what it said.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs a program that is short and says little. One that hangs is ended, and fails the test.
#[track_caller]
pub(crate) fn end_of(command: &mut Command) -> Ended {
    const LIMIT: Duration = Duration::from_secs(60);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program exists");
    let end = Instant::now() + LIMIT;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > end {
            child.kill().unwrap();
            panic!("{command:?} hangs");
        }
        thread::sleep(Duration::from_millis(2));
    };
    let mut ended = Ended {
        status,
        out: String::new(),
        err: String::new(),
    };
    child
        .stdout
        .unwrap()
        .read_to_string(&mut ended.out)
        .unwrap();
    child
        .stderr
        .unwrap()
        .read_to_string(&mut ended.err)
        .unwrap();
    ended
}

/// In the environment of a test that runs as a program of its own: the model that it is to try.
pub(crate) const INSIDE: &str = "TREFOIL_TEST_PROGRAM";

/// Runs `body` in a process of its own for each model, and hands over how that ended. `test` is
/// the test that calls it.
#[track_caller]
pub(crate) fn on_all_models(test: &str, body: fn(Model), check: fn(Model, Ended)) {
    if let Ok(model) = env::var(INSIDE) {
        body(model.parse().unwrap());
        // It was to end otherwise, or says so by what it wrote.
        process::exit(0);
    }
    for model in models() {
        check(model, end_of(&mut program(test, model)));
    }
}

/// This test on one model, as a program that leaves no core file behind.
pub(crate) fn program(test: &str, model: Model) -> Command {
    let mut command = Command::new("sh");
    command
        .args([
            "-c",
            "ulimit -c 0 && exec \"$0\" --exact \"$1\" --nocapture",
        ])
        .arg(env::current_exe().unwrap())
        .arg(test)
        .env(INSIDE, model.name())
        .env_remove("TREFOIL_OVERFLOW");
    command
}

/// What the program says of its own, without the test harness.
pub(crate) fn said(ended: &Ended) -> Vec<&str> {
    let lines = ended.out.lines();
    lines.filter_map(|line| line.strip_prefix("> ")).collect()
}
