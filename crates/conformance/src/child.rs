//! Promises about the end of a process: the test runs itself again, in a process of its own.

use std::cell::RefCell;
use std::env;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{self, Command, ExitStatus, Stdio};

/// In the environment of such a process.
const INSIDE: &str = "TREFOIL_CONFORMANCE_CHILD";

/// The exit code of a process that came through what it was given to do. Not 0: that is also the
/// code of a process that has found no test to run.
const THROUGH: i32 = 91;

/// The signal by which a process aborts; on Linux, whatever the processor.
const SIGABRT: i32 = 6;

thread_local! {
    /// The test that runs on this OS thread, by the path that the test harness knows.
    static TEST: RefCell<String> = const { RefCell::new(String::new()) };
}

/// How a process ended, and what it wrote to its standard error.
#[derive(Debug)]
pub(crate) struct Ended {
    status: ExitStatus,
    pub(crate) err: String,
}

/// Notes the test that the calling OS thread runs. `test` begins with the crate's name.
pub(crate) fn note_test(test: &str) {
    let path = test.split_once("::").map_or(test, |(_, path)| path);
    TEST.set(path.to_owned());
}

/// The test that runs on the calling OS thread, by its path in its crate. Empty: none does.
#[must_use]
pub fn current_test() -> String {
    TEST.with_borrow(String::clone)
}

/// Runs `body` in a process of its own, and tells how that ended. Once in a test.
pub(crate) fn end_of(body: impl FnOnce()) -> Ended {
    Child::new().end_of(body)
}

/// A process of its own, before it runs.
#[derive(Debug)]
pub(crate) struct Child {
    variables: Vec<(&'static str, &'static str)>,
    /// What the shell runs first.
    limits: String,
}

impl Child {
    pub(crate) fn new() -> Child {
        Child {
            variables: Vec::new(),
            // No core file is left behind.
            limits: "ulimit -c 0".to_owned(),
        }
    }

    /// Its stacks have guard pages by `mprotect(2)`, as on an older kernel.
    pub(crate) fn with_protected_guards(mut self) -> Child {
        self.variables.push(("TREFOIL_GUARD", "mprotect"));
        self
    }

    /// Its runtimes watch their workers, and say who keeps one from its other threads.
    pub(crate) fn with_monitor(mut self) -> Child {
        self.variables.push(("TREFOIL_MONITOR", "print"));
        self
    }

    /// It has so much address space, in MiB, and no more.
    pub(crate) fn with_address_space(mut self, mebibytes: usize) -> Child {
        self.limits
            .push_str(&format!(" && ulimit -v {}", mebibytes << 10));
        self
    }

    /// It may have so many descriptors.
    pub(crate) fn with_descriptors(mut self, most: usize) -> Child {
        self.limits.push_str(&format!(" && ulimit -n {most}"));
        self
    }

    /// It may have as many descriptors as this process may give it.
    pub(crate) fn with_most_descriptors(mut self) -> Child {
        self.limits.push_str(" && ulimit -n $(ulimit -Hn)");
        self
    }

    /// Runs `body` in it, and tells how it ended. Once in a test.
    pub(crate) fn end_of(self, body: impl FnOnce()) -> Ended {
        if env::var_os(INSIDE).is_some() {
            body();
            process::exit(THROUGH);
        }
        let output = Command::new("sh")
            .arg("-c")
            .arg(self.limits + " && exec \"$0\" --exact \"$1\" --nocapture")
            .arg(env::current_exe().unwrap())
            .arg(current_test())
            .env(INSIDE, "1")
            .env_remove("TREFOIL_OVERFLOW")
            .env_remove("TREFOIL_GUARD")
            .envs(self.variables)
            .stdin(Stdio::null())
            .output()
            .expect("a test can run itself");
        Ended {
            status: output.status,
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ended {
    /// The same, but for what it wrote first.
    #[track_caller]
    pub(crate) fn after(self, first: &str) -> Ended {
        let rest = self.err.strip_prefix(first);
        let err = rest.unwrap_or_else(|| panic!("{self:?}")).to_owned();
        Ended { err, ..self }
    }

    #[track_caller]
    pub(crate) fn assert_aborted(&self) {
        assert_eq!(self.status.signal(), Some(SIGABRT), "{self:?}");
    }
    /// It did all that it was given to do.
    #[track_caller]
    pub(crate) fn assert_came_through(&self) {
        assert_eq!(self.status.code(), Some(THROUGH), "{self:?}");
    }
}
