//! Programs of others that are clients of ours.

use std::env;
use std::process::{Command, Output};

/// What such a program writes, which has to end well. `None`: it is not installed here, so that nothing can be
/// checked. Where all has to be checked (`CI` is set) that is a failure.
#[track_caller]
pub(crate) fn run(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output();
    match output {
        Ok(output) => Some(written(program, arguments, output)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            assert!(
                env::var_os("CI").is_none(),
                "`{program}` is not installed: `ci/tools.sh` installs it"
            );
            eprintln!("NOT CHECKED: `{program}` is not installed: `ci/tools.sh` installs it");
            None
        }
        Err(error) => panic!("{program} {arguments:?}: {error}"),
    }
}

#[track_caller]
fn written(program: &str, arguments: &[&str], output: Output) -> String {
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {output:?}"
    );
    String::from_utf8(output.stdout).expect("it writes text")
}
