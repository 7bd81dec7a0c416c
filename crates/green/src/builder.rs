//! What a green runtime can be given.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use trefoil_fiber::DEFAULT_STACK;
use trefoil_runtime::thread::check_stack_size;
use trefoil_runtime::{self as contract, Companions, Metering, Monitoring, Relief};

use crate::runtime::Runtime;

/// Makes a [`Runtime`].
///
/// ```
/// let runtime = trefoil_green::Builder::new().stack_size(64 << 10).build()?;
/// assert_eq!(runtime.run(|| 1 + 1), 2);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it builds"]
pub struct Builder {
    pub(crate) stack_size: usize,
    pub(crate) main_stack_size: usize,
    pub(crate) grace: Duration,
    pub(crate) companions: Companions,
    pub(crate) metering: Metering,
    pub(crate) monitoring: Monitoring,
    pub(crate) relief: Relief,
    pub(crate) isolated: bool,
}

impl Builder {
    /// A builder with the defaults: stacks of 256 KiB (1 MiB in a debug build, whose frames are
    /// larger), 8 MiB for the main thread, a grace of five seconds, not isolated.
    pub fn new() -> Builder {
        Builder {
            stack_size: DEFAULT_STACK,
            main_stack_size: 8 << 20,
            grace: Duration::from_secs(5),
            companions: Companions::default(),
            metering: Metering::default(),
            monitoring: Monitoring::default(),
            relief: Relief::default(),
            isolated: false,
        }
    }

    /// The stack size of threads that do not ask for one, in bytes, rounded up. It is address
    /// space: memory is used as the thread touches it.
    ///
    /// A thread that overflows its stack ends the process, with a report of its name, model and
    /// stack size ([`trefoil_runtime::overflow`]).
    pub fn stack_size(self, size: usize) -> Builder {
        Builder {
            stack_size: size,
            ..self
        }
    }

    /// The stack size of the main thread of [`Runtime::run`], in bytes.
    pub fn main_stack_size(self, size: usize) -> Builder {
        Builder {
            main_stack_size: size,
            ..self
        }
    }

    /// How long [`Runtime::run`] goes on, after its main thread has ended, for threads that
    /// it has asked to end.
    pub fn grace(self, grace: Duration) -> Builder {
        Builder { grace, ..self }
    }

    /// A runtime that runs the threads for which [`thread::Builder::model`] asks for its model:
    /// a kernel runtime, for a thread that computes for long.
    ///
    /// [`thread::Builder::model`]: trefoil_runtime::thread::Builder::model
    pub fn companion(mut self, runtime: Arc<dyn contract::Runtime>) -> Builder {
        self.companions.add(runtime);
        self
    }

    /// Promises that no other OS thread wakes threads of this runtime, so that a deadlock is
    /// certain as soon as nothing is ready, no timer runs, and no descriptor or blocking call
    /// is waited for. Without the promise it is also certain if the process has no other OS
    /// thread that could do it: see [the crate's head](crate#deadlocks).
    ///
    /// If the promise is broken, a `run` may end with a deadlock report although another OS
    /// thread was about to wake one of its threads.
    pub fn isolated(self, isolated: bool) -> Builder {
        Builder { isolated, ..self }
    }

    /// Whether [`Runtime::stack_usage`] is to tell how deep the stacks of threads get. Without it,
    /// if the environment variable `TREFOIL_STACK_USAGE` is `1` or `on`. It costs some system calls
    /// for each thread; where it is off, nothing.
    pub fn measure_stacks(self, on: bool) -> Builder {
        self.metering(Metering::of(on))
    }

    /// The same in full: several runtimes may count together.
    pub fn metering(self, metering: Metering) -> Builder {
        Builder { metering, ..self }
    }

    /// Whether workers are watched that do not come back to their scheduler, because a thread computes for
    /// long or blocks its OS thread: [`Runtime::stalls`] tells of them. Without it, if the environment variable
    /// `TREFOIL_MONITOR` is `1` or `on`. It takes an OS thread, which sleeps while all workers do.
    pub fn monitoring(self, monitoring: Monitoring) -> Builder {
        Builder { monitoring, ..self }
    }

    /// Whether later threads of a spawn site whose threads keep workers for long start on kernel threads of the
    /// [companion](Builder::companion), where the operating system takes turns. Without it, if the environment
    /// variable `TREFOIL_RELIEF` is `1` or `on`. Workers are watched then too, with the
    /// [monitoring](Builder::monitoring)'s limit, or one of 10 ms. [`Runtime::stalls`] tells which sites those are.
    pub fn relief(self, relief: Relief) -> Builder {
        Builder { relief, ..self }
    }

    /// Makes the runtime. It has no threads yet.
    ///
    /// # Errors
    ///
    /// `InvalidInput`: a stack size of 0 or above 1 GiB; or an environment variable holds what it
    /// cannot (`TREFOIL_STACK_USAGE`, unless the builder says it; `TREFOIL_OVERFLOW`; `TREFOIL_GUARD`). And those of
    /// [`Relief::most`].
    pub fn build(self) -> io::Result<Runtime> {
        check_stack_size(self.stack_size)?;
        check_stack_size(self.main_stack_size)?;
        Runtime::new(self)
    }
}

impl Default for Builder {
    fn default() -> Builder {
        Builder::new()
    }
}
