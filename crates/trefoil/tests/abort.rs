//! A program that is built with `panic = "abort"`: there a cancellation is a flag, and nothing
//! unwinds. Cargo always builds tests so that they can unwind; so this one builds a program, in a
//! target directory of its own.
#![forbid(unsafe_code)]

mod support;

use std::env;
use std::path::Path;
use std::process::Command;

use support::{end_of, models};

#[test]
fn a_cancellation_is_a_flag_where_nothing_unwinds() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("abort");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--offline", "--package", "trefoil"])
        .args(["--all-features", "--example", "abort"])
        .args(["--config", "profile.dev.panic=\"abort\""])
        .args(["--config", "profile.dev.debug=false"])
        .arg("--target-dir")
        .arg(&target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        // What the outer Cargo says is about other builds.
        .env_remove("CARGO_TARGET_DIR")
        .output()
        .expect("Cargo runs");
    let said = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{said}");
    let program = target.join("debug").join("examples").join("abort");
    for model in models() {
        let ended = end_of(Command::new(&program).env("TREFOIL_MODEL", model.name()));
        assert!(ended.status.success(), "{ended:?}");
        assert_eq!(
            ended.out,
            format!("abort ({model}): a cancellation is a flag\n")
        );
        assert_eq!(ended.err, "", "on {model}");
    }
}
