//! Go, whose program is a process of its own: `peers/go`, built once with the `go` tool, beside the
//! benchmark program. It takes what a workload is told as arguments, and prints the same record as
//! every other run.
//!
//! The `go` tool is the one on `PATH`, or the one that `TREFOIL_GO` names. The program has no
//! dependencies, so nothing is fetched.
#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::{self, Command, Stdio};
use std::sync::OnceLock;

use super::built::is_fresh;
use crate::failure::Failure;
use crate::order::Order;
use crate::run::cores;

/// Where the sources are.
const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/go");

/// The oldest Go that can build them, as `go.mod` says too.
const OLDEST: (u32, u32) = (1, 25);

const HOW: &str = "install Go 1.25 or newer from https://go.dev/dl, so that `go` is on PATH, or let \
                   TREFOIL_GO name the go tool";

/// Why there is no Go here, and what to do about it. `None`: there is. It is looked for once.
pub(super) fn obstacle() -> Option<String> {
    static OBSTACLE: OnceLock<Option<String>> = OnceLock::new();
    OBSTACLE
        .get_or_init(|| obstacle_of(&said_version(&tool())))
        .clone()
}

fn tool() -> OsString {
    std::env::var_os("TREFOIL_GO").unwrap_or_else(|| "go".into())
}

/// What `go version` prints, or why it does not.
fn said_version(tool: &OsString) -> Result<String, String> {
    let output = Command::new(tool)
        .arg("version")
        .env("GOTOOLCHAIN", "local")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot run `{}`: {error}", tool.display()))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(format!("`{} version` fails", tool.display())),
    }
}

fn obstacle_of(said: &Result<String, String>) -> Option<String> {
    match said {
        Err(why) => Some(format!("{why}; {HOW}")),
        Ok(text) => match version(text) {
            Some(version) if version >= OLDEST => None,
            _ => Some(format!("`{}` is too old; {HOW}", text.trim())),
        },
    }
}

/// Reads `go version go1.27.3 linux/amd64`. One that is being developed has no number, and is new.
fn version(text: &str) -> Option<(u32, u32)> {
    let word = text.split_whitespace().nth(2)?;
    let Some(numbers) = word.strip_prefix("go") else {
        return Some((u32::MAX, 0));
    };
    let mut numbers = numbers.split(|letter: char| !letter.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// The command that runs a workload in Go. Builds the program if that has not been done, or if its
/// sources have changed since.
///
/// # Errors
///
/// If there is no Go, or if the program cannot be built.
pub(super) fn command(
    workload: &str,
    order: &Order,
    workers: Option<usize>,
) -> Result<Command, Failure> {
    if let Some(why) = obstacle() {
        return Err(Failure::Unable(why));
    }
    let program = order.program.with_file_name("trefoil-bench-go");
    if !is_fresh(&program, SOURCES).map_err(Failure::io("look at the sources of the Go program"))? {
        build(&program)?;
    }
    let mut command = Command::new(program);
    command
        .arg(workload)
        .args(order.parameters.pairs().map(|pair| format!("-set={pair}")))
        .arg("-client")
        .arg(&order.program)
        .env("GOMAXPROCS", workers.unwrap_or_else(cores).to_string());
    Ok(command)
}

/// Several processes may build at the same time: each builds its own, and puts it in place whole.
fn build(program: &PathBuf) -> Result<(), Failure> {
    let own = program.with_extension(process::id().to_string());
    let output = Command::new(tool())
        .current_dir(SOURCES)
        .args(["build", "-buildvcs=false", "-o"])
        .arg(&own)
        .arg(".")
        .env("GOTOOLCHAIN", "local")
        .env("GOFLAGS", "-mod=mod")
        .env("GOPROXY", "off")
        .env("GOWORK", "off")
        .env("CGO_ENABLED", "0")
        .stdin(Stdio::null())
        .output()
        .map_err(Failure::io("run the go tool"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let why = format!("cannot build the Go program: {}", said.trim());
        return Err(Failure::Unable(why));
    }
    fs::rename(own, program).map_err(Failure::io("put the Go program in its place"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read() {
        assert_eq!(version("go version go1.27.3 linux/amd64\n"), Some((1, 27)));
        assert_eq!(version("go version go1.25 linux/amd64"), Some((1, 25)));
        assert_eq!(version("go version go1.25rc1 linux/amd64"), Some((1, 25)));
        let developed = version("go version devel go1.28-3a2f linux/amd64");
        assert!(developed > Some(OLDEST));
        assert_eq!(version("go"), None);
    }

    #[test]
    fn who_has_no_go_is_told_what_to_do() {
        let nowhere = said_version(&"/no/such/go".into());
        let why = obstacle_of(&nowhere).unwrap();
        assert!(
            why.contains("/no/such/go") && why.contains("https://go.dev/dl"),
            "{why}"
        );
        let old = obstacle_of(&Ok("go version go1.19.8 linux/amd64\n".into())).unwrap();
        assert!(old.contains("go1.19.8") && old.contains("1.25"), "{old}");
        assert_eq!(
            obstacle_of(&Ok("go version go1.27.3 linux/amd64\n".into())),
            None
        );
    }

    #[test]
    fn the_oldest_go_is_that_of_the_module() {
        let module = fs::read_to_string(PathBuf::from(SOURCES).join("go.mod")).unwrap();
        let line = format!("go {}.{}", OLDEST.0, OLDEST.1);
        assert!(module.lines().any(|found| found == line), "{module}");
    }
}
