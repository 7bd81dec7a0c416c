//! Overflows in a program whose `main` is not Rust's: what `std` does before a Rust `main`, its
//! handler and its signal stacks, is not there. So this is one, without the test harness.

#![no_main]

mod support;

use std::env;
use std::ffi::{c_char, c_int};
use std::hint::black_box;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;

use support::{Ended, end_of, models};
use trefoil::{Builder, Model, thread};

/// Set in the processes that are to overflow, to the model.
const INSIDE: &str = "TREFOIL_TEST_PROGRAM";
/// What overflows there.
const CASE: &str = "TREFOIL_TEST_CASE";

#[unsafe(no_mangle)]
extern "C" fn main(_: c_int, _: *const *const c_char) -> c_int {
    match env::var(INSIDE) {
        Ok(model) => overflows(model.parse().unwrap()),
        Err(_) => are_reported(),
    }
    0
}

fn overflows(model: Model) {
    let runtime = Builder::new().model(model).workers(2).build().unwrap();
    match env::var(CASE).unwrap().as_str() {
        "first" => runtime.run(|| overflow(0)),
        "thread" => runtime.run(|| spawn(thread::Builder::new())),
        "sized" => runtime.run(|| spawn(thread::Builder::new().stack_size(1 << 20))),
        other => panic!("`{other}` is no case"),
    }
}

fn spawn(builder: thread::Builder) {
    let deep = builder.name("deep".to_owned()).spawn(|| overflow(0));
    deep.unwrap().join().unwrap();
}

fn overflow(depth: u64) {
    let frame = black_box([depth; 32]);
    if depth != u64::MAX {
        overflow(depth + 1);
    }
    // After the call, so that it is no tail call.
    black_box(frame);
}

fn are_reported() {
    for model in models() {
        match model {
            // The stack of the process's first thread, of which the environment takes a part: it
            // has no certain size.
            Model::Kernel => assert_told(model, "first", "'main' (kernel, "),
            Model::Green => assert_told(model, "first", "'main' (green, 8 MiB stack)"),
            Model::Hybrid => assert_told(model, "first", "'main' (hybrid, 8 MiB stack)"),
        }
        let usual = match model {
            Model::Kernel => "2 MiB",
            Model::Green | Model::Hybrid if cfg!(debug_assertions) => "1 MiB",
            Model::Green | Model::Hybrid => "256 KiB",
        };
        assert_told(model, "thread", &format!("'deep' ({model}, {usual} stack)"));
        assert_told(model, "sized", &format!("'deep' ({model}, 1 MiB stack)"));
    }
    println!("c_main: all overflows are reported");
}

/// The report begins with `thread` and what follows.
fn assert_told(model: Model, case: &str, thread: &str) {
    let ended = end_of_case(model, case);
    let begins = ended.err.starts_with(&format!("\nthread {thread}"));
    let goes_on = ended
        .err
        .contains(" stack) has overflowed its stack\nhelp: ");
    assert!(begins && goes_on, "{ended:?}");
    assert_eq!(ended.status.signal(), Some(libc::SIGABRT), "{ended:?}");
}

fn end_of_case(model: Model, case: &str) -> Ended {
    let mut command = Command::new("sh");
    command
        .args(["-c", "ulimit -c 0 && exec \"$0\""])
        .arg(env::current_exe().unwrap())
        .env(INSIDE, model.name())
        .env(CASE, case)
        .env_remove("TREFOIL_OVERFLOW");
    end_of(&mut command)
}
