//! What the tests share: the models that are compiled in, and programs that end in time.
#![forbid(unsafe_code)]
#![allow(dead_code, reason = "not every test file uses all of it")]

use std::io::Read as _;
use std::process::{Command, ExitStatus, Stdio};
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
