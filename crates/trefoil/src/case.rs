//! One case of a `#[trefoil::test]`: the test's body on one model, in time.
//!
//! It decides what is a failure; the [watchdog](crate::watchdog) says when the time is over. The
//! attribute's expansion makes a case in each test function. Not for anybody else: it may change at any
//! time.
//!
//! | the body | the case |
//! |---|---|
//! | returns | returns what it reports, as a test of `std` |
//! | panics | goes on with its panic |
//! | ends in any way after the time was over | fails, with the watchdog's report |
//! | cannot begin: no runtime, no watchdog, a wrong variable | fails, with the reason |
//!
//! What the body returns need not be `Send`: it is asked for its exit code where it was made.
#![forbid(unsafe_code)]

use std::any::Any;
use std::panic::{self, AssertUnwindSafe};
use std::process::{ExitCode, Termination};

use trefoil_runtime::Model;
use trefoil_runtime::cancel::Cancelled;

use crate::builder::Builder;
use crate::runtime::Runtime;
use crate::watchdog::{self, Watchdog};

/// A case, before it runs.
#[derive(Debug)]
#[must_use = "a case does nothing until it runs"]
pub struct Case {
    /// As the test harness prints it.
    name: &'static str,
    builder: Builder,
    model: Model,
    timeout: Option<u64>,
    should_panic: bool,
}

impl Case {
    /// The case of this path, which begins with the crate's name, on this model.
    pub fn new(path: &'static str, model: Model) -> Case {
        Case {
            name: path.split_once("::").map_or(path, |(_, name)| name),
            builder: Builder::new().model(model),
            model,
            timeout: None,
            should_panic: false,
        }
    }

    /// As [`Builder::workers`].
    pub fn workers(self, workers: usize) -> Case {
        Case {
            builder: self.builder.workers(workers),
            ..self
        }
    }

    /// As [`Builder::stack_size`].
    pub fn stack_size(self, size: usize) -> Case {
        Case {
            builder: self.builder.stack_size(size),
            ..self
        }
    }

    /// How many seconds it may take; 0: for ever.
    pub fn timeout(self, seconds: u64) -> Case {
        Case {
            timeout: Some(seconds),
            ..self
        }
    }

    /// Its panic is what the test is there for.
    pub fn should_panic(self) -> Case {
        Case {
            should_panic: true,
            ..self
        }
    }

    /// Runs the body. Returns what it reports.
    ///
    /// # Panics
    ///
    /// With the body's panic, or with a sentence that says why it failed.
    #[track_caller]
    pub fn run<F, T>(self, body: F) -> ExitCode
    where
        F: FnOnce() -> T + Send + 'static,
        T: Termination,
    {
        let (runtime, watchdog) = match self.set_up() {
            Ok(ready) => ready,
            Err(reason) => return self.fail(&reason),
        };
        let leash = watchdog.leash();
        let ended = runtime.run(move || leash.around(|| outcome(body)));
        tell_leftover(&runtime);
        drop(runtime);
        match (watchdog.call_off(), ended) {
            (Some(report), _) => self.fail(&report),
            (None, Ok(code)) => code,
            (None, Err(payload)) if payload.is::<Cancelled>() => {
                // It has run no panic hook: nobody knows yet.
                self.fail("the test's first thread was cancelled, and has not come to its end")
            }
            (None, Err(payload)) => panic::resume_unwind(payload),
        }
    }

    /// What it needs, or why it cannot be had.
    fn set_up(&self) -> Result<(Runtime, Watchdog), String> {
        let limit = watchdog::limit(self.timeout)?;
        let runtime = self.builder.clone().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let watchdog = Watchdog::begin(self.name, self.model, limit)?;
        Ok((runtime, watchdog))
    }

    /// Fails the test.
    #[track_caller]
    fn fail(&self, reason: &str) -> ExitCode {
        if self.should_panic {
            // A panic would be a success. Without one the harness says that it has missed it.
            eprintln!("{reason}");
            return ExitCode::FAILURE;
        }
        panic!("{reason}")
    }
}

/// What the body reports, or its panic.
fn outcome<T: Termination>(
    body: impl FnOnce() -> T,
) -> Result<ExitCode, Box<dyn Any + Send + 'static>> {
    // Whoever gets the panic goes on with it.
    panic::catch_unwind(AssertUnwindSafe(|| body().report()))
}

/// Why the test took some seconds longer.
fn tell_leftover(runtime: &Runtime) {
    for thread in runtime.leftover() {
        eprintln!("left when the test had ended, and did not end when it was cancelled: {thread}");
    }
}
