//! The examples are programs that check themselves: each runs on every model, unchanged.
//! `cargo test` builds them before it runs this.
#![forbid(unsafe_code)]

mod support;

use std::env;
use std::path::PathBuf;
use std::process::Command;

use support::{end_of, models};

fn program(example: &str) -> PathBuf {
    // This test is at `deps/`, beside `examples/`.
    let test = env::current_exe().unwrap();
    let program = test
        .ancestors()
        .nth(2)
        .unwrap()
        .join("examples")
        .join(example);
    assert!(
        program.exists(),
        "the example `{example}` is not built: run `cargo build -p trefoil --examples` before"
    );
    program
}

/// Runs it on every model; it must end well, and say one line with its name and the model.
#[track_caller]
fn runs_on_every_model(example: &str) {
    for model in models() {
        let ended = end_of(Command::new(program(example)).env("TREFOIL_MODEL", model.name()));
        assert!(ended.status.success(), "{ended:?}");
        let head = format!("{example} ({model}): ");
        assert!(ended.out.starts_with(&head), "{ended:?}");
        assert_eq!(ended.out.lines().count(), 1, "{ended:?}");
        assert_eq!(ended.err, "", "on {model}");
    }
}

#[test]
fn echo_server() {
    runs_on_every_model("echo_server");
}

#[test]
fn prime_sieve() {
    runs_on_every_model("prime_sieve");
}

#[test]
fn crawler() {
    runs_on_every_model("crawler");
}

#[test]
fn wrong_arguments_are_refused_with_a_sentence() {
    for (example, argument, sentence) in [
        ("echo_server", "--port", "usage: echo_server"),
        ("prime_sieve", "many", "`many` is not a number of primes"),
    ] {
        for model in models() {
            let mut command = Command::new(program(example));
            let ended = end_of(command.arg(argument).env("TREFOIL_MODEL", model.name()));
            assert_eq!(ended.status.code(), Some(1), "{ended:?}");
            assert!(ended.err.contains(sentence), "{ended:?}");
        }
    }
}
